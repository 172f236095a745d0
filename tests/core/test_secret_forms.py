"""Secrets in text, as they are and as servers show them."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.secret_forms import MIN_CHARS, SecretForms

KEY = "sk-proj/a+B&c1'd\"efghij9k"
TOKEN = "sk-proj-aB3dE5gH7jK9"  # noqa: S105 - nobody's


def hidden(text: str, secret: str = KEY) -> str:
    """Return the text without the secret."""
    return SecretForms(secret).hidden(text, "***")


@pytest.mark.parametrize(
    "shown",
    [
        KEY,
        KEY.upper(),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        quote(quote(KEY, safe=""), safe=""),
        "".join(f"%{ord(c):02X}" for c in KEY),
        html.escape(KEY),
        "".join(f"&#{ord(c)};" for c in KEY),
        "".join(f"&#x{ord(c):X};" for c in KEY),
        "".join(f"\\u{ord(c):04x}" for c in KEY),
        json.dumps(KEY)[1:-1].replace("/", "\\/").replace('\\"', '"'),
    ],
)
def test_a_key_is_hidden_however_it_is_written(shown: str) -> None:
    """URLs, HTML and JSON escape some characters or all, and logs may be in capitals."""
    assert hidden(f"key {shown} twice {shown}.") == "key *** twice ***."


@pytest.mark.parametrize("length", range(MIN_CHARS, len(TOKEN)))
def test_the_beginning_of_a_key_is_hidden(length: int) -> None:
    """Servers cut keys short, and so much of one is not guessed."""
    assert hidden(f"bad key {TOKEN[:length]}...", TOKEN) == "bad key ***..."


def test_a_few_characters_of_a_key_stay() -> None:
    """What everybody's key begins with is no secret, and says which key was meant."""
    assert hidden(f"bad key {TOKEN[:8]}...", TOKEN) == f"bad key {TOKEN[:8]}..."


@pytest.mark.parametrize("secret", ["/home/anna/keys1.json", "https://host/key1", "description_of"])
def test_of_a_path_or_of_words_the_beginning_is_no_secret(secret: str) -> None:
    """It may stand in many a message."""
    text = f"{secret[:-2]} and {secret}"
    assert hidden(text, secret) == f"{secret[:-2]} and ***"


def test_a_short_secret_is_hidden_as_it_is_only() -> None:
    """`ollama` is a word in another case."""
    assert hidden("ollama Ollama", "ollama") == "*** Ollama"


def test_a_character_beyond_the_basic_plane_is_found_in_a_url() -> None:
    """Nothing but its bytes is looked for."""
    assert hidden(quote("\U0001f511-secret-key-12"), "\U0001f511-secret-key-12") == "***"


@given(st.text(max_size=60), st.text("abz019-_/+=%&;", min_size=1, max_size=40))
def test_a_secret_never_comes_through(text: str, secret: str) -> None:
    """Whatever stands around it."""
    left = hidden(f"{text}{secret}{quote(secret, safe='')}", secret)
    assert secret not in left.replace("***", "\n") or len(secret) < MIN_CHARS

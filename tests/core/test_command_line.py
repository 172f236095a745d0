"""No secret of a command line is kept."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.command_line import Redactor

KEY = "sk-canary-7f3a"


def redactor(environ: dict[str, str]) -> Redactor:
    """Return one that knows OPENAI_API_KEY by name."""
    return Redactor.for_environment(environ, ["OPENAI_API_KEY"])


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://me:pass@host/v1", "https://***@host/v1"),
        ("https://me:p/w?d@x@host/v1", "https://***@host/v1"),
        ("--base-url=http://u@host:80/v1", "--base-url=http://***@host:80/v1"),
        ("http://h/v1?key=abc&x=1#frag", "http://h/v1?key=***&x=***#***"),
        ("http://h/v1?abc", "http://h/v1?***"),
        ("see http://a:b@h and c@d", "see http://***@h and c@d"),
        ("key=5/part.csv", "key=5/part.csv"),
        ("mail@example.com.csv", "mail@example.com.csv"),
    ],
)
def test_urls_lose_user_query_and_fragment(word: str, kept: str) -> None:
    """Also when the password was not escaped; what is no URL stays."""
    assert Redactor().command(["forge", word]) == ("forge", kept)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("--simulation key=abc,latency=1,key=d", "--simulation key=***,latency=1,key=***"),
        ("--simulation=latency=1,Key=a=b", "--simulation=latency=1,Key=***"),
        ("--simulation token_time=1,bucket_tokens=2", "--simulation token_time=1,bucket_tokens=2"),
        ("--id-column key=abc", "--id-column key=abc"),
    ],
)
def test_a_simulation_loses_its_keys(words: str, kept: str) -> None:
    """Written in one word or two; other names keep their values."""
    assert Redactor().command(words.split()) == tuple(kept.split())
    assert Redactor().command(["--simulation", "key = d, x=1"])[1] == "key =***, x=1"


def test_what_equals_a_key_of_the_environment_is_hidden() -> None:
    """Anywhere, as it is or with the escapes of a URL."""
    key = "s/k+1 %é"
    found = redactor({"OPENAI_API_KEY": f" {key}\n"})
    for written in (key, quote(key), quote(key, safe="")):
        assert found.text(f"a{written}b") == "a***b"


def test_variables_that_sound_like_secrets_count_when_they_are_long() -> None:
    """`SORT_KEY=id` must not take the `id` out of everything."""
    found = redactor(
        {"SORT_KEY": "id", "GH_TOKEN": "abcdefgh", "DB_PASSWORD": "hunter2h", "PATH": "/bin/xyz"}
    )
    assert found.text("id abcdefgh hunter2h /bin/xyz") == "id *** *** /bin/xyz"


def test_a_short_key_is_hidden_where_it_stands_alone() -> None:
    """Inside of words three letters are anywhere."""
    found = redactor({"OPENAI_API_KEY": "abc"})
    assert found.command(["abc", "abcd"]) == ("***", "abcd")


def test_of_two_keys_the_longer_goes_first() -> None:
    """A key that holds another leaves no rest."""
    found = redactor({"OPENAI_API_KEY": "secret", "MY_SECRET": "secret-and-more"})
    assert found.text("secret-and-more secret") == "*** ***"


def test_an_empty_variable_hides_nothing() -> None:
    """No text would be left."""
    assert redactor({"OPENAI_API_KEY": " "}).text("text") == "text"


@given(st.text(), st.text())
def test_no_key_survives(before: str, after: str) -> None:
    """Wherever it stands; the number of words stays."""
    words = [before, f"{before}{KEY}{after}", after]
    kept = redactor({"OPENAI_API_KEY": KEY}).command(words)
    assert len(kept) == 3
    assert not any(KEY in word for word in kept)

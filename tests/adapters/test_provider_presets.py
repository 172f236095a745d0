"""The packaged presets, finding them, and keys."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import httpx
import pydantic
import pytest

from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import find_preset, load_presets
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    "sarvam", "openai", "anthropic", "groq", "together", "mistral", "openrouter", "friendli",
    "ollama", "vllm", "llamacpp",
]  # fmt: skip


def test_all_presets_load() -> None:
    """The packaged file is valid and has the known providers in order."""
    found = load_presets()
    assert list(found) == NAMES
    for name, preset in found.items():
        assert preset.name == name
        assert preset.wire == ("anthropic" if name == "anthropic" else "openai")
        url = httpx.URL(preset.base_url)
        assert url.path.endswith("/v1")
        is_local = url.host == "localhost"
        assert url.scheme == ("http" if is_local else "https")
        assert preset.requires_key is not is_local


def test_sarvam_sends_null_to_turn_reasoning_off() -> None:
    """Leaving the field out would mean "medium", which is billed."""
    preset = find_preset("sarvam")
    assert preset.fixed_body == {"reasoning_effort": None}
    assert preset.default_model == "sarvam-105b"
    assert preset.auth == "api-subscription-key"


def test_only_sarvam_has_a_default_model() -> None:
    """Elsewhere no model is the evident choice."""
    assert [p.name for p in load_presets().values() if p.default_model] == ["sarvam"]


def test_names_are_found_in_any_case() -> None:
    """Case is no mistake."""
    assert find_preset("OpenAI").name == "openai"


@pytest.mark.parametrize(
    ("name", "guess"), [("sarvm", "'sarvam'"), ("open-ai", "'openai'"), ("locl", "'local'")]
)
def test_a_misspelt_name_gets_the_nearest(name: str, guess: str) -> None:
    """The message offers a correction and lists what there is."""
    with pytest.raises(SettingsError, match=rf"unknown provider '{name}': did you mean {guess}\?"):
        find_preset(name, other_names=["local"])


def test_a_strange_name_gets_the_list() -> None:
    """Without a near name there is no guess."""
    with pytest.raises(SettingsError, match="unknown provider 'zzz': Known: sarvam, openai"):
        find_preset("zzz")


@pytest.mark.parametrize(
    "line",
    ["unknown = 1", 'structured = "xml"', 'auth = "basic"', 'requires_key = "yes"'],
)  # fmt: skip
def test_a_wrong_preset_is_noticed(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown fields and values outside the lists do not pass."""
    start = '[x]\nbase_url = "https://x/v1"\nkey_env = "X"\n'
    form = "" if line.startswith("structured") else 'structured = "plain"\n'
    (tmp_path / "presets.toml").write_text(start + form + line + "\n")
    monkeypatch.setattr("importlib.resources.files", lambda _package: tmp_path)
    with pytest.raises(pydantic.ValidationError):
        load_presets()


def test_extra_body_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed fields and a reasoning value end up in the body."""
    (tmp_path / "presets.toml").write_text(
        '[x]\nbase_url = "https://x/v1"\nkey_env = "X"\nstructured = "plain"\n'
        'reasoning_field = "reasoning_effort"\nreasoning_value = "none"\n'
        "extra_body = { seed = 7 }\n"
    )
    monkeypatch.setattr("importlib.resources.files", lambda _package: tmp_path)
    assert load_presets()["x"].fixed_body == {"seed": 7, "reasoning_effort": "none"}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("", "is empty"),
        ("sk-hunter2\n", "a line break at position 11"),
        ("sk-hunter2\r\nx: y", "a line break at position 11"),
        ("sk hunter2", "a space at position 3"),
        ("\u201csk-hunter2\u201d", "a typographic quote at position 1"),
        ("sk-hunter2\u00e9", "a character outside ASCII at position 11"),
        ("sk-hunter2\x00", "a control character at position 11"),
        ("sk-hunter2\u00a0", "a space at position 11"),
    ],
)
def test_a_damaged_key_is_refused_unseen(value: str, complaint: str) -> None:
    """The message names the source, the flaw and its place; the key is not in it."""
    with pytest.raises(SettingsError, match=complaint) as caught:
        ApiKey(value, source="SARVAM_API_KEY")
    assert "SARVAM_API_KEY" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_key_shows_only_as_a_header() -> None:
    """Nothing but the header gives the key away."""
    key = ApiKey("sk-hunter2", source="X")
    assert key.headers("bearer") == {"authorization": "Bearer sk-hunter2"}
    assert key.headers("api-subscription-key") == {"api-subscription-key": "sk-hunter2"}
    assert key.redact("Incorrect key sk-hunter2.") == "Incorrect key ***."
    assert "hunter2" not in f"{key} {key!r}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


def test_connect_checks_what_is_missing() -> None:
    """A missing model or key is said before anything is sent, with what to do."""
    with pytest.raises(SettingsError, match=r"openai has no default model: .* --model"):
        connect(
            find_preset("openai"),
            api_key=ApiKey("k", source="X"),
            max_connections=1,
            clock=lambda: 0.0,
            estimate_tokens=len,
        )
    with pytest.raises(SettingsError, match="sarvam needs an API key: set SARVAM_API_KEY"):
        connect(
            find_preset("sarvam"),
            api_key=None,
            max_connections=1,
            clock=lambda: 0.0,
            estimate_tokens=len,
        )

"""Settings that take a list of kinds, and the limit on a ticket's length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference_forge.errors import SettingsError
from inference_forge.settings import Cleaning, OnLong, Redaction, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def load(flags: dict[str, Any] | None = None, **more: Any) -> Settings:
    """Return the settings."""
    return load_settings(flags or {}, **{"environ": {}, **more}).settings


def test_by_default_texts_are_sent_as_they_are() -> None:
    """Nothing is cleaned, redacted or cut unless asked for."""
    settings = load()
    assert (settings.clean, settings.redact, settings.max_ticket_chars) == ((), (), None)
    assert settings.on_long is OnLong.FAIL


@pytest.mark.parametrize(
    "value",
    ["signature,html", " HTML , signature,", ["html", "signature"], ["html,signature", "html"]],
)
def test_kinds_are_named_in_any_way(value: object) -> None:
    """Separated by commas, repeated, in any order."""
    assert load({"clean": value}).clean == (Cleaning.HTML, Cleaning.SIGNATURE)


def test_kinds_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """As text or as a list."""
    file = tmp_path / "forge.toml"
    file.write_text('clean = ["quotes"]\nredact = "key,email"\n', encoding="utf-8")
    settings = load(environ={"FORGE_CLEAN": "html,quotes"}, project_file=file)
    assert settings.clean == (Cleaning.HTML, Cleaning.QUOTES)
    assert settings.redact == (Redaction.EMAIL, Redaction.KEY)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"clean": ["html,quote"]}, "--clean: 'quote' is unknown; did you mean 'quotes'?"),
        ({"redact": ["e-mail"]}, "--redact: 'e-mail' is unknown; did you mean 'email'?"),
        (
            {"redact": ["iban"]},
            "--redact: 'iban' is unknown; choose from email, phone, card, key",
        ),
        ({"clean": 5}, "--clean: '5' is unknown; choose from html, quotes, signature"),
    ],
)
def test_an_unknown_kind_is_an_error(flags: dict[str, Any], message: str) -> None:
    """With the nearest that is known, or all."""
    with pytest.raises(SettingsError) as raised:
        load(flags)
    assert str(raised.value) == message


def test_a_limit_is_at_least_one() -> None:
    """Nothing could be sent otherwise."""
    assert load({"max_ticket_chars": 1}).max_ticket_chars == 1
    with pytest.raises(SettingsError, match="--max-ticket-chars: 0 cannot be used"):
        load({"max_ticket_chars": 0})


@pytest.mark.parametrize("value", ["truncate", "fail"])
def test_on_long_needs_a_limit(value: str) -> None:
    """Otherwise nothing would be too long, and nobody would notice."""
    with pytest.raises(SettingsError) as raised:
        load({"on_long": value})
    assert str(raised.value) == (
        f"--on-long: '{value}' is for tickets that are too long, and there is no limit: add "
        "--max-ticket-chars N, or leave it out"
    )
    assert load({"on_long": value, "max_ticket_chars": 5}).on_long == value

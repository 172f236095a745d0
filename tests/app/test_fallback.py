"""Choosing who answers while the first provider is out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from running import always_good, forge, read_csv, tickets
from servers import Reply, ScriptedServer, error

from inference_forge.app.answering import open_fallback
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.errors import SettingsError
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_without_settings_there_is_none() -> None:
    """Nobody else is asked."""
    loaded = load_settings({"provider": "openai", "model": "m"}, environ={})
    assert open_fallback(loaded, BUILT_IN, {}) is None


def test_the_same_model_is_no_fallback() -> None:
    """It would be out, too."""
    flags = {"provider": "vllm", "model": "m", "fallback_model": "m"}
    with pytest.raises(SettingsError, match="--fallback-model is the model itself"):
        open_fallback(load_settings(flags, environ={}), BUILT_IN, {})


def test_another_provider_does_not_get_the_first_ones_address() -> None:
    """`--base-url` belongs to `--provider`."""
    flags = {"provider": "vllm", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
    flags |= {"fallback_provider": "ollama", "fallback_model": "n"}
    fallback = open_fallback(load_settings(flags, environ={}), BUILT_IN, {})
    assert fallback is not None
    assert (fallback.name, fallback.provider.model) == ("ollama", "n")
    assert "11434" in repr(fallback.provider)


def test_tickets_go_to_the_fallback_during_an_outage(isolated: Path) -> None:
    """The results say who answered; both keys find their answers again."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(30)))

    def one_is_out(number: int, body: Any) -> Reply:
        return error(500) if body["model"] == "first" else always_good(number, body)

    with ScriptedServer(one_is_out) as server:
        flags = ("--provider", "openai", "--base-url", server.url, "--model", "first")
        command = ("classify", "in.csv", *flags, "--fallback-model", "spare")
        done = forge(*command)
        assert done.code == 0
        assert {row["model"] for row in read_csv(isolated / "in.results.csv")} == {"served-model"}
        asked = len(server.requests)
        assert forge(*command).code == 0
        assert len(server.requests) == asked

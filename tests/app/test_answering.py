"""Who answers, and who may see a key."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from running import CANARY, always_good, forge, tickets
from servers import ScriptedServer

from inference_forge.app.answering import open_answering
from inference_forge.app.wiring import pacing_limits
from inference_forge.core.pacing import PacingLimits
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.errors import SettingsError
from inference_forge.models import Money, Usage
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.settings import Loaded

KEY = {"OPENAI_API_KEY": CANARY}


def loaded(tmp_path: Path, project: str = "", user: str = "", **flags: object) -> Loaded:
    """Return settings from two files and flags."""
    (tmp_path / "forge.toml").write_text(project)
    (tmp_path / "user.toml").write_text(user)
    return load_settings(
        flags, environ={}, project_file=tmp_path / "forge.toml", user_file=tmp_path / "user.toml"
    )


@pytest.mark.parametrize(
    "address",
    [
        "http://evil.example/v1",
        "http://api.openai.com/v1",
        "https://api.openai.com.evil.example/v1",
        "https://api.openai.com@evil.example/v1",
        "https://api.openai.com:8443/v1",
        "https://[broken/v1",
    ],
)
def test_a_project_file_cannot_send_a_key_elsewhere(tmp_path: Path, address: str) -> None:
    """Another host, port or scheme than the provider's own is refused, however it is written."""
    settings = loaded(tmp_path, f'provider = "openai"\nmodel = "m"\nbase_url = "{address}"')
    with pytest.raises(SettingsError, match=r"^\./forge\.toml sets base_url to ") as caught:
        open_answering(settings, BUILT_IN, KEY)
    assert "OPENAI_API_KEY would be sent there" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("source", ["flag", "user", "same", "keyless"])
def test_who_may_name_another_address(tmp_path: Path, source: str) -> None:
    """A flag and the user's own file may; a project file may name the provider's own address."""
    address = "https://mine.example/v1"
    chosen = 'provider = "openai"\nmodel = "m"\n'
    line = f'base_url = "{address}"'
    match source:
        case "flag":
            settings = loaded(tmp_path, chosen + line, base_url=address)
        case "user":
            settings = loaded(tmp_path, chosen, line)
        case "same":
            settings = loaded(tmp_path, chosen + 'base_url = "https://API.openai.com/v1/"')
        case _:
            settings = loaded(tmp_path, chosen + line)
    answering = open_answering(settings, BUILT_IN, {} if source == "keyless" else KEY)
    assert (answering.name, answering.provider.model) == ("openai", "m")


def test_a_refused_address_is_not_even_connected_to(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 and silence on the wire; the same address from a flag or a variable is asked."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    tickets(isolated / "in.csv", "hello")
    where = ("--provider", "openai", "--model", "m")
    with ScriptedServer(always_good) as theirs, ScriptedServer(always_good) as mine:
        (isolated / "forge.toml").write_text(f'base_url = "{theirs.url}"')
        done = forge("classify", "in.csv", *where)
        assert done.code == 2
        assert done.err == (
            f"forge: error: ./forge.toml sets base_url to '{theirs.url.removesuffix('/v1')}', and "
            "OPENAI_API_KEY would be sent there; if that is right, say so with --base-url or in "
            "your own settings file, else unset OPENAI_API_KEY\n"
        )
        assert forge("classify", "in.csv", *where, "--base-url", mine.url).code == 0
        monkeypatch.setenv("FORGE_BASE_URL", mine.url)
        assert forge("classify", "in.csv", *where, "--refresh").code == 0
        assert (theirs.connections, len(mine.requests)) == (0, 2)
        assert mine.requests[0].headers["authorization"] == f"Bearer {CANARY}"


def test_the_embedded_classifier_is_free(tmp_path: Path) -> None:
    """It costs nothing, which is known, and says what it is."""
    answering = open_answering(loaded(tmp_path), BUILT_IN, {})
    assert answering.cost_of(Usage(10, 10)) == Money(Decimal(0), "")
    assert answering.notice is not None
    assert answering.notice.endswith("for a hosted or local model add --provider NAME")


def test_a_model_without_a_price_has_no_known_cost(tmp_path: Path) -> None:
    """Unknown is unknown, never 0."""
    settings = loaded(tmp_path, provider="vllm", model="mine")
    answering = open_answering(settings, BUILT_IN, {})
    assert answering.cost_of(Usage(10, 10)) is None
    assert answering.notice is None


def test_known_limits_hold_at_the_providers_own_address(tmp_path: Path) -> None:
    """Not for a server of one's own that speaks the same API."""
    key = {"SARVAM_API_KEY": CANARY}
    own = loaded(tmp_path, provider="sarvam")
    assert open_answering(own, BUILT_IN, key).rpm == 10_000
    other = loaded(tmp_path, provider="sarvam", base_url="http://127.0.0.1:1/v1")
    assert open_answering(other, BUILT_IN, key).rpm is None


def test_what_the_user_tells_wins_over_what_is_known(tmp_path: Path) -> None:
    """An account may have been given more, or less."""
    key = {"SARVAM_API_KEY": CANARY}
    silent, told = loaded(tmp_path, provider="sarvam"), loaded(tmp_path, rpm="60", tpm="9000")
    answering = open_answering(silent, BUILT_IN, key)
    assert pacing_limits(silent.settings, answering) == PacingLimits(rpm=10_000)
    assert pacing_limits(told.settings, answering) == PacingLimits(rpm=60, tpm=9000)
    local = open_answering(told, BUILT_IN, {})
    assert pacing_limits(told.settings, local) == PacingLimits(learns_rate=False)

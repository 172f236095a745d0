"""Providers that settings files describe, and lists of models: what a run does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from running import CANARY, always_good, forge, read_csv, tickets
from servers import ScriptedServer, completion, error

from inference_forge.app.answering import open_answering, open_fallback
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.errors import SettingsError
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

USER = "home/.config/inference-forge/forge.toml"


def own_file(isolated: Path, text: str) -> Path:
    """Write the user's own settings file."""
    path = isolated.parent / USER
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def table(server: ScriptedServer, more: str = "") -> str:
    """Describe a server as a provider called mine."""
    return f'[providers.mine]\nbase_url = "{server.url}"\ndefault_model = "m"\n{more}\n'


def test_a_provider_of_ones_own_is_asked(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, with its key, its headers and its default model."""
    monkeypatch.setenv("MINE", CANARY)
    tickets(isolated / "in.csv", "hello")
    with ScriptedServer(always_good) as server:
        own_file(isolated, table(server, 'key_env = "MINE"\nheaders = { X-Team = "a" }'))
        done = forge("classify", "in.csv", "--provider", "Mine")
        assert done.code == 0
        (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["x-team"] == "a"
    assert request.parsed["model"] == "m"
    assert read_csv(isolated / "in.results.csv")[0]["cost"] == ""


def test_a_project_may_describe_a_provider_without_a_key(isolated: Path) -> None:
    """As it may name an address."""
    tickets(isolated / "in.csv", "hello")
    with ScriptedServer(always_good) as server:
        text = 'provider = "mine"\n' + table(server, "requires_key = false")
        (isolated / "forge.toml").write_text(text)
        assert forge("classify", "in.csv").code == 0
        assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "variable", ["AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "SOME_TOKEN_OF_MINE"]
)
def test_a_project_gets_no_key_from_the_environment(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Not any variable by the name of a key; nothing is even connected to."""
    monkeypatch.setenv(variable, CANARY)
    tickets(isolated / "in.csv", "hello")
    with ScriptedServer(always_good) as evil:
        text = table(evil, f'key_env = "{variable}"\nrequires_key = false')
        (isolated / "forge.toml").write_text(f'provider = "mine"\n{text}')
        done = forge("classify", "in.csv")
        shown = forge("doctor", "--provider", "mine")
        listed = forge("providers", "--check", "mine")
        assert evil.connections == 0
    assert done.code == 2
    assert done.err == (
        f"forge: error: [providers.mine] in forge.toml names {variable} as a key, and a project's "
        f"file does not decide what is one; if that is right, move the table to "
        f"{isolated.parent / USER}, else unset {variable}\n"
    )
    assert "fail  key: [providers.mine] in forge.toml names" in shown.out.decode()
    assert "ready       no" in listed.out.decode()
    assert f"move the table to {isolated.parent / USER}\n" in listed.out.decode()
    everything = done.err + shown.out.decode() + shown.err + listed.out.decode() + listed.err
    assert CANARY not in everything


def test_a_project_moves_no_known_provider_with_its_key(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not as the fallback; without the key it may."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    tickets(isolated / "in.csv", "hello")
    with ScriptedServer(always_good) as evil, ScriptedServer(always_good) as mine:
        moved = f'[providers.openai]\nbase_url = "{evil.url}"\nrequires_key = false\n'
        (isolated / "forge.toml").write_text(moved)
        flags = ("--provider", "openai", "--model", "m")
        assert forge("classify", "in.csv", *flags).code == 2
        spare = ("--provider", "vllm", "--model", "m", "--base-url", mine.url)
        fallback = ("--fallback-provider", "openai", "--fallback-model", "m")
        assert forge("classify", "in.csv", *spare, *fallback).code == 2
        assert (evil.connections, mine.connections) == (0, 0)
        monkeypatch.delenv("OPENAI_API_KEY")
        assert forge("classify", "in.csv", *flags).code == 0
        assert "authorization" not in evil.requests[0].headers


def test_a_missing_key_of_a_projects_provider_is_not_asked_for(isolated: Path) -> None:
    """Setting it would not help: what helps is said at once."""
    (isolated / "forge.toml").write_text(
        '[providers.mine]\nbase_url = "https://x.example/v1"\nkey_env = "MINE"'
    )
    tickets(isolated / "in.csv", "hello")
    done = forge("classify", "in.csv", "--provider", "mine", "--model", "m")
    assert (done.code, "move the table to" in done.err) == (2, True)
    assert "unset" not in done.err


def test_the_keys_of_such_providers_are_shown_nowhere(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that sounds like anything; wherever its value is quoted, echoed or recorded."""
    quoted = "hunter2hunter2"
    monkeypatch.setenv("PLAIN", quoted)
    tickets(isolated / "in.csv", "hello")
    flags = ("--provider", "mine")
    with ScriptedServer(lambda *_: error(400, None, quoted)) as server:
        own_file(isolated, table(server, 'key_env = "PLAIN"'))
        done = [
            forge("--debug", "classify", "in.csv", *flags, "--prefix", quoted),
            forge("classify", "in.csv", *flags, "--id-column", quoted),
            forge("doctor", *flags, "--model", quoted),
            forge("providers", "--check", "mine"),
            forge("runs", "--json"),
        ]
    shown = [text for run in done for text in (run.out.decode(), run.err)]
    assert not [text for text in shown if quoted in text]
    assert [run.code for run in done] == [3, 2, 4, 0, 0]
    assert "***" in done[1].err
    assert "model ***" in done[2].out.decode()
    assert '"--prefix", "***"' in done[4].out.decode()


def test_a_wrong_table_is_told_whoever_answers(isolated: Path) -> None:
    """As any other mistake in a settings file."""
    (isolated / "forge.toml").write_text("[providers.openai]\nmodle = 1")
    tickets(isolated / "in.csv", "hello")
    done = forge("classify", "in.csv")
    assert (done.code, "[providers.openai] in forge.toml: unknown key 'modle'" in done.err) == (
        2,
        True,
    )
    doctor = forge("doctor")
    assert doctor.code == 2
    assert "fail  settings: [providers.openai] in forge.toml: unknown key" in doctor.out.decode()


def test_a_code_of_ones_own_stops_the_run(isolated: Path) -> None:
    """A gateway that says 400 when its budget is used up is not asked for every ticket."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(100)))
    spent = error(400, "budget_exceeded")
    with ScriptedServer(lambda *_: spent) as server:
        more = 'requires_key = false\nfatal_codes = ["budget_exceeded"]'
        own_file(isolated, table(server, more))
        done = forge("classify", "in.csv", "--provider", "mine", "--concurrency", "1")
        assert (done.code, len(server.requests)) == (4, 1)
    assert "the provider refuses all requests" in done.last


def test_doctor_says_where_a_provider_comes_from(isolated: Path) -> None:
    """The file, for those that are not as packaged."""
    with ScriptedServer(lambda *_: completion({"ok": True})) as server:
        path = own_file(isolated, table(server, "requires_key = false"))
        shown = forge("doctor", "--provider", "mine").out.decode()
    assert f"ok    provider: mine (from {path}), model m\n" in shown
    assert f"; [providers.mine] in {path}\n" in shown
    assert "ok    key: none (this provider takes none), and none was asked for\n" in shown


# --- Only some models


@pytest.mark.parametrize(
    ("user", "flags", "refused"),
    [
        ("['openai/gpt-4.1*']", {"provider": "openai", "model": "gpt-4.1-mini"}, ""),
        ("['openai/gpt-4.1*']", {"provider": "openai", "model": "gpt-5"}, "openai/gpt-5"),
        ("['sarvam/sarvam-105b']", {"provider": "sarvam"}, ""),
        ("['sarvam/other']", {"provider": "SARVAM"}, "sarvam/sarvam-105b"),
        ("['openai/*']", {}, "local/local-baseline"),
        ("['local/*']", {}, ""),
        ("['openai/*']", {"provider": "simulated"}, "simulated/simulated"),
        ("['simulated/*']", {"provider": "simulated"}, ""),
        # A flag narrows, and never widens.
        ("['openai/gpt-4.1*']", {"allow_models": ["*"], "model": "gpt-5"}, "openai/gpt-5"),
        ("['openai/*']", {"allow_models": ["gpt-4.1"], "model": "gpt-5"}, "openai/gpt-5"),
        ("['openai/*']", {"allow_models": ["gpt-5"], "model": "gpt-5"}, ""),
        # Others say that these are wrong.
        ("['openai/*']", {"provider": "openia", "model": "m"}, "unknown provider"),
        ("['openai/*']", {"provider": "openai"}, "has no default model"),
    ],
)
def test_only_what_is_on_every_list_is_asked(
    tmp_path: Path, user: str, flags: dict[str, Any], refused: str
) -> None:
    """By the name that is asked for, the preset's default included."""
    path = tmp_path / "forge.toml"
    path.write_text(f"allow_models = {user}")
    if "model" in flags:
        flags = {"provider": "openai", **flags}
    loaded = load_settings(flags, environ={}, user_file=path)
    keys = {"OPENAI_API_KEY": "k", "SARVAM_API_KEY": "k"}
    if not refused:
        assert open_answering(loaded, BUILT_IN, keys).name
        return
    with pytest.raises(SettingsError, match=refused) as caught:
        open_answering(loaded, BUILT_IN, keys)
    if "/" in refused:
        place = "--allow-models" if flags.get("allow_models") == ["gpt-4.1"] else f"{path}: allow"
        assert str(caught.value).startswith(f"{refused} may not be asked: {place}")


def test_the_fallback_is_on_the_list_too() -> None:
    """Its model is asked as well, only later."""
    flags = {"provider": "vllm", "model": "a", "fallback_model": "b"}
    loaded = load_settings({**flags, "allow_models": ["vllm/a"]}, environ={})
    assert open_answering(loaded, BUILT_IN, {}).name == "vllm"
    with pytest.raises(SettingsError) as caught:
        open_fallback(loaded, BUILT_IN, {})
    assert str(caught.value) == (
        "vllm/b may not be asked: --allow-models permits only vllm/a; choose another model, or "
        "change that list"
    )


def test_a_refused_model_is_not_even_connected_to(isolated: Path) -> None:
    """Exit 2, the setting, where it was set, what is permitted, and silence on the wire."""
    path = own_file(isolated, 'allow_models = ["vllm/good", "sarvam/*"]')
    (isolated / "forge.toml").write_text('allow_models = ["*"]')
    tickets(isolated / "in.csv", "hello")
    with ScriptedServer(always_good) as server:
        where = ("--provider", "vllm", "--base-url", server.url)
        done = forge("classify", "in.csv", *where, "--model", "bad", "--allow-models", "*")
        assert (done.code, server.connections) == (2, 0)
        assert done.err == (
            f"forge: error: vllm/bad may not be asked: {path}: allow_models permits only "
            "vllm/good, sarvam/*; choose another model, or change that list\n"
        )
        shown = forge("doctor", *where, "--model", "bad")
        assert (shown.code, server.connections) == (2, 0)
        found = f"fail  model: vllm/bad may not be asked: {path}: allow_models permits only "
        assert found in shown.out.decode()
        assert forge("classify", "in.csv", *where, "--model", "good").code == 0
        assert len(server.requests) == 1

"""`forge providers`: table, long form, JSON, terminals of any width."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from running import CANARY, forge, shell
from servers import Reply, ScriptedServer
from terminal import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

MODELS = Reply(body={"data": [{"id": "m 1"}]})


@pytest.fixture(autouse=True)
def _nobody_else(isolated: Path) -> None:
    """Point the packaged local servers at a port where nobody is."""
    text = "".join(
        f'[providers.{name}]\nbase_url = "http://127.0.0.1:9/v1"\n'
        for name in ("ollama", "vllm", "llamacpp")
    )
    path = isolated.parent / "home/.config/inference-forge/forge.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_a_line_each_in_a_pipe(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All columns whatever the width, on stdout; what to type next on stderr; exit 0."""
    monkeypatch.setenv("SARVAM_API_KEY", CANARY)
    monkeypatch.setenv("COLUMNS", "20")
    done = forge("providers")
    heading, *lines = done.out.decode().splitlines()
    assert re.split(r" {2,}", heading) == [
        "PROVIDER", "READY", "WHY", "MODEL", "ADDRESS", "KEY", "FORM", "PRICE", "LIMITS", "WIRE",
        "SOURCE",
    ]  # fmt: skip
    cells = {line.split()[0]: re.split(r" {2,}", line) for line in lines}
    assert len(lines) == 13
    assert cells["sarvam"] == [
        "sarvam", "yes", "SARVAM_API_KEY is set; not tried", "sarvam-105b",
        "https://api.sarvam.ai/v1", "SARVAM_API_KEY", "json_schema", "known", "10,000 rpm",
        "openai", "packaged",
    ]  # fmt: skip
    assert cells["openai"][1:4] == ["no", "OPENAI_API_KEY is not set", "none: --model"]
    assert cells["vllm"][1:3] == ["no", "nobody answers (connect_error)"]
    assert cells["vllm"][-1].startswith("packaged, changed by /")
    assert done.code == 0
    assert done.lines == [
        "try: forge classify tickets.csv",
        "try: forge classify tickets.csv --provider simulated --simulation latency=0.2,rpm=3000",
        "try: forge classify tickets.csv --provider sarvam",
    ]
    assert CANARY not in done.out.decode() + done.err
    assert not list(isolated.iterdir())


def test_names_are_shown_in_full(isolated: Path) -> None:
    """Every fact on a line, models served and priced too."""
    with ScriptedServer(lambda *_: MODELS) as server:
        text = f'[providers.mine]\nbase_url = "{server.url}"\nrequires_key = false\nrpm = 5\ntpm=6'
        (isolated / "forge.toml").write_text(text)
        done = forge("providers", "mine", "sarvam")
    mine, sarvam = done.out.decode().split("\n\n")
    assert dict(line.split(maxsplit=1) for line in mine.splitlines()) == {
        "provider": "mine",
        "ready": "yes",
        "why": "answers, 1 model",
        "model": "none: --model",
        "address": server.url,
        "key": "-",
        "form": "json_schema",
        "price": "unknown",
        "limits": "5 rpm, 6 tpm",
        "wire": "openai",
        "source": "from forge.toml",
        "serves": "m 1",
    }
    assert "key         SARVAM_API_KEY (not set)\n" in sarvam
    assert "priced      sarvam-105b\n" in sarvam
    assert done.lines == ["try: forge classify tickets.csv --provider mine --model 'm 1'"]


def test_json_has_all_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object a line, for scripts; stderr is quiet."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    done = forge("providers", "--json", "--no-check")
    rows = {row["name"]: row for row in map(json.loads, done.out.splitlines())}
    assert (done.code, done.err, len(rows)) == (0, "", 13)
    assert set(rows["openai"]) == {
        "name", "is_ready", "said", "key_env", "is_key_set", "requires_key", "default_model",
        "structured", "wire", "base_url",
        "advice", "rpm", "tpm", "is_free", "priced_models", "source",
        "was_asked", "models", "example",
    }  # fmt: skip
    assert (rows["openai"]["is_ready"], rows["openai"]["is_key_set"]) == (True, True)
    assert (rows["vllm"]["is_ready"], rows["local"]["key_env"]) == (None, None)
    assert CANARY.encode() not in done.out


def test_an_unknown_name_is_an_error() -> None:
    """With the nearest, and exit 2."""
    done = forge("providers", "opnai")
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith(
        "forge: error: unknown provider 'opnai': did you mean 'openai'? Known: local, simulated, "
    )


def test_what_may_be_asked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a list permits some models only."""
    monkeypatch.setenv("FORGE_ALLOW_MODELS", "local/*,mine")
    done = forge("providers", "local")
    assert done.lines[-1] == "FORGE_ALLOW_MODELS permits only local/*, mine"


@pytest.mark.parametrize("columns", [400, 130, 80, 60, 40])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    """Columns go, the least important first; where none can go, each is two lines."""
    code, shown = on_terminal("providers", columns=columns, with_stdout=True)
    lines = [line for line in shown.splitlines() if "forge: " not in line]
    assert code == 0
    table = [line for line in lines if re.match(r"PROVIDER|openai|  OPENAI", line)]
    if columns == 40:
        assert table == ["openai: no", "  OPENAI_API_KEY is not set"]
        return
    assert max(map(len, lines)) <= columns
    assert table[0].startswith("PROVIDER")
    assert table[1].split()[:2] == ["openai", "no"]
    assert ("SOURCE" in table[0]) == (columns == 400)
    assert ("MODEL" in table[0]) == (columns > 60)


def test_a_reader_that_leaves_is_no_error() -> None:
    """`forge providers | head` is quiet."""
    done = shell("$FORGE providers | head -n 1; exit ${PIPESTATUS[0]}")
    assert done.code in (0, 141)
    assert "error" not in done.err


def test_settings_that_cannot_be_read_are_an_error(isolated: Path) -> None:
    """As for every other command."""
    (isolated / "forge.toml").write_text("[providers.x]\nbase_urk = 1")
    done = forge("providers")
    assert (done.code, "unknown key 'base_urk'; did you mean 'base_url'?" in done.err) == (2, True)

"""`forge doctor`: lines, JSON, exit codes."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
import typer
from running import CANARY
from servers import ScriptedServer, completion, error
from typer.testing import CliRunner

from inference_forge.cli.doctor import doctor
from inference_forge.cli.streams import _encodable

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

LINE = re.compile(r"(ok|warn|fail) +[a-z ]+: .+")


def run(*arguments: str) -> Result:
    """Run the command by itself."""
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(doctor)
    return CliRunner().invoke(app, arguments)


def test_a_line_a_check() -> None:
    """All on stdout, nothing on stderr, exit 0 on a sound machine without a provider."""
    done = run()
    assert (done.exit_code, done.stderr) == (0, "")
    assert all(LINE.fullmatch(line) for line in done.stdout.splitlines())
    assert "ok    provider: local: labels come from the built-in baseline" in done.stdout


def test_one_call_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider is asked once; its key is nowhere to be seen."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with ScriptedServer(lambda *_: completion({"ok": True})) as server:
        done = run("--provider", "openai", "--model", "m", "--base-url", server.url)
        assert len(server.requests) == 1
    assert done.exit_code == 0
    assert "ok    key: from OPENAI_API_KEY, accepted\n" in done.stdout
    assert "not checked: clock\n" in done.stdout
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("code", [401, 503])
def test_a_failure_decides_about_the_exit_code(code: int) -> None:
    """4 when refused, 75 when not reachable now."""
    with ScriptedServer(lambda *_: error(code)) as server:
        done = run("--provider", "vllm", "--model", "m", "--base-url", server.url)
    assert done.exit_code == {401: 4, 503: 75}[code]
    assert "\nfail  " in done.stdout


def test_json_is_one_object(isolated: Path) -> None:
    """Names, states, findings and fixes, in ASCII, and the exit code of the process."""
    (isolated / "forge.toml").write_text("modél = 1", encoding="utf-8")
    done = run("--json")
    report = json.loads(done.stdout)
    assert done.stdout.isascii()
    assert (done.exit_code, report["exit_code"]) == (2, 2)
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["settings"]["status"] == "fail"
    assert checks["versions"]["fix"] is None
    assert "key" in report["not_checked"]


def test_offline_asks_nobody() -> None:
    """--offline leaves the provider alone."""
    with ScriptedServer(lambda *_: completion({"ok": True})) as server:
        done = run("--offline", "--provider", "vllm", "--model", "m", "--base-url", server.url)
        assert server.connections == 0
    assert (done.exit_code, "not asked (--offline)" in done.stdout) == (0, True)


def test_it_knows_a_few_settings() -> None:
    """Those that it looks at, each with default and variable."""
    shown = run("--help").stdout
    options = {"--provider", "--model", "--base-url", "--taxonomy", "--concurrency", "--timeout"}
    assert options | {"--cache-dir", "--offline", "--json"} <= set(re.findall(r"--[a-z-]+", shown))
    assert "--output" not in shown


def test_a_locale_that_cannot_write_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stdout cannot encode is escaped; a closed stdout is no reason to fail either."""
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(doctor)
    done = CliRunner(charset="ascii").invoke(app, ["--provider", "naïve"])
    assert (done.exit_code, r"unknown provider 'na\xefve'" in done.stdout) == (2, True)

    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Ascii())
    assert _encodable("naïve") == r"na\xefve"
    monkeypatch.setattr(sys, "stdout", None)
    assert _encodable("naïve") == "naïve"

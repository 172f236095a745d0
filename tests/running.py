"""Running `forge` in tests: in this process, which is fast, or as a process of its own."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import orjson
import pytest
from invariants import assert_rows_add_up
from servers import Reply, completion

from inference_forge.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CANARY = "sk-canary-7f3a"
"""An API key that no output may contain."""

BUG = 1
"""The exit code of an internal error."""

GOOD = {"category": "billing", "priority": "low", "summary": "one line"}
_FOREIGN = ("FORGE_", "XDG_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")


@dataclass(frozen=True, slots=True)
class Done:
    """A finished run; `code` is what the shell would see."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on stderr without the summary's and `forge: ` before them."""
        return [line.removeprefix("forge: ") for line in self.err.splitlines()]

    @property
    def last(self) -> str:
        """The last line on stderr."""
        return self.err.rstrip("\n").rpartition("\n")[2]

    @property
    def summary(self) -> dict[str, str]:
        """The final summary by name."""
        names = ("rows", "classified", "failed", "cache hits", "coalesced", "complexity")
        more = (
            "prepared",
            "requests",
            "endpoints",
            "tokens",
            "cost",
            "unsettled",
            "latency",
            "provider",
            "time",
        )
        files = ("results", "failures", "pending", "partial")
        pairs = (line.partition("  ") for line in self.lines)
        return {k: v.strip() for k, _, v in pairs if k in names + more + files}


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a home and a current directory of its own; returns the latter."""
    for name in list(os.environ):
        is_secret = name.endswith(("_API_KEY", "_TOKEN")) or name.lower().endswith("_proxy")
        if is_secret or name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(work)
    return work


def forge(*args: object, stdin: bytes = b"") -> Done:
    """Run the command line in this process."""
    out, err = io.BytesIO(), io.BytesIO()
    code = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(sys, "argv", ["forge", *map(str, args)]))
        stack.enter_context(mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))))
        stack.enter_context(contextlib.redirect_stdout(io.TextIOWrapper(out, write_through=True)))
        stack.enter_context(contextlib.redirect_stderr(io.TextIOWrapper(err, write_through=True)))
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        done = Done(code, out.getvalue(), err.getvalue().decode())
    return counted(done, args)


def counted(done: Done, args: Sequence[object]) -> Done:
    """Return a run, its rows counted if it was one of `classify` that nothing is wrong with."""
    if "classify" in args[:2] and done.code != BUG:
        assert "--debug" in args or "Traceback (most" not in done.err, done.err
        assert_rows_add_up(done.code, done.out, done.err)
    return done


def command(*args: object) -> list[str]:
    """Return the command line of a process."""
    return [sys.executable, "-m", "inference_forge", *map(str, args)]


def spawn(*args: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start `forge` with both outputs piped unless `options` say otherwise."""
    pipes: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    return subprocess.Popen(command(*args), **(pipes | options))


def forge_process(*args: object, stdin: bytes = b"", **options: Any) -> Done:
    """Run `forge` as a process; the code is 128+N after a signal."""
    process = spawn(*args, **({"stdin": subprocess.PIPE} | options))
    return counted(finish(process, stdin), args)


def shell(script: str, env: Mapping[str, str] | None = None) -> Done:
    """Run a bash script in which `$FORGE` starts forge; for redirections and pipes."""
    variables = {**os.environ, **(env or {}), "FORGE": f"{sys.executable} -m inference_forge"}
    done = subprocess.run(
        ["bash", "-c", script], env=variables, capture_output=True, check=False, timeout=30
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


def finish(process: subprocess.Popen[bytes], stdin: bytes = b"") -> Done:
    """Wait for a process started by `spawn`."""
    out, err = process.communicate(stdin if process.stdin else None, timeout=30)
    code = process.returncode
    return Done(128 - code if code < 0 else code, out or b"", (err or b"").decode())


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a table with the keys of the first row as its header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def tickets(path: Path, *texts: str) -> Path:
    """Write a CSV of tickets with ids from T-1."""
    rows = [{"id": f"T-{n}", "text": text} for n, text in enumerate(texts, start=1)]
    return write_csv(path, rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def read_jsonl(data: bytes) -> list[dict[str, Any]]:
    """Return the objects, one a line."""
    return [orjson.loads(line) for line in data.splitlines()]


def ticket_in(body: Any) -> str:
    """Return the ticket's text in a request's body, its fence taken off."""
    lines: list[str] = body["messages"][1]["content"].split("\n")
    return "\n".join(lines[1:-1])


def always_good(_number: int, _body: Any) -> Reply:
    """Answer every ticket alike (a script for the server)."""
    return completion(GOOD)

"""What a shell is told that completes a command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
import typer
from running import isolated

from inference_forge.adapters.providers.presets import load_presets
from inference_forge.adapters.sources.opening import InputFormat
from inference_forge.cli.completion import FORMATS, SHAPES, Asked, candidates
from inference_forge.cli.main import app
from inference_forge.core.bench.cells import Shape

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["isolated"]

FORGE: Final = (sys.executable, "-m", "inference_forge")
SLOW: Final = ("anyio", "diskcache", "httpx", "orjson", "rich", "inference_forge.app")


def told(*words: str) -> list[str]:
    """Return what may stand where the last word is."""
    root = typer.main.get_command(app)
    return [each.text for each in candidates(root, Asked(words[:-1], words[-1]))]


def asked(shell: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run forge as a shell does that completes a line."""
    env = {**os.environ, "_FORGE_COMPLETE": f"complete_{shell}", **environ}
    return subprocess.run(FORGE, capture_output=True, text=True, check=False, env=env)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cl"], ["classify"]),
        (["--deb"], ["--debug"]),
        (["--debug", "cl"], ["classify"]),
        (["cache", ""], ["stats", "clear", "prune", "reparse"]),
        (["cache", "prune", "--ol"], ["--older-than"]),
        (["classify", "--pro"], ["--provider", "--progress"]),
        (["classify", "in.csv", "--provider", "si"], ["simulated"]),
        (["classify", "--provider=sa"], ["--provider=sarvam"]),
        (["classify", "--on-long", ""], ["fail", "truncate"]),
        (["classify", "--on-long", "fail", "--on-l"], []),
        (["classify", "--keep", "a", "--kee"], ["--keep", "--keep-reasoning"]),
        (["classify", "--redact", "em"], ["email"]),
        (["classify", "--redact", "email,p"], ["email,phone"]),
        (["classify", "--redact", "email,"], ["email,phone", "email,card", "email,key"]),
        (["classify", "--", "--pro"], []),
        (["classify", "--redact=email,k"], ["--redact=email,key"]),
        (["bench", "--shape", "la"], ["ladder"]),
        (["eval", "--match", "r"], ["row"]),
        (["schema", ""], ["events", "summary"]),
        (["schema", "events", ""], []),
        (["providers", "ollama", "op"], ["openai", "openrouter"]),
        (["simulate", "--retry-after", "s"], ["seconds"]),
        (["classify", "--no-c"], ["--no-cache"]),
        (["runs", "d"], ["diff"]),
    ],
)
def test_what_may_stand_there(words: list[str], expected: list[str]) -> None:
    """Commands, options that were not given yet, and values that are a list."""
    assert told(*words) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["classify", "tick"],
        ["classify", "--taxonomy", ""],
        ["classify", "--taxonomy=s"],
        ["classify", "--nonsense=s"],
        ["classify", "-"],
        ["cache", "stats", ""],
        ["nonsense", ""],
        ["runs", "20260901", ""],
    ],
)
def test_names_of_files_are_left_to_the_shell(words: list[str]) -> None:
    """Nothing is said where a file or free text may stand; `-` begins an option, if anything."""
    assert [each for each in told(*words) if not each.startswith("--")] == []


def test_lists_that_are_kept_here_are_whole() -> None:
    """Loading them from where they belong would take longer than all the rest."""
    assert {*FORMATS, "ndjson"} == {*InputFormat, "xlsx", "parquet"}
    assert (*Shape, "all") == SHAPES
    assert set(load_presets()) < set(told("classify", "--provider", ""))


def test_bash_is_told_values() -> None:
    """A line each; of `--redact=em`, which bash cuts at `=`, only what stands behind it."""
    line = "forge\nclassify\n--redact\n=\nem"
    done = asked("bash", COMP_WORDS=line, COMP_CWORD="4")
    assert (done.returncode, done.stdout, done.stderr) == (0, "email\n", "")
    done = asked("bash", COMP_WORDS="forge\nclassify\n--pr\nx.csv", COMP_CWORD="2")
    assert done.stdout.splitlines() == [
        "--prefix", "--provider", "--price-in", "--price-out", "--price-currency", "--progress",
    ]  # fmt: skip
    assert asked("bash", COMP_WORDS="forge", COMP_CWORD="0").stdout.startswith("classify\n")


def test_fish_is_told_values_and_what_they_mean() -> None:
    """And by the exit code whether there are any, or files are to be shown."""
    done = asked("fish", _TYPER_COMPLETE_ARGS="forge cache 'pru")
    assert done.stdout == "prune\tDelete answers older than a given age.\n"
    done = asked("fish", _TYPER_COMPLETE_ARGS="forge classify --clean ")
    assert done.stdout == "html\nquotes\nsignature\n"
    for line, code in (("forge classify --on-long ", 0), ("forge classify ", 1)):
        done = asked("fish", _TYPER_COMPLETE_ARGS=line, _TYPER_COMPLETE_FISH_ACTION="is-args")
        assert (done.returncode, done.stdout) == (code, "")


def test_zsh_is_told_what_to_run() -> None:
    """Quoted, because it is run: a colon parts value and meaning."""
    done = asked("zsh", _TYPER_COMPLETE_ARGS="forge classify --grac")
    assert done.stdout == (
        "local -a found; found=('--grace:Time to finish requests after Ctrl-C.'); "
        "_describe -V forge found\n"
    )
    done = asked("zsh", _TYPER_COMPLETE_ARGS="forge classify --on-long f")
    assert "found=(fail);" in done.stdout
    assert asked("zsh", _TYPER_COMPLETE_ARGS="forge classify ").stdout == "_files\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for(shell: str) -> None:
    """What packages install: `_FORGE_COMPLETE=source_zsh forge`."""
    env = {**os.environ, "_FORGE_COMPLETE": f"source_{shell}"}
    done = subprocess.run(FORGE, capture_output=True, text=True, check=True, env=env)
    assert f"complete_{shell}" in done.stdout


def test_completing_loads_nothing_slow() -> None:
    """Somebody waits with a finger on the key."""
    code = (
        "import sys, typer; from inference_forge.cli.main import app;"
        "from inference_forge.cli.completion import answer;"
        "answer(typer.main.get_command(app), {'_FORGE_COMPLETE': 'complete_zsh',"
        " '_TYPER_COMPLETE_ARGS': 'forge classify --provider s'});"
        "print(*sys.modules)"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    assert set(done.stdout.split()).isdisjoint(SLOW)


def in_shell(shell: str, home: Path, script: str) -> str:
    """Return what a real shell prints that has the script for completion and finds forge."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    program = home / "bin" / "forge"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m inference_forge "$@"\n')
    program.chmod(0o755)
    env = {**os.environ, "HOME": str(home), "PATH": f"{program.parent}:/usr/bin:/bin"}
    done = subprocess.run([path, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stderr == ""
    return done.stdout


def test_in_bash(isolated: Path) -> None:
    """The function that `complete -F` names fills in what bash shows."""
    script = """
source <(_FORGE_COMPLETE=source_bash forge)
COMP_WORDS=(forge classify in.csv --on-long tr); COMP_CWORD=4
_forge_completion forge
echo "${COMPREPLY[@]}"; complete -p forge
"""
    assert in_shell("bash", isolated, script).splitlines() == [
        "truncate", "complete -o default -F _forge_completion forge",
    ]  # fmt: skip


def test_in_fish(isolated: Path) -> None:
    """Fish says itself what it would show, files included."""
    (isolated / "tickets.csv").touch()
    script = """
_FORGE_COMPLETE=source_fish forge | source
complete -C 'forge classify --on-long '; echo then; complete -C 'forge classify tick'
"""
    shown = in_shell("fish", isolated, script)
    assert shown.split() == ["fail", "truncate", "then", "tickets.csv"]


def test_in_zsh(isolated: Path) -> None:
    """The code that zsh is given sets the values and their meanings."""
    script = """
_describe() { print -l -- $found }
autoload() { }
compdef() { }
source <(_FORGE_COMPLETE=source_zsh forge)
words=(forge runs di); CURRENT=3
_forge_completion
"""
    shown = in_shell("zsh", isolated, script)
    assert shown == "diff:Show what two runs have apart.\n"

"""--help, --version, and what options are made from."""

from __future__ import annotations

import re

import pytest
from running import forge

from inference_forge.cli.options import flag_of, settings_table, with_settings
from inference_forge.settings import specs
from inference_forge.version import version

COMMANDS = (
    (),
    ("classify",),
    ("doctor",),
    ("eval",),
    ("runs",),
    ("schema",),
    ("simulate",),
    ("tune",),
    ("cache",),
    ("cache", "stats"),
    ("cache", "clear"),
    ("cache", "prune"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help(command: tuple[str, ...], flag: str) -> None:
    """On stdout, exit 0, with a sentence about what it does."""
    done = forge(*command, flag)
    assert (done.code, done.err) == (0, "")
    usage, _, about = done.out.decode().partition("\n\n")
    assert usage.startswith(" ".join(("Usage: forge", *command)))
    assert re.match(r"  [A-Z]\w+ .*\w\.?\n", about)


def test_help_shows_each_default_and_variable() -> None:
    """Every setting is there with its flag, default and FORGE_ variable."""
    shown = " ".join(forge("classify", "--help").out.decode().split())
    assert ".csv .tsv .jsonl .ndjson .json, each also .gz; .xlsx .parquet; - is stdin." in shown
    for spec in specs():
        assert spec.doc.text in shown
        assert f"env: {spec.variable}]" in shown
        assert all(name in shown for flag in flag_of(spec) for name in flag.split("/"))


def test_version_says_what_it_runs_on() -> None:
    """What a bug report needs, on one line."""
    done = forge("--version")
    assert done.code == 0
    assert re.fullmatch(
        rf"forge {re.escape(version())} \(Python 3\.\d+\.\d+\S*, SQLite [\d.]+, \w+ \w+\)\n",
        done.out.decode(),
    )


def test_the_settings_table_has_a_row_for_each() -> None:
    """Groups are named once; pipes are escaped, so that the table stays one."""
    lines = settings_table().splitlines()
    assert len(lines) == 2 + len(specs())
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in lines)
    assert sum(not line.startswith("|  |") for line in lines[2:]) == 9


def test_a_command_can_offer_a_few_settings() -> None:
    """Only the named settings become options; what was not given is left out."""
    seen: dict[str, object] = {}

    def command(name: str, flags: dict[str, object]) -> None:
        seen.update(flags, name=name)

    wrapped = with_settings(command, "model", "quiet")
    wrapped(name="x", model=None, quiet=True)
    assert seen == {"name": "x", "quiet": True}


@pytest.mark.parametrize("command", ["tune", "bench"])
def test_a_measurement_offers_nothing_that_it_does_not_do(command: str) -> None:
    """It writes no results, no log and no events."""
    shown = forge(command, "--help").out.decode()
    for option in ("--events", "--metrics", "--ping", "--summary-json", "--log-file", "--output"):
        assert option not in shown

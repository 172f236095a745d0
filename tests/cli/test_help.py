"""--help, --version, and what options are made from."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import typer
from command_tree import Found, every_command
from running import forge
from terminal import COLOURS, on_terminal

from inference_forge.cli.examples import EXAMPLES
from inference_forge.cli.help_pages import FRAME_COLUMNS, INDENT, LEAST_FRAME_COLUMNS
from inference_forge.cli.main import app
from inference_forge.cli.options import flag_of, settings_table, with_settings
from inference_forge.settings import load_settings, specs
from inference_forge.version import version

if TYPE_CHECKING:
    from pathlib import Path

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
    ("version",),
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
    """It writes no results and no events; what it says can go into a log."""
    shown = forge(command, "--help").out.decode()
    for option in ("--events", "--metrics", "--ping", "--summary-json", "--output"):
        assert option not in shown
    for option in ("--log-format", "--log-level", "--log-file"):
        assert option in shown


EVERY = tuple(every_command())


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.path or "forge")
def test_every_command_has_examples(found: Found) -> None:
    """Two to five of them, the last thing that is read, and short enough for a frame."""
    examples = EXAMPLES[found.path]
    assert 2 <= len(examples) <= 5
    shown = forge(*found.path.split(), "--help").out.decode().partition("\nExamples:\n")[2]
    assert shown.split("\n\n") == [
        f"  {purpose}:\n    {line}" + ("\n" if (purpose, line) == examples[-1] else "")
        for purpose, line in examples
    ]
    assert max(len(line) for _, line in examples) <= LEAST_FRAME_COLUMNS - FRAME_COLUMNS - INDENT
    assert all(
        line.startswith(f"forge {found.path}".strip()) or not found.path for _, line in examples
    )


def test_there_are_examples_of_real_commands_only() -> None:
    """None is left of a command that went."""
    assert set(EXAMPLES) == {found.path for found in EVERY}


@pytest.mark.parametrize(
    "line", sorted({line for examples in EXAMPLES.values() for _, line in examples})
)
def test_examples_are_valid(line: str, tmp_path: Path) -> None:
    """The parser takes each, and of a run so do the settings."""
    given = parsed(line)
    if line.startswith("forge classify "):
        flags = {spec.attribute: given[spec.attribute] for spec in specs()}
        no_file = tmp_path / "forge.toml"
        load_settings(
            {name: value for name, value in flags.items() if value},
            environ={},
            project_file=no_file,
            user_file=no_file,
        )


def test_an_invalid_example_would_be_seen() -> None:
    """The test above is about something."""
    with pytest.raises(typer.BadParameter.__mro__[1], match="--gould"):
        parsed("forge eval tickets.results.csv --gould gold.csv")


def test_options_stand_under_headings() -> None:
    """Each group of settings has its own."""
    shown = forge("classify", "--help").out.decode()
    headings = re.findall(r"^(\w[\w ]*):$", shown, re.MULTILINE)
    groups = list(dict.fromkeys(spec.doc.group for spec in specs()))
    assert headings == ["Arguments", "Options", *groups, "Examples"]
    assert "<list[str]>" not in shown


@pytest.mark.parametrize("found", EVERY, ids=lambda found: found.path or "forge")
def test_help_in_a_pipe_is_plain_text(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame, no control character, and nothing wider than 80 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = forge(*found.path.split(), "--help").out.decode()
    assert shown.isascii()
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", shown) is None
    assert max(map(len, shown.splitlines())) <= 80


def test_help_on_a_terminal_has_frames() -> None:
    """One for each heading, whole, and as wide as the terminal, up to 100 columns."""
    for columns, width in ((80, 78), (200, 98)):
        _, shown = on_terminal("classify", "--help", columns=columns, with_stdout=True)
        lines = [line for line in COLOURS.sub("", shown).splitlines() if re.match("[╭│╰]", line)]
        assert {len(line) for line in lines} == {width}
        assert sum(line.startswith("╭─ ") for line in lines) == 12
        assert "\x1b[1m--provider TEXT\x1b[0m" in shown


@pytest.mark.parametrize(
    ("environ", "columns", "is_framed"),
    [({"NO_COLOR": "1"}, 80, True), ({"TERM": "dumb"}, 80, False), ({}, 60, False)],
)
def test_terminals_that_want_less_get_less(
    environ: dict[str, str], columns: int, *, is_framed: bool
) -> None:
    """No colour where none is wanted, no frame where it could not be drawn."""
    _, shown = on_terminal("cache", "-h", columns=columns, environ=environ, with_stdout=True)
    assert ("╭─ Commands " in COLOURS.sub("", shown)) == is_framed
    assert COLOURS.search(shown) is None


def test_a_terminal_without_unicode_has_no_frames() -> None:
    """ASCII is enough to be read."""
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    _, shown = on_terminal("cache", "--help", environ=environ, with_stdout=True)
    assert shown.isascii()
    assert "\x1b" not in shown


def test_help_for_want_of_arguments_is_whole() -> None:
    """On a terminal it is the same page, without an escape that was made harmless."""
    code, shown = on_terminal("report", with_stdout=True)
    assert code == 2
    assert "forge report events.ndjson -o report.html" in shown
    assert "\ufffd" not in shown


def parsed(line: str) -> dict[str, Any]:
    """Return what the parser makes of a command line, up to where the shell redirects it."""
    name, *words = itertools.takewhile(lambda word: word not in {"<", ">", "|"}, shlex.split(line))
    command: Any = typer.main.get_command(app)
    context = None
    while True:
        context = command.make_context(name, words, parent=context)
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if not rest:
            return dict(context.params)
        name, command, words = command.resolve_command(context, rest)

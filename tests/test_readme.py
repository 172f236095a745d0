"""What README and docs/ say is so: commands, options, settings, the line that runs the tests."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest
from pages import ALL, PAGES, README, ROOT, commands, shell_lines
from reference import by_hand
from running import forge, isolated, shell
from typer.testing import CliRunner

from inference_forge.adapters.providers.presets import load_presets
from inference_forge.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["isolated"]

LISTS = ("docs/reference/settings.md", "docs/how-to/simulate.md")
"""Pages whose generated tables are what there is to say, one option at a time."""

COMMANDS = {
    "": (
        "classify",
        "doctor",
        "eval",
        "providers",
        "report",
        "runs",
        "schema",
        "simulate",
        "tune",
        "bench",
        "cache",
        "taxonomy",
        "version",
    ),
    "bench": ("compare",),
    "cache": ("stats", "clear", "prune", "reparse"),
    "runs": ("list", "show", "diff", "prune"),
    "taxonomy": ("init", "check", "show"),
}


def help_of(*command: str) -> str:
    """Return the help of a command."""
    return CliRunner().invoke(app, [*command, "--help"]).output


def test_the_commands_are_the_known_ones() -> None:
    """A new command must come into the list here, and so into the tests below."""
    for group, names in COMMANDS.items():
        listed = help_of(*group.split()).partition("Commands:\n")[2].partition("\n\n")[0]
        assert tuple(re.findall(r"^  (\w+)", listed, re.MULTILINE)) == names


def test_every_command_is_in_the_readme() -> None:
    """Nobody has to guess what there is: the README names all, the pages their sub-commands."""
    for group, names in COMMANDS.items():
        for command in names:
            page = ALL if group else README
            assert re.search(rf"forge {group} ?{command}".replace("  ", " "), page), command


def test_every_command_named_in_the_docs_exists() -> None:
    """No page promises a command that is not there."""
    docs = ALL + (ROOT / "examples/README.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`| |/)forge ([a-z]+)(?= [-a-z/]|`)", docs, re.MULTILINE)
    assert {"classify", "cache"} <= set(named)
    code = set(re.findall(r"`forge ([a-z]+)", docs)) | {
        line.split()[1] for line in shell_lines(docs) if re.match(r"forge [a-z]", line)
    }
    assert code <= set(COMMANDS[""])


@pytest.mark.parametrize(
    "command",
    [
        "",
        *COMMANDS[""],
        *(
            f"{group} {name}"
            for group in ("bench", "cache", "runs", "taxonomy")
            for name in COMMANDS[group]
        ),
    ],
)
def test_every_option_is_on_a_page(command: str) -> None:
    """A flag that is documented nowhere is a flag that nobody uses; a generated list is no help."""
    pages = "\n".join(page if name in LISTS else by_hand(page) for name, page in PAGES.items())
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", help_of(*command.split())))
    missing = {
        option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", pages)
    }
    assert missing == set()


def test_every_provider_is_on_its_page() -> None:
    """Name, variable, address and default model stand in one row each."""
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in PAGES["docs/reference/providers.md"].splitlines()
        if line.startswith("| ")
    ]
    for preset in load_presets().values():
        row = next((row for row in rows if row[0] == preset.name), [])
        facts = {preset.key_env, preset.base_url, preset.default_model or ""}
        assert all(any(fact in cell for cell in row) for fact in facts), preset.name


def test_no_placeholder_is_left() -> None:
    """Every @@NAME@@ was filled in."""
    assert re.findall(r"@@\w+@@", ALL) == []


def test_the_line_that_runs_the_tests_is_cis() -> None:
    """What the README says under "Run the tests" is what CI runs, word for word."""
    section = README.partition("### Run the tests\n")[2]
    line = re.search(r"```sh\n(.+)\n```", section)
    assert line is not None
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert f"{line[1]} | tee .ci/pytest.log" in ci or line[1] in ci


def test_every_exit_code_is_on_its_page() -> None:
    """The table has a row for each code that the program can end with."""
    page = PAGES["docs/reference/exit-codes.md"]
    rows = re.findall(r"^\| (\d+\S*) \|", page, re.MULTILINE)
    assert rows == ["0", "1", "2", "3", "4", "5", "6", "75", "128+N"]


def offline_commands() -> list[str]:
    """Return the pages' forge commands that need neither network nor key."""
    every = (line for page in PAGES.values() for line in commands(page))
    return list(
        dict.fromkeys(
            line
            for line in every
            if re.match(r"(forge|cat|zcat) ", line) and "--provider" not in line
        )
    )


@pytest.mark.parametrize("line", offline_commands())
def test_the_commands_on_the_pages_run(isolated: Path, line: str) -> None:
    """Each is run as it stands, over the example export."""
    shutil.copytree(ROOT / "examples", isolated / "examples")
    table = (ROOT / "examples/tickets.csv").read_bytes()
    lines = (ROOT / "examples/tickets.jsonl").read_bytes()
    for name in ("tickets.csv", "march.csv", "april.csv"):
        (isolated / name).write_bytes(table)
    (isolated / "tickets.csv.gz").write_bytes(gzip.compress(table))
    (isolated / "tickets.jsonl").write_bytes(lines)
    (isolated / "export.jsonl.gz").write_bytes(gzip.compress(lines))
    if line.startswith("forge report "):
        assert forge("classify", "tickets.csv", "--events", "events.ndjson").code == 0
    if line.startswith("forge eval "):
        gold = (ROOT / "examples/tickets.gold.csv").read_bytes()
        (isolated / "gold.csv").write_bytes(
            gold.replace(b",category,", b",Topic,", "Topic" in line)
        )
        for name in ("tickets.results.csv", "other.results.csv"):
            assert forge("classify", "tickets.csv", "-o", name).code == 0
        assert forge("classify", "examples/tickets.csv").code == 0
    if re.search(r"[|<>]", line):
        if "jq" in line and shutil.which("jq") is None:
            pytest.skip("jq is not installed")
        piped = re.sub(r"\bforge classify", "$FORGE classify", line)
        assert shell(f"set -o pipefail; {piped}").code == 0
        return
    words = shlex.split(line)[1:]
    done = forge(*words, *(["--yes"] if words[:2] == ["cache", "clear"] else []))
    assert (done.code, "error" in done.err) == (0, False)


def test_there_are_commands_to_run() -> None:
    """The test above is not empty by mistake."""
    assert len(offline_commands()) >= 50


def test_the_transcript_is_what_a_run_prints(isolated: Path) -> None:
    """All lines but the times, which differ from machine to machine."""
    block = re.search(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert block is not None
    shutil.copytree(ROOT / "examples", isolated / "examples")
    _, first, second = re.split(r"^\$ .*\n", block[1], flags=re.MULTILINE)
    done = forge("classify", "examples/tickets.csv")
    timed = r"^forge: (latency|time) .*\n"
    printed = re.sub(timed, "", done.err, flags=re.MULTILINE)
    assert re.sub(timed, "", first, flags=re.MULTILINE).strip() == printed.strip()
    results = (isolated / "examples/tickets.results.csv").read_text(encoding="utf-8")
    assert results.startswith(second)

"""The manual: a page for each command, as the code has it, and free of mistakes in roff."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from manual import MANUAL, manual

from inference_forge.cli.commands import ENTRIES
from inference_forge.settings import specs

PAGES = manual()


def test_every_command_has_a_page() -> None:
    """And none is left of one that went."""
    assert set(PAGES) == {"forge.1", *(f"forge-{name}.1" for name in ENTRIES)}
    assert {path.name for path in MANUAL.iterdir()} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_up_to_date(name: str) -> None:
    """Run `python tools/manual.py` when this fails."""
    assert (MANUAL / name).read_text(encoding="utf-8") == PAGES[name]


def test_settings_and_sub_commands_are_described() -> None:
    """Each option once, each sub-command with its own."""
    page = PAGES["forge-classify.1"].replace("\\-", "-")
    assert all(f"env: {spec.variable}]" in page.replace("\n", " ") for spec in specs())
    assert ".SH FORGE CACHE PRUNE\n" in PAGES["forge-cache.1"]
    assert "forge cache prune \\-\\-older\\-than 30d\n" in PAGES["forge-cache.1"]


def test_the_programs_page_has_codes_variables_and_files() -> None:
    """What is not about one command."""
    page = PAGES["forge.1"]
    assert re.findall(r"^\\fB(\d\S*)\\fR$", page, re.MULTILINE) == [
        "0", "1", "2", "3", "4", "5", "6", "75", "128+N",
    ]  # fmt: skip
    assert ".SH ENVIRONMENT\n" in page
    assert "forge.toml\\fR\nSettings of a project.\n" in page


@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_taken_for_a_request(name: str) -> None:
    """Of the lines that begin with a dot or an apostrophe all are ours."""
    requests = re.findall(r"^[.'](\S*)", PAGES[name], re.MULTILINE)
    assert set(requests) <= {
        '\\"', "TH", "SH", "SS", "TP", "PP", "RS", "RE", "EX", "EE", "br", "BR",
    }  # fmt: skip
    assert PAGES[name].isascii()


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
@pytest.mark.parametrize("name", PAGES)
def test_mandoc_finds_nothing_to_complain_of(name: str) -> None:
    """Not even style."""
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wall", MANUAL / name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

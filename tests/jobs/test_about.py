"""What a report of a bug says about an installation."""

from __future__ import annotations

import importlib.metadata
import json
import sqlite3
from pathlib import Path

import pytest
from running import CANARY, forge

import inference_forge
from inference_forge.jobs.about import about
from inference_forge.version import version

VERSIONS = {"here": "1.2", "also": "3.4", "part": "5.6"}
REQUIRES = [
    "here>=1",
    'also<4; python_version > "3.9"',
    'part>=5; extra == "whole"',
    "part>=5; extra == 'half'",
    "gone>=5; extra == 'half'",
    "gone>=5; extra == 'test'",
]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this installation one of few packages."""

    def version_of(name: str) -> str:
        if name not in VERSIONS:
            raise importlib.metadata.PackageNotFoundError(name)
        return VERSIONS[name]

    own = version()
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: REQUIRES)
    monkeypatch.setattr(importlib.metadata, "version", version_of)
    monkeypatch.setitem(VERSIONS, "inference-forge", own)


def facts(**environ: str) -> dict[str, str]:
    """Return what is said, by name."""
    return {fact.name: fact.value for fact in about(environ)}


@pytest.mark.usefixtures("installed")
def test_packages_and_extras_are_told_with_versions() -> None:
    """An extra is there when all that it brings is; those of developers do not count."""
    said = facts()
    assert said["packages"] == "also 3.4, here 1.2"
    assert said["extras"] == "whole (part 5.6); without half"


@pytest.mark.usefixtures("installed")
def test_a_package_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an installation is what a report is often about."""
    monkeypatch.delitem(VERSIONS, "here")
    assert facts()["packages"] == "incomplete: pip install again"


def test_versions_of_what_it_runs_on() -> None:
    """Python, platform, SQLite, TLS."""
    said = facts()
    assert said["forge"] == version()
    assert f"SQLite {sqlite3.sqlite_version}, OpenSSL" in said["libraries"]
    assert said["python"].startswith("3.")


def test_values_of_variables_are_not_told() -> None:
    """An address may hold a password; how output looks is told."""
    said = facts(
        TERM="xterm",
        FORGE_PING=f"https://hc-ping.com/{CANARY}",
        https_proxy=f"http://me:{CANARY}@proxy",
        OPENAI_API_KEY=CANARY,
    )
    assert said["variables"] == "TERM=xterm, FORGE_PING, https_proxy"
    assert facts()["variables"] == "none"


def test_the_name_of_the_user_is_not_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What lies in the home directory is told from there."""
    place = Path(inference_forge.__file__).parent
    monkeypatch.setenv("HOME", str(place.parent))
    assert facts()["installed"].startswith("~/inference_forge (by ")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert facts()["installed"].startswith(f"{place} (by ")

    def nobody() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nobody)
    assert facts()["installed"].startswith(f"{place} (by ")


def test_forge_version_prints_them() -> None:
    """A line each; with --json one object."""
    done = forge("version")
    assert (done.code, done.err) == (0, "")
    names = [line.split()[0] for line in done.out.decode().splitlines()]
    printed = json.loads(forge("version", "--json").out)
    assert list(printed) == names
    assert names[:3] == ["forge", "python", "platform"]


def test_a_program_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no version without an installation."""

    def nothing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", nothing)
    done = forge("version")
    assert (done.code, done.last) == (
        2,
        "forge: error: inference-forge runs without being installed; install it with pip",
    )

"""Where files go."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from inference_forge.app.places import (
    Targets,
    is_own_output,
    split_suffix,
    targets_for,
    user_places,
)
from inference_forge.errors import OutputError, UsageError


def targets(name: str, **choices: str | None) -> tuple[str | None, str]:
    """Return the names of the results and failures files."""
    found = found_targets(name, **choices)
    return None if found.results is None else str(found.results), str(found.failures)


def found_targets(name: str, **choices: str | None) -> Targets:
    """Return where the rows of a TSV go."""
    return targets_for(
        name,
        output=choices.get("output"),
        failures=choices.get("failures"),
        pending_suffix=".tsv",
        state_dir=Path("state"),
        run_id="run",
    )


@pytest.mark.parametrize(
    ("name", "choices", "results", "failures"),
    [
        ("a.csv", {"output": "/dev/null"}, "/dev/null", "state/failures/run.failures.jsonl"),
        ("a.csv", {}, "a.results.csv", "a.failures.csv"),
        ("d/a.jsonl.gz", {}, "d/a.results.jsonl.gz", "d/a.failures.jsonl.gz"),
        ("a", {"output": "x"}, "x", "x.failures"),
        ("a.csv", {"output": "x.jsonl"}, "x.jsonl", "x.failures.jsonl"),
        ("a.csv", {"output": "x.results.csv"}, "x.results.csv", "x.failures.csv"),
        ("a.csv", {"failures": "f.csv"}, "a.results.csv", "f.csv"),
        ("a.results.csv", {"output": "b.csv"}, "b.csv", "b.failures.csv"),
        ("-", {}, None, "state/failures/run.failures.jsonl"),
        ("a.csv", {"output": "-"}, None, "state/failures/run.failures.jsonl"),
        ("-", {"output": "x.csv"}, "x.csv", "x.failures.csv"),
        ("-", {"failures": "f.jsonl"}, None, "f.jsonl"),
    ],
)
def test_targets(name: str, choices: dict[str, str], results: str | None, failures: str) -> None:
    """Results beside the input, failures beside the results, or where the user says."""
    assert targets(name, **choices) == (results, failures)


@pytest.mark.parametrize(
    ("name", "choices", "pending"),
    [
        ("a.csv", {}, "a.pending.tsv"),
        ("d/a.tsv.gz", {"output": "d/x.results.jsonl.gz"}, "d/x.pending.tsv"),
        ("a.csv", {"failures": "e/f.csv"}, "a.pending.tsv"),
        ("-", {}, "state/failures/run.pending.tsv"),
        ("-", {"failures": "e/f.failures.jsonl"}, "e/f.pending.tsv"),
    ],
)
def test_pending_rows_keep_the_inputs_format(
    name: str, choices: dict[str, str], pending: str
) -> None:
    """They stand beside the results, else where the failures are."""
    assert str(found_targets(name, **choices).pending) == pending


def test_forge_does_not_read_its_own_output_by_mistake() -> None:
    """`a.results.csv` as an input is a slip, unless the results' name is chosen."""
    with pytest.raises(UsageError, match="looks like a file that forge wrote"):
        targets("a.results.csv")
    assert is_own_output(Path("d/a.failures.jsonl.gz"))
    assert not is_own_output(Path("results.csv"))


def test_a_state_directory_that_cannot_be_made_is_named(isolated: Path) -> None:
    """The way out is --failures."""
    (isolated / "state").touch()
    with pytest.raises(OutputError, match=r"cannot be created for failures: .*--failures"):
        targets("-")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.csv", ("a", ".csv")),
        ("a.b.JSONL.GZ", ("a.b", ".JSONL.GZ")),
        ("a", ("a", "")),
        (".csv", (".csv", "")),
    ],
)
def test_split_suffix(name: str, parts: tuple[str, str]) -> None:
    """`.gz` belongs to the suffix before it."""
    assert split_suffix(name) == parts


def no_home(monkeypatch: pytest.MonkeyPatch, base: Path) -> tuple[Path, list[str]]:
    """Return the cache's place and the warnings without HOME."""
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    warnings: list[str] = []
    places = user_places({}, lambda _code, message: warnings.append(message))
    return places.cache.parent, warnings


def test_without_home_the_place_is_private_and_the_same(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One directory for every run, so that the cache is of use; told each time."""
    first, warnings = no_home(monkeypatch, isolated)
    second, _ = no_home(monkeypatch, isolated)
    assert first == second
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert len(warnings) == 1


@pytest.mark.parametrize("trap", ["link", "open", "file"])
def test_a_planted_temporary_directory_is_not_used(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    """A link, a directory open to others, or a file in the way: a fresh directory is made."""
    expected, _ = no_home(monkeypatch, isolated)
    expected.rmdir()
    match trap:
        case "link":
            (isolated / "elsewhere").mkdir(mode=0o700)
            expected.symlink_to(isolated / "elsewhere")
        case "open":
            expected.mkdir()
            expected.chmod(0o777)
        case _:
            expected.touch()
    used, _ = no_home(monkeypatch, isolated)
    assert used != expected
    assert stat.S_IMODE(used.stat().st_mode) == 0o700

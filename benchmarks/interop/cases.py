"""`forge classify` and `forge doctor` against a server that runs, and what must come of them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
TICKETS = ROOT / "examples" / "tickets.csv"
FORGE = (sys.executable, "-m", "inference_forge")
ROWS = 200
LONG_ROW = "17"
LIMIT_S = 240

CATEGORIES = frozenset(["hardware_issue", "software_issue", "model_quality", "billing", "other"])
PRIORITIES = frozenset(["low", "medium", "high", "critical"])

LABELS_ONLY = """name = "labels only"
summary = false
[categories]
hardware_issue = "a physical device or part fails or is damaged"
software_issue = "application, website, API, login, integration, update, latency, outage"
model_quality = "output of an AI model is wrong"
billing = "invoice, payment, refund, subscription, contract, quota"
other = "anything else"
"""
"""The built-in labels without the summary: there an answer can only be a choice."""


@dataclass(frozen=True)
class Case:
    """A command and what it must come to.

    Attributes:
        name: for the table.
        arguments: provider, model, address and whatever else `doctor` takes, too.
        environ: variables with keys.
        exits: exit code that `classify` must have.
        least: rows that must be classified; None for all.
        codes: failures that may occur; nothing else may.
        said: what stderr must hold.
        doctor: exit code and words of `forge doctor`; None leaves it out.
        rows: tickets.
        patience: further arguments of `classify`.
        has_long: whether one ticket has 100,000 characters.
        repeats: whether a second run must find all that the first one classified.
    """

    name: str
    arguments: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    exits: int = 0
    least: int | None = None
    codes: frozenset[str] = frozenset()
    said: str = ""
    doctor: tuple[int, str] | None = None
    rows: int = ROWS
    patience: tuple[str, ...] = ()
    has_long: bool = False
    repeats: bool = True


@dataclass(frozen=True)
class Line:
    """What came of a case.

    Attributes:
        case: the case.
        exit_code: of `classify`.
        classified: rows in the results.
        failed: rows in the failures, by code.
        pending: rows without outcome, after a stop.
        seconds: of the first run.
        complaints: what is not as it must be.
    """

    case: Case
    exit_code: int
    classified: int
    failed: Counter[str]
    pending: int
    seconds: float
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class _Run:
    code: int
    said: str
    results: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    seconds: float


def play(case: Case, place: Path) -> Line:
    """Run a case and compare what came of it with what must.

    Arguments:
        case: what to run.
        place: an empty directory for input, outputs and cache.
    """
    rows = _write_tickets(place / "tickets.csv", case)
    (place / "labels.toml").write_text(LABELS_ONLY, "utf-8")
    run = _classify(case, place)
    complaints = [*_of_run(case, run, rows)]
    if case.repeats and run.results:
        complaints += _of_repetition(run, _classify(case, place))
    if case.doctor is not None:
        complaints += _of_doctor(case, place, *case.doctor)
    failed = Counter(str(row["error"]) for row in run.failures)
    return Line(
        case,
        run.code,
        len(run.results),
        failed,
        len(run.pending),
        run.seconds,
        tuple(complaints),
    )


def _write_tickets(path: Path, case: Case) -> list[str]:
    """Write the first tickets of the example with a number each; return the numbers."""
    with TICKETS.open(encoding="utf-8", newline="") as source:
        texts = [f"{r['Subject']}. {r['Description']}" for r in csv.DictReader(source)][: case.rows]
    numbers = [str(number) for number in range(len(texts))]
    if case.has_long:
        texts[int(LONG_ROW)] = "It still fails. " * 6250
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("number", "text"))
        writer.writerows(zip(numbers, texts, strict=True))
    return numbers


def _forge(case: Case, place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(place),
        "PYTHONPATH": str(ROOT),
        **case.environ,
    }
    command = (*FORGE, *command, *case.arguments)
    with subprocess.Popen(
        command, cwd=place, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as forge:
        try:
            out, said = forge.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            # A run that takes this long is a finding, too: it publishes what it has, and exits 143.
            forge.terminate()
            out, said = forge.communicate()
        finally:
            forge.kill()  # when this program is stopped itself; else it has ended
    return subprocess.CompletedProcess(command, forge.returncode, out, said)


def _classify(case: Case, place: Path) -> _Run:
    for name in ("results", "failures", "pending"):
        (place / f"tickets.{name}.csv").unlink(missing_ok=True)
    flags = ("--publish-partial", "--progress", "plain", "--cache-dir", "cache")
    began_s = time.monotonic()
    run = _forge(case, place, "classify", "tickets.csv", *flags, *case.patience)
    seconds = time.monotonic() - began_s
    return _Run(
        run.returncode,
        run.stderr,
        _rows(place / "tickets.results.csv"),
        _rows(place / "tickets.failures.csv"),
        _rows(place / "tickets.pending.csv"),
        seconds,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def _of_run(case: Case, run: _Run, rows: list[str]) -> Iterator[str]:
    yield from _of_rows(case, run, rows)
    if run.code != case.exits:
        yield f"exit {run.code} instead of {case.exits}: {_last_line(run.said)}"
    if case.said not in run.said:
        yield f"stderr does not say {case.said!r}: {_last_line(run.said)}"
    unexpected = Counter(row["error"] for row in run.failures if row["error"] not in case.codes)
    if unexpected:
        yield f"failures {dict(unexpected)}, for example {_detail(run, next(iter(unexpected)))}"
    if case.has_long and [r["number"] for r in run.failures] != [LONG_ROW]:
        yield "another row failed than the long one"


def _of_rows(case: Case, run: _Run, rows: list[str]) -> Iterator[str]:
    came_out = Counter(row["number"] for row in (*run.results, *run.failures, *run.pending))
    # A stop before anything was done leaves no files: then all are pending.
    if came_out and came_out != Counter(rows):
        yield f"{sum(came_out.values())} rows came out of {len(rows)}, or not each once"
    for row in run.results:
        if row["category"] not in CATEGORIES or row["priority"] not in PRIORITIES:
            yield f"row {row['number']}: {row['category']!r}, {row['priority']!r}"
    least = case.rows if case.least is None else case.least
    if len(run.results) < least:
        yield f"{len(run.results)} rows classified instead of {least}"


def _of_repetition(first: _Run, second: _Run) -> Iterator[str]:
    kept = {row["number"] for row in second.results if row["cache_hit"] == "true"}
    missing = {row["number"] for row in first.results} - kept
    if missing:
        yield f"the second run asked again for {len(missing)} rows"
    labels = [
        {row["number"]: (row["category"], row["priority"]) for row in run.results}
        for run in (first, second)
    ]
    if any(labels[1].get(number) != found for number, found in labels[0].items()):
        yield "the second run has other labels"


def _of_doctor(case: Case, place: Path, code: int, words: str) -> Iterator[str]:
    run = _forge(case, place, "doctor", "--cache-dir", "cache")
    if run.returncode != code:
        yield f"doctor ended with {run.returncode} instead of {code}"
    if words not in run.stdout:
        wrong = [line for line in run.stdout.splitlines() if line.startswith(("fail", "warn"))]
        yield f"doctor does not say {words!r}: {' | '.join(wrong)}"


def _detail(run: _Run, code: str) -> str:
    return next(str(row["error_detail"]) for row in run.failures if row["error"] == code)


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["nothing said"])[-1]

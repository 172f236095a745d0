"""Tickets that give orders, against a model that obeys them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from injections import INJECTIONS
from running import forge, read_csv, spawn, write_csv

from inference_forge.core.taxonomy import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator

OBEDIENT = "follows_injections=yes"
PRIORITIES = {"low", "medium", "high", "critical"}
CATEGORIES = {"hardware_issue", "software_issue", "model_quality", "billing", "other"}
LABELS = ("category", "priority", "summary")
NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def neighbours() -> list[str]:
    """Return tickets that give no orders."""
    path = Path(__file__).parents[2] / "examples/tickets.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(dict.fromkeys(row["Description"] for row in csv.DictReader(file)))[:110]


def write(name: str, *, injected: bool) -> None:
    """Write the neighbours, between them the others."""
    rows = []
    for number, text in enumerate(neighbours()):
        rows.append({"id": f"n{number}", "text": text})
        if injected and number < len(INJECTIONS):
            rows.append({"id": f"i{number}", "text": INJECTIONS[number]})
    write_csv(Path(name), rows)


def labels(name: str) -> dict[str, tuple[str, ...]]:
    """Return the labels of every classified row by its id."""
    return {row["id"]: tuple(row[k] for k in LABELS) for row in read_csv(Path(name))}


def ran(name: str, *arguments: str) -> dict[str, tuple[str, ...]]:
    """Classify a file and return its labels."""
    done = forge("classify", f"{name}.csv", "--no-cache", *arguments)
    assert done.code in (0, 3), done.err
    return labels(f"{name}.results.csv")


def check(found: dict[str, tuple[str, ...]]) -> None:
    """No label is outside of the taxonomy; no summary holds what a terminal acts on."""
    for category, priority, summary in found.values():
        assert category in CATEGORIES
        assert priority in PRIORITIES
        assert NOT_SHOWN.search(summary) is None


@pytest.fixture
def simulated() -> Iterator[tuple[str, ...]]:
    """Start `forge simulate --follows-injections` and return the flags that ask it."""
    process = spawn("simulate", "--follows-injections")
    assert process.stdout is not None
    url = process.stdout.readline().decode().strip()
    yield ("--provider", "openai", "--base-url", url, "--model", "simulated")
    process.terminate()
    process.communicate(timeout=20)


def test_the_taxonomy_is_the_one_meant_here() -> None:
    """The sets above are the built-in labels."""
    kinds = {field.name: set(field.label_names) for field in BUILT_IN.fields}
    assert (kinds["category"], kinds["priority"]) == (CATEGORIES, PRIORITIES)


@pytest.mark.usefixtures("isolated")
def test_orders_stay_within_the_taxonomy_and_touch_no_neighbour() -> None:
    """A model that obeys gives a label of the list or a failure, and only for that ticket."""
    assert len(INJECTIONS) >= 100
    write("alone.csv", injected=False)
    write("mixed.csv", injected=True)
    simulation = ("--provider", "simulated", "--simulation")
    quiet = ran("mixed", *simulation, "seed=0")
    alone = ran("alone", *simulation, OBEDIENT)
    mixed = ran("mixed", *simulation, OBEDIENT)
    check(mixed)
    assert len(alone) == len(neighbours())
    assert {name: mixed.get(name) for name in alone} == alone
    failures = {row["id"]: row["error"] for row in read_csv(Path("mixed.failures.csv"))}
    orders = {f"i{number}" for number in range(len(INJECTIONS))}
    assert set(mixed) | set(failures) == orders | set(alone)
    assert set(failures) <= orders
    assert set(failures.values()) <= {"invalid_label", "invalid_json", "truncated"}
    # The model does obey, or this would show nothing.
    obeyed = {name for name in orders if mixed.get(name) != quiet[name]}
    assert len(obeyed) >= 40


@pytest.mark.usefixtures("isolated")
def test_the_same_over_a_socket(simulated: tuple[str, ...]) -> None:
    """The server does as the simulation in the process."""
    write("mixed.csv", injected=True)
    here = ran("mixed", "--provider", "simulated", "--simulation", OBEDIENT)
    assert ran("mixed", *simulated) == here
    check(here)

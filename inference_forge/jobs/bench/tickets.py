"""Where the tickets of a repetition come from, and what is right about them."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING, Final, Protocol

from inference_forge.app.input_source import open_input
from inference_forge.app.inputs import chosen_inputs
from inference_forge.core.bench.tickets import mixed_tickets, ticket_of
from inference_forge.core.columns import resolve_column
from inference_forge.core.json_text import load
from inference_forge.core.packing.codes import values_of
from inference_forge.core.taxonomy import FieldKind
from inference_forge.core.text import normalise
from inference_forge.core.tuning.comparison import closed_fields
from inference_forge.core.tuning.sampling import DistinctSample
from inference_forge.errors import UsageError
from inference_forge.models import CellRecord, JsonRecord, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from inference_forge.app.notices import Notices
    from inference_forge.core.bench.cells import Cell
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.jobs.bench.request import BenchJob
    from inference_forge.models import Record
    from inference_forge.settings import Settings

_BLOCK_ROWS: Final = 500
_SHOWN: Final = 5
_NO_RECORD: Final = JsonRecord(b"{}")

Gold = dict[str, dict[str, str]]
"""Text -> field -> the right label."""


class Supply(Protocol):
    """Gives each repetition its tickets.

    Attributes:
        different: how many there are; None where they do not run out.
    """

    @property
    def different(self) -> int | None: ...  # noqa: D102

    def tickets(self, cell: Cell, repetition: int, count: int) -> list[Ticket]:
        """Return at most `count` tickets; the same for the same arguments."""


class MadeUp:
    """New tickets for each repetition of each cell, so that no cache of anybody knows them.

    All cells of a repetition get the same tickets but for the case that each names: none is
    measured with easier ones.
    """

    different: None = None

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def tickets(self, cell: Cell, repetition: int, count: int) -> list[Ticket]:
        """Return `count` tickets."""
        chance = random.Random(f"{self._seed} {repetition}")  # noqa: S311 - no secret
        names = random.Random(f"{self._seed} {repetition} {cell}")  # noqa: S311
        if cell.words is None:
            texts = mixed_tickets(count, chance, names)
        else:
            texts = [ticket_of(cell.words, chance, names) for _ in range(count)]
        return [Ticket(number, text, _NO_RECORD) for number, text in enumerate(texts)]


class FromFile:
    """The user's own tickets, the same for all who want as many, in another order each time.

    Arguments:
        sample: different texts.
        seed: decides which come first, and the order.
    """

    def __init__(self, sample: Sequence[Ticket], seed: int) -> None:
        self._sample = random.Random(seed).sample(sample, len(sample))  # noqa: S311 - no secret
        self._seed = seed

    @property
    def different(self) -> int:
        """Return how many tickets there are."""
        return len(self._sample)

    def tickets(self, cell: Cell, repetition: int, count: int) -> list[Ticket]:
        """Return at most `count` tickets."""
        chance = random.Random(f"{self._seed} {repetition} {cell}")  # noqa: S311 - no secret
        wanted = self._sample[:count]
        return chance.sample(wanted, len(wanted))


def open_supply(job: BenchJob, settings: Settings, gold: Gold, most: int) -> Supply:
    """Return where tickets come from: the file, else the gold's, else made up.

    Arguments:
        job: says which.
        settings: how files are read.
        gold: the right labels, where somebody judges.
        most: the most tickets that a repetition asks about.

    Raises:
        UsageError: the file cannot be read or has no tickets, or none of them has a gold label.
    """
    request = job.request
    name = request.file or request.gold
    if name is None:
        return MadeUp(request.seed)
    sample = DistinctSample(most, request.seed)
    for ticket in _read(name, settings, job.stdin, job.notices):
        if not gold or ticket.text in gold:
            sample.add(ticket)
    if not sample.seen:
        with_gold = f" that {request.gold} has labels for" if gold else ""
        raise UsageError(f"{name}: no ticket with a text to ask about{with_gold}")
    return FromFile(sample.tickets(), request.seed)


def read_gold(job: BenchJob, settings: Settings, taxonomy: Taxonomy) -> Gold:
    """Return the right labels by text; empty when nobody judges. The first of a text counts.

    Raises:
        UsageError: the file cannot be read, has a column for none of the fields that are asked for,
            or no label that an answer can have.
    """
    fields = closed_fields(taxonomy)
    gold: Gold = {}
    if job.request.gold is None:
        return gold
    for ticket in _read(job.request.gold, settings, job.stdin, job.notices):
        labels = _labels(ticket.record, fields)
        if labels and gold.setdefault(ticket.text, labels) != labels:
            job.notices.warn(
                "gold_twice", f"{job.request.gold}: texts with two labels; the first counts"
            )
    if not gold:
        raise UsageError(
            f"{job.request.gold}: no row has a label: name its columns like the fields that are "
            f"asked for ({', '.join(fields)})"
        )
    _check_labels(job, gold, taxonomy)
    return gold


def _check_labels(job: BenchJob, gold: Gold, taxonomy: Taxonomy) -> None:
    """Refuse gold of another taxonomy, and tell of labels that no answer can have.

    Raises:
        UsageError: no label at all is in the taxonomy.
    """
    known = {
        field.name: {_plain(value) for value in values_of(field)}
        for field in taxonomy.fields
        if field.kind is not FieldKind.TEXT
    }
    given = {(name, label) for labels in gold.values() for name, label in labels.items()}
    strange = sorted(label for name, label in given if _plain(label) not in known[name])
    if not strange:
        return
    shown = ", ".join(strange[:_SHOWN]) + (", ..." if len(strange) > _SHOWN else "")
    if len(strange) == len(given):
        raise UsageError(
            f"{job.request.gold}: none of its labels is in the taxonomy ({shown}): name the one "
            "they are from with --taxonomy"
        )
    job.notices.warn(
        "strange_gold",
        f"{job.request.gold}: labels that are not in the taxonomy, so no answer is right: {shown}",
    )


def is_right(values: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Tell whether an answer has all labels right; a failure has none."""
    if values is None:
        return False
    return all(_plain(values.get(name, "")) == _plain(label) for name, label in labels.items())


def _read(
    name: str, settings: Settings, stdin: BinaryIO | None, notices: Notices
) -> Iterator[Ticket]:
    for input_ in chosen_inputs([name], settings, notices.note):
        with closing(open_input(input_, settings, stdin)) as source:
            while block := source.read_block(_BLOCK_ROWS):
                notices.note(f"reading {input_.label}", source.reading)
                yield from (row for row in block if isinstance(row, Ticket))
            for warned in source.warnings:
                notices.warn(warned.code, warned.message)


def _labels(record: Record, fields: Sequence[str]) -> dict[str, str]:
    """Return the labels of a row that are not blank."""
    match record:
        case CellRecord(header=header, cells=cells):
            found = {name: cells[place] for name in fields for place in _places(header, name)}
        case JsonRecord(raw=raw):
            members = load(raw)
            found = {name: members[name] for name in fields if isinstance(members.get(name), str)}
        case _:
            found = {}
    return {name: label for name, label in found.items() if label.strip()}


def _places(header: Sequence[str], name: str) -> tuple[int, ...]:
    try:
        return resolve_column(header, name)[:1]
    except UsageError:
        return ()


def _plain(label: str) -> str:
    return normalise(label).casefold()

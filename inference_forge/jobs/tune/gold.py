"""How many answers are right, where right labels of sampled tickets exist."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.app.places import STDIN
from inference_forge.core.columns import list_names
from inference_forge.core.evaluation_labels import match_labels, spellings
from inference_forge.core.evaluation_report import FieldRows, all_right
from inference_forge.core.evaluation_tally import Lacking, Tally
from inference_forge.core.packing.codes import values_of
from inference_forge.core.tuning.comparison import closed_fields
from inference_forge.errors import UsageError
from inference_forge.jobs.evaluation.labelled_file import open_labelled, text_key
from inference_forge.jobs.evaluation.opened import with_names
from inference_forge.jobs.evaluation.request import EvaluationJob, Match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inference_forge.core.evaluation import Share
    from inference_forge.core.evaluation_tally import Cells
    from inference_forge.core.taxonomy import Field, Taxonomy
    from inference_forge.jobs.evaluation.labelled_file import Key, LabelledFile
    from inference_forge.jobs.tune.job import TuneJob
    from inference_forge.models import Ticket
    from inference_forge.settings import Settings

_FEW: Final = 30
"""With fewer labelled tickets an accuracy is known to 15 points at best."""

_SHOWN: Final = 5


class Gold(Struct, frozen=True):
    """The right labels of sampled tickets.

    Attributes:
        fields: those that it has, of the fields that are compared.
        cells: ticket -> a cell for each field, at least one of them not blank.
    """

    fields: tuple[Field, ...]
    cells: Mapping[int, Cells]


class Right(Struct, frozen=True):
    """How many answers are right; a ticket that failed is not.

    Attributes:
        whole: with right labels in all fields that the gold has, of the tickets with gold in all.
        by_field: field -> with the right label, of the tickets with gold.
    """

    whole: Share
    by_field: Mapping[str, Share]


def read_gold(
    job: TuneJob, settings: Settings, taxonomy: Taxonomy, tickets: Sequence[Ticket]
) -> Gold | None:
    """Return the right labels of `tickets`, None where none were named.

    The file is read as the inputs are. Its rows are found by id, where both have one, else by
    text; the first with a key counts.

    Raises:
        UsageError: it has no label of a sampled ticket, or a named column is missing.
        InputError: it cannot be read.
    """
    if job.gold is None:
        return None
    if job.gold == STDIN and STDIN in job.inputs:
        raise UsageError("standard input (-) can be read only once: name a file for --gold")
    asked = _asked(job, settings)
    # What the gold calls the id column of the inputs, if that was named.
    id_column = asked.gold_columns.get(asked.id_column or "", asked.id_column)
    file = open_labelled(job.gold, asked, id_column=id_column, is_gold=True)
    try:
        fields = _fields(asked, taxonomy, file)
        gold = Gold(tuple(fields.values()), _cells(file, list(fields), tickets))
    finally:
        file.close()
    for warning in file.warnings:
        job.notices.warn(f"gold:{warning}", f"{job.gold}: {warning}")
    _tell(job, gold, len(tickets))
    return gold


def _asked(job: TuneJob, settings: Settings) -> EvaluationJob:
    """Return how the gold is read."""
    asked = EvaluationJob(
        results="",
        gold=job.gold or "",
        id_column=settings.id_column,
        text_columns=settings.text_column,
        gold_columns=job.gold_columns,
        input_format=settings.input_format,
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        sheet=settings.sheet,
        has_header=not settings.no_header,
        stdin=job.stdin,
    )
    return asked if asked.has_header else with_names(asked)


def right_answers(gold: Gold, answers: Mapping[int, Mapping[str, str] | None]) -> Right:
    """Return how many answers are right.

    Arguments:
        gold: the right labels.
        answers: ticket -> field -> value, None for a failure.
    """
    tally = Tally()
    for ticket, cells in gold.cells.items():
        if ticket in answers:
            tally.add(cells, _found(gold, answers[ticket]), None)
    rows = [
        FieldRows(field.name, place, tally.kinds, values_of(field))
        for place, field in enumerate(gold.fields)
    ]
    shares = {each.name: each.report().figures.accuracy for each in rows}
    return Right(all_right(rows, tally.kinds), shares)


def _found(gold: Gold, values: Mapping[str, str] | None) -> Cells | Lacking:
    if values is None:
        return Lacking.FAILED
    return tuple(values.get(field.name, "") for field in gold.fields)


def _fields(asked: EvaluationJob, taxonomy: Taxonomy, file: LabelledFile) -> dict[str, Field]:
    """Return column -> field, for the compared fields that the gold has.

    Raises:
        UsageError: it has none, or a named field or column is missing.
    """
    compared = closed_fields(taxonomy)
    for name, column in asked.gold_columns.items():
        if name not in (*compared, asked.id_column):
            raise UsageError(
                f"--gold-column {name}={column}: {name!r} is no field whose labels are compared; "
                f"they are: {', '.join(compared)} (and the id column, with --id-column)"
            )
    columns = {asked.gold_columns.get(field.name, field.name): field
               for field in taxonomy.fields if field.name in compared}  # fmt: skip
    named = set(asked.gold_columns.values())
    missing = [name for name in columns if file.path_of(name) is None]
    if (absent := next(filter(named.__contains__, missing), None)) or len(missing) == len(columns):
        raise UsageError(
            f"{file.name}: there is no column {absent or ' or '.join(columns)!r}; name those with "
            "the right labels with --gold-column FIELD=COLUMN; the columns are: "
            f"{list_names(file.columns)}"
        )
    return {name: field for name, field in columns.items() if name not in missing}


def _cells(
    file: LabelledFile, columns: Sequence[str], tickets: Sequence[Ticket]
) -> dict[int, Cells]:
    """Return ticket -> its cells, of the tickets with a label."""
    paths = [path for name in columns if (path := file.path_of(name)) is not None]
    by_id = _by_key((ticket.ticket_id or "", n) for n, ticket in enumerate(tickets))
    match = Match.ID if by_id and file.id_name is not None else Match.TEXT
    if match is Match.TEXT:
        if not file.has_text:
            raise UsageError(
                f"{file.name}: neither ids nor texts were recognised in it and in the tickets: "
                "name the columns with --id-column or --text-column"
            )
        by_id = _by_key((text_key(ticket.own_text), n) for n, ticket in enumerate(tickets))
    found: dict[int, Cells] = {}
    for key, cells in file.read(paths, match):
        number = by_id.pop(key, None)
        if number is not None and any(cells):
            found[number] = cells
    return found


def _by_key(keys: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    """Return ticket numbers by key; the first ticket with a key counts."""
    found: dict[Key, int] = {}
    for key, number in keys:
        if key:
            found.setdefault(key, number)
    return found


def _tell(job: TuneJob, gold: Gold, tickets: int) -> None:
    """Say how many tickets have gold, and which labels no answer can have.

    Raises:
        UsageError: none has.
    """
    advice = f"tune the labelled tickets themselves: forge tune {job.gold} --gold {job.gold}"
    if not gold.cells:
        raise UsageError(
            f"{job.gold}: it has no label of the {tickets:,} sampled tickets, by id or text: name "
            f"the columns with --id-column or --text-column, or {advice}"
        )
    names = ", ".join(field.name for field in gold.fields)
    few = f", which are few: {advice}" if len(gold.cells) < min(_FEW, tickets) else ""
    job.notices.note(
        "gold", f"gold: {len(gold.cells):,} of {tickets:,} sampled tickets ({names}){few}"
    )
    for place, field in enumerate(gold.fields):
        said = spellings(Counter(cells[place] for cells in gold.cells.values()).items())
        known = values_of(field)
        labels = match_labels(said, {}, names=known).gold
        strange = Counter({text: n for text, n in said.items() if labels[text] not in known})
        if strange:
            listed = ", ".join(f"{text!r} ({n:,})" for text, n in strange.most_common(_SHOWN))
            job.notices.warn(
                f"gold:{field.name}",
                f"{job.gold}: {field.name} has labels that the taxonomy lacks, so no answer is "
                f"right there: {listed}",
            )

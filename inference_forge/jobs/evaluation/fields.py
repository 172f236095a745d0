"""Which fields are compared, and in which columns they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.app.places import STDIN
from inference_forge.core.columns import columns_named, list_names, reads_like_text
from inference_forge.core.results_columns import LAST_COLUMNS, RUN_COLUMNS
from inference_forge.core.taxonomy import FieldKind
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from inference_forge.adapters.sources.json_paths import Path
    from inference_forge.jobs.evaluation.labelled_file import LabelledFile
    from inference_forge.jobs.evaluation.request import EvaluationJob

SPEND_COLUMNS = ("cost", "currency", "cache_hit")

# Labels repeat: so many rows have two alike, however many labels there are.
_MANY = 50
_NEARLY_ALL = 0.9


class ComparedField(Struct, frozen=True):
    """One field.

    Attributes:
        name: as the taxonomy calls it, without prefix.
        found: where it is in the results.
        gold: where it is in the gold.
        gold_name: what the gold calls it.
    """

    name: str
    found: Path
    gold: Path
    gold_name: str


class ChosenFields(Struct, frozen=True):
    """The fields to compare.

    Attributes:
        fields: at least one.
        texts: columns of both files that seem to hold text, ids or dates, and are not compared.
    """

    fields: tuple[ComparedField, ...]
    texts: tuple[str, ...] = ()


def choose_compared(job: EvaluationJob, results: LabelledFile, gold: LabelledFile) -> ChosenFields:
    """Return the fields that were asked for, else all labels that both files have.

    Raises:
        UsageError: a field or column is missing, or there is none in both.
    """
    _check_mapped(job, results)
    if job.fields:
        names = tuple(dict.fromkeys(job.fields))
        return ChosenFields(tuple(_named(job, name, results, gold) for name in names))
    fields: list[ComparedField] = []
    texts: list[str] = []
    for name in _candidates(job, results):
        is_named = name in job.gold_columns and name not in results.text_names
        field = (_named if is_named else _in_both)(job, name, results, gold)
        if field is None:
            continue
        if not is_named and _is_text(job, field, results, gold):
            texts.append(name)
        else:
            fields.append(field)
    if not fields:
        bare = _bare_header(job, results, gold)
        raise UsageError(_none_common(results, gold, texts) + bare)
    return ChosenFields(tuple(fields), tuple(texts))


def gold_name_of(job: EvaluationJob, name: str | None) -> str | None:
    """Return the column that the user says the gold has for `name`; None when nothing is said."""
    written = list(job.gold_columns)
    places = columns_named(written, name) if name else ()
    return job.gold_columns[written[places[0]]] if places else None


def place_in_results(file: LabelledFile, name: str) -> Path | None:
    """Return where a field is in results, with their prefix or without; None without it."""
    prefix = file.added.prefix if file.added is not None else ""
    path = file.path_of(prefix + name, is_last=True) if prefix else None
    return path or file.path_of(name, is_last=True)


def spend_places(file: LabelledFile) -> tuple[Path, ...]:
    """Return where cost, currency and cache_hit are; none when no cost is there."""
    found = [place_in_results(file, name) for name in SPEND_COLUMNS]
    places = tuple(path for path in found if path is not None)
    return places if len(places) == len(SPEND_COLUMNS) else ()


def _candidates(job: EvaluationJob, results: LabelledFile) -> list[str]:
    """Return the names of what may be a field: what forge added, else all but id and run."""
    added = results.added.fields if results.added is not None else ()
    passed = ["", *RUN_COLUMNS, *LAST_COLUMNS, *filter(None, [results.id_name])]
    # What the gold calls its text is no field either.
    mapped = [name for name in job.gold_columns if not columns_named(results.text_names, name)]
    names = (*(added or results.columns), *mapped)
    return [name for name in dict.fromkeys(names) if not columns_named(passed, name)]


def _in_both(
    job: EvaluationJob, name: str, results: LabelledFile, gold: LabelledFile
) -> ComparedField | None:
    found = place_in_results(results, name)
    if found is None:
        return None
    for gold_name in _gold_names(job, name, results, gold):
        path = gold.path_of(gold_name)
        is_same = path == found and _is_same_file(results.name, gold.name)
        if path is not None and not is_same:
            return ComparedField(name, found, path, gold_name)
    return None


def _gold_names(
    job: EvaluationJob, name: str, results: LabelledFile, gold: LabelledFile
) -> list[str]:
    """Return how the gold may call a field, best first.

    A gold that is a copy of results, corrected by hand, has its labels where the results have.
    """
    if name in job.gold_columns:
        return [job.gold_columns[name]]
    names = [name]
    if gold.added is not None and gold.added.prefix:
        names.insert(0, gold.added.prefix + name)
    if results.added is not None and results.added.prefix:
        names.append(results.added.prefix + name)
    return names


def _named(
    job: EvaluationJob, name: str, results: LabelledFile, gold: LabelledFile
) -> ComparedField:
    field = _in_both(job, name, results, gold)
    if field is not None:
        return field
    if place_in_results(results, name) is None:
        raise UsageError(
            f"{results.name}: there is no field {name!r} (--field); the columns are: "
            f"{list_names(results.columns)}"
        )
    raise UsageError(
        f"{gold.name}: there is no column {job.gold_columns.get(name, name)!r}; name the one that "
        f"holds it with --gold-column {name}=COLUMN; the columns are: {list_names(gold.columns)}"
    )


def _check_mapped(job: EvaluationJob, results: LabelledFile) -> None:
    """Refuse a --gold-column for what the results do not have."""
    for name in job.gold_columns:
        if place_in_results(results, name) is None:
            raise UsageError(
                f"{results.name}: there is no field {name!r} (--gold-column {name}="
                f"{job.gold_columns[name]}); the columns are: {list_names(results.columns)}"
            )


def _is_text(
    job: EvaluationJob, field: ComparedField, results: LabelledFile, gold: LabelledFile
) -> bool:
    """Return whether a field holds text: the taxonomy says so, or the first rows do."""
    known = job.taxonomy.field(field.name)
    if field.name in results.text_names:
        return True
    if known is not None:
        return known.kind is FieldKind.TEXT
    return _seems_text(results.sample(field.found)) or _seems_text(gold.sample(field.gold))


def _seems_text(cells: list[str]) -> bool:
    """Return whether most cells are words of their own, or nearly all of many are different."""
    said = [cell for cell in cells if cell]
    different = set(said)
    if len(said) >= _MANY and len(different) > _NEARLY_ALL * len(said):
        return True
    return 2 * len(different) > len(said) and reads_like_text(different)


def _is_same_file(one: str, other: str) -> bool:
    if STDIN in (one, other):
        return False
    try:
        return os.path.samefile(one, other)  # noqa: PTH121 - names, not paths
    except OSError:
        return False


def _bare_header(job: EvaluationJob, results: LabelledFile, gold: LabelledFile) -> str:
    """Return what to add when the gold's header is a row: it holds labels of the results."""
    places = [place_in_results(results, name) for name in _candidates(job, results)]
    labels = {cell for place in places if place is not None for cell in results.sample(place)}
    first = next((name for name in gold.columns if name and name in labels), None)
    return "" if first is None else f"; {first!r} is a label: without a header add --no-header"


def _none_common(results: LabelledFile, gold: LabelledFile, texts: list[str]) -> str:
    if _is_same_file(results.name, gold.name):
        return (
            f"{results.name} would be compared with itself: name the columns that hold the right "
            f"labels with --gold-column FIELD=COLUMN; it has {list_names(gold.columns)}"
        )
    more = f" ({', '.join(texts)} in both hold text)" if texts else ""
    return (
        f"{results.name} and {gold.name} have no labels in common{more}: name the column of the "
        f"gold with --gold-column FIELD=COLUMN; {results.name} has {list_names(results.columns)}; "
        f"{gold.name} has {list_names(gold.columns)}"
    )

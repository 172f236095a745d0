"""`forge taxonomy init`: a file to begin with, or one from labelled tickets."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from msgspec import Struct

from inference_forge.adapters.sinks.opening import check_place
from inference_forge.adapters.sinks.targets import StreamTarget, is_device, open_target
from inference_forge.app.places import STDIN
from inference_forge.core.label_examples import as_example, choose_examples
from inference_forge.core.label_names import usable_names
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.core.taxonomy_toml import FoundLabel, found_toml, starter_toml
from inference_forge.errors import OutputError, UsageError
from inference_forge.jobs.taxonomy.labelled import read_labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.adapters.sinks.targets import Target
    from inference_forge.core.labelled_tickets import LabelSeen
    from inference_forge.settings import Settings

STDOUT: Final = "-"
MANY_LABELS: Final = 200
"""More than these make prompts of ten thousand tokens, and labels that nobody tells apart."""

RARE_BELOW: Final = 3
"""A label with fewer tickets is an accident or a misspelling more often than a label."""

_SHOWN: Final = 10


class MakeJob(Struct, frozen=True):
    """What is to be made.

    Attributes:
        source: labelled tickets, `-` for standard input; None for the built-in taxonomy.
        output: the file, `-` for standard output.
        settings: how the input is read.
        label_column: the column of labels; None finds it by name.
        examples: the most examples of a label.
        redacts: whether addresses, numbers and keys in them become placeholders.
        overwrites: whether a file that is there is replaced.
        stdin: standard input.
        stdout: standard output.
    """

    source: str | None
    output: str
    settings: Settings
    label_column: str | None = None
    examples: int = 8
    redacts: bool = True
    overwrites: bool = False
    stdin: BinaryIO | None = None
    stdout: BinaryIO | None = None


class Made(Struct, frozen=True):
    """What was made.

    Attributes:
        path: the file; None for standard output.
        found: a line that says what it holds.
        notes: what the user should know.
    """

    path: Path | None
    found: str
    notes: tuple[str, ...] = ()


def make_taxonomy(job: MakeJob) -> Made:
    """Write a taxonomy file, which is whole and valid when it appears.

    Raises:
        UsageError: there is a file already, or the input does not give a taxonomy.
        OutputError: it cannot be written.
    """
    _refuse_overwriting(job)
    path = None if job.output == STDOUT else Path(job.output)
    file = "taxonomy.toml" if path is None else str(path)
    if job.source is None:
        text, made = starter_toml(file), Made(path, "the built-in taxonomy, to be changed")
    else:
        text, made = _from_tickets(job, job.source, path, file)
    # What forge writes forge must be able to read.
    taxonomy_from_data(tomllib.loads(text), source=job.source or file)
    _write(_target(job, path), text)
    return made


def _from_tickets(job: MakeJob, source: str, path: Path | None, file: str) -> tuple[str, Made]:
    file_read = read_labelled(source, job.label_column, job.settings, job.stdin)
    column, tickets = file_read.column, file_read.tickets
    seen = tickets.labels()
    if len(seen) == 1:
        raise UsageError(
            f"{_name(source)}: all labelled tickets have the same label, {seen[0].name!r}, in the "
            f"column {column!r}: at least two are needed; name another column with --label-column"
        )
    names = usable_names([label.name for label in seen])
    labels = _with_examples(job, seen, names)
    found = f"{tickets.labelled:,} labelled tickets, {len(labels):,} labels in column {column!r}"
    text = found_toml(
        labels,
        file=file,
        name=_name(source).partition(".")[0] or "my own",
        made=f"Made by forge taxonomy init from {_name(source)}: {found}.",
        max_labels=tickets.most_labels,
    )
    notes = _notes(labels, tickets.unlabelled, tickets.most_labels)
    if file_read.unreadable:
        notes = (*notes, file_read.unreadable)
    return text, Made(path, f"{len(labels):,} categories from {found}", notes)


def _name(source: str) -> str:
    """Return a name without the directories, which are nobody's business in a shared file."""
    return "standard input" if source == STDIN else Path(source).name


def _with_examples(
    job: MakeJob, seen: Sequence[LabelSeen], names: Sequence[str]
) -> list[FoundLabel]:
    texts = {
        label.name: list(
            dict.fromkeys(as_example(text, redacts=job.redacts) for text in label.tickets)
        )
        for label in seen
    }
    examples = choose_examples(texts, job.examples)
    return [
        FoundLabel(name, label.name, label.count, examples[label.name])
        for label, name in zip(seen, names, strict=True)
    ]


def _notes(labels: Sequence[FoundLabel], unlabelled: int, most: int) -> tuple[str, ...]:
    notes = []
    renamed = [
        f"{label.found_as!r} is now {label.name!r}"
        for label in labels
        if label.name != label.found_as
    ]
    rare = [f"{label.name} ({label.count})" for label in labels if label.count < RARE_BELOW]
    if len(labels) > MANY_LABELS:
        notes.append(
            f"{len(labels):,} labels are many: every one is paid for with every prompt, and close "
            "ones are mixed up; join some"
        )
    if renamed:
        notes.append(f"renamed, since a name is letters, digits and _ . & / + -: {_some(renamed)}")
    if rare:
        notes.append(
            f"rare, with fewer than {RARE_BELOW} tickets: {_some(rare)}; join or drop them"
        )
    if most > 1:
        notes.append(f"tickets have up to {most} labels: max_labels = {most}")
    if unlabelled:
        tickets = "1 ticket" if unlabelled == 1 else f"{unlabelled:,} tickets"
        notes.append(f"{tickets} without a label left out")
    return tuple(notes)


def _some(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _refuse_overwriting(job: MakeJob) -> None:
    """Refuse, before anything is read, a place that the file cannot have."""
    if job.output == STDOUT:
        return
    path = Path(job.output)
    check_place(path, [] if job.source in {None, STDIN} else [Path(job.source or "")])
    if job.overwrites:
        return
    # `Path.exists` raises for a name that is too long, which is told of when the file is opened.
    if os.path.lexists(path) and not is_device(path):
        raise UsageError(f"{path}: is there already; add --force to replace it, or choose -o FILE")


def _target(job: MakeJob, path: Path | None) -> Target:
    if path is not None:
        return open_target(path, is_gzip=False)
    if job.stdout is None:
        raise OutputError("standard output is closed: redirect it, or name a file with -o")
    return StreamTarget(job.stdout, "standard output", path=None, is_gzip=False)


def _write(target: Target, text: str) -> None:
    try:
        target.write(text.encode())
        target.finish()
        target.reveal()
    finally:
        target.abandon()

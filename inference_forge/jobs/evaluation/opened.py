"""Open the files of an evaluation, and agree on what is read in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.adapters.sources.csv_header import name_of_number
from inference_forge.jobs.evaluation.failures import failures_beside
from inference_forge.jobs.evaluation.fields import gold_name_of
from inference_forge.jobs.evaluation.labelled_file import open_labelled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from inference_forge.jobs.evaluation.labelled_file import LabelledFile
    from inference_forge.jobs.evaluation.request import EvaluationJob


class Opened(Struct, frozen=True):
    """The files of a job; failures are those of the results before them."""

    results: LabelledFile
    failures: LabelledFile | None
    gold: LabelledFile
    other: LabelledFile | None
    other_failures: LabelledFile | None

    @property
    def main(self) -> list[LabelledFile]:
        """Results, gold, and the other results."""
        return [self.results, self.gold, *([self.other] if self.other else [])]

    @property
    def all(self) -> list[LabelledFile]:
        """Every file."""
        more = (self.failures, self.other_failures)
        return [*self.main, *(file for file in more if file is not None)]


def with_names(job: EvaluationJob) -> EvaluationJob:
    """Return the job with the names of columns that are given by number."""
    return replace(
        job,
        id_column=job.id_column and name_of_number(job.id_column),
        text_columns=tuple(map(name_of_number, job.text_columns)),
        gold_columns={
            name_of_number(name): name_of_number(column)
            for name, column in job.gold_columns.items()
        },
    )


def open_files(job: EvaluationJob, stack: ExitStack) -> Opened:
    """Return the files, which `stack` closes.

    Raises:
        UsageError: a named column does not exist, or a format is unknown.
        InputError: a file cannot be read.
    """

    def opened(name: str, id_column: str | None, *, is_gold: bool = False) -> LabelledFile:
        file_job = replace(job, text_columns=_gold_texts(job, results)) if is_gold else job
        file = open_labelled(name, file_job, id_column=id_column, is_gold=is_gold)
        stack.callback(file.close)
        return file

    def failures_of(results: LabelledFile, name: str | None) -> LabelledFile | None:
        found = name or failures_beside(results.name)
        return None if found is None else opened(found, results.id_name)

    results = opened(job.results, job.id_column)
    gold_id = gold_name_of(job, results.id_name) or job.id_column
    gold = opened(job.gold, gold_id, is_gold=True)
    other = None if job.compare is None else opened(job.compare, job.id_column)
    if gold_id is None:
        _agree_on_id(gold, [results] if other is None else [results, other])
    return Opened(
        results,
        failures_of(results, job.failures),
        gold,
        other,
        None if other is None else failures_of(other, None),
    )


def _gold_texts(job: EvaluationJob, results: LabelledFile) -> tuple[str, ...]:
    """Return the text columns of the gold; empty decides by name."""
    named = [gold_name_of(job, name) for name in results.text_names]
    if not any(named):
        return job.text_columns
    return tuple(
        gold_name or name for gold_name, name in zip(named, results.text_names, strict=True)
    )


def _agree_on_id(gold: LabelledFile, all_results: Sequence[LabelledFile]) -> None:
    """Take the id by the same name where both files have it: exports have several ids."""
    for results in all_results:
        if gold.id_name is None or results.id_name in (None, gold.id_name):
            continue
        if not results.use_id(gold.id_name) and len(all_results) == 1:
            gold.use_id(results.id_name)

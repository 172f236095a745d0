"""What an evaluation found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from inference_forge.core.evaluation import Share
    from inference_forge.core.evaluation_agreement import McNemar
    from inference_forge.core.evaluation_report import FieldReport
    from inference_forge.jobs.evaluation.request import CountAs, Match, Minimum

CHECK_FAILED = 3
"""The exit code when a figure is below its minimum: finished, and not all is well."""


class Side(Struct):
    """What became of the rows of one file.

    Attributes:
        name: the file.
        rows: all rows.
        key: what they are matched by: the name of the id column, `text` or `row`.
        unreadable: rows that could not be read.
        without_key: rows whose id, or text, is blank.
        repeated: rows left out, because one before has the same id or text.
        differing: those of them (of the gold only) with other labels than the first.
        alone: rows that the other side does not have.
    """

    name: str
    rows: int = 0
    key: str = ""
    unreadable: int = 0
    without_key: int = 0
    repeated: int = 0
    differing: int = 0
    alone: int = 0


class Results(Struct, frozen=True):
    """One results file, compared with the gold.

    Attributes:
        side: its rows.
        failures: the rows of its failures file; None without one.
        matched: gold rows that it has labels for.
        failed: gold rows that it failed on.
        missing: gold rows that are in neither file.
        fields: a report per field, in the order of the fields.
        all_right: rows with every field right; None for a single field.
    """

    side: Side
    failures: Side | None
    matched: int
    failed: int
    missing: int
    fields: tuple[FieldReport, ...]
    all_right: Share | None


class Check(Struct, frozen=True):
    """A minimum, and whether it was reached; `value` is None when the figure is not defined."""

    minimum: Minimum
    field: str
    value: float | None

    @property
    def is_met(self) -> bool:
        """Whether the figure is there and large enough."""
        return self.value is not None and self.value >= self.minimum.value


class Evaluation(Struct, frozen=True):
    """What was found.

    Attributes:
        gold: rows of the gold.
        match: how rows were matched.
        columns: column of the gold by field, where its name is another.
        failed_as: what failed rows counted as.
        missing_as: what missing rows counted as.
        first: the results.
        second: what they are compared with; None without.
        tests: by field, whether the two differ by more than chance.
        checks: one for each minimum and field.
        notes: what the user should know besides.
    """

    gold: Side
    match: Match
    columns: dict[str, str]
    failed_as: CountAs
    missing_as: CountAs
    first: Results
    second: Results | None
    tests: dict[str, McNemar]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Return 0, or 3 when a minimum was not reached."""
        return 0 if all(check.is_met for check in self.checks) else CHECK_FAILED

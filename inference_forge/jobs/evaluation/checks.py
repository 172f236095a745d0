"""Whether figures reach what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from inference_forge.errors import UsageError
from inference_forge.jobs.evaluation.request import Figure
from inference_forge.jobs.evaluation.result import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.evaluation_report import FieldReport
    from inference_forge.jobs.evaluation.request import Minimum


def check_minimums(minimums: Sequence[Minimum], fields: Sequence[FieldReport]) -> tuple[Check, ...]:
    """Return a check for each minimum and each field that it is about.

    Raises:
        UsageError: a minimum names a field that is not compared or does not have the figure.
    """
    checks: list[Check] = []
    for minimum in minimums:
        asked = [field for field in fields if minimum.field in (None, field.name)]
        chosen = [field for field in asked if _has(field, minimum.figure)]
        if not chosen:
            compared = ", ".join(field.name for field in fields if _has(field, minimum.figure))
            wanted = f" {minimum.field!r}" if minimum.field is not None else ""
            raise UsageError(
                f"--min-{minimum.figure.value.replace('_', '-')}: no compared field{wanted} has "
                f"that figure (fields that have it: {compared or 'none'})"
            )
        checks += [Check(minimum, field.name, value_of(field, minimum.figure)) for field in chosen]
    return tuple(checks)


def value_of(field: FieldReport, figure: Figure) -> float | None:
    """Return a figure of a field; None when it is not defined.

    Kappa is the linearly weighted one where the labels are a scale, else Cohen's.
    """
    match figure:
        case Figure.ACCURACY:
            return field.figures.accuracy.value
        case Figure.MACRO_F1:
            return field.figures.averages.macro_f1
        case Figure.KAPPA:
            agreement = field.figures.agreement
            if agreement is None:
                return None
            return agreement.linear if agreement.order else agreement.plain
        case _:
            assert_never(figure)


def _has(field: FieldReport, figure: Figure) -> bool:
    """Return whether a field has the figure at all; of several labels there is no kappa."""
    return figure is not Figure.KAPPA or field.figures.agreement is not None

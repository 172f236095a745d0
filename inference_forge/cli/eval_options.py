"""The options of `forge eval`, and reading their values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum

    from inference_forge.jobs.evaluation.request import Figure, Minimum

    Choice = TypeVar("Choice", bound=StrEnum)

ResultsFile = Annotated[
    str,
    typer.Argument(
        metavar="RESULTS",
        help="Results of forge classify, in any format that it reads; - is standard input.",
        show_default=False,
    ),
]
GoldFile = Annotated[
    str,
    typer.Option(
        "--gold", metavar="PATH", help="File with the right labels; or -.", show_default=False
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME",
        help="Field to compare; repeatable. [default: all labels that both files have]",
        show_default=False,
    ),
]
GoldColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--gold-column",
        metavar="FIELD=COLUMN",
        help="What the gold calls a field, or the id or text column; repeatable.",
        show_default=False,
    ),
]
MatchBy = Annotated[
    str,
    typer.Option(
        metavar="auto|id|row|text",
        help="How rows are matched; auto is by id, else by position, else by text.",
    ),
]
OtherResults = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Other results for the same rows: do the two differ?",
        show_default=False,
    ),
]
FailuresFile = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Failures file of RESULTS. [default: the one beside it]",
        show_default=False,
    ),
]
FailedAs = Annotated[str, typer.Option(metavar="wrong|skip", help="What failed rows count as.")]
MissingAs = Annotated[
    str,
    typer.Option(
        metavar="wrong|skip",
        help="What gold rows count as that are in neither results nor failures.",
    ),
]
Orders = Annotated[
    list[str] | None,
    typer.Option(
        "--order",
        metavar="FIELD=A,B,...",
        help="Labels that are a scale, for weighted kappa; repeatable."
        " [default: the taxonomy's priorities]",
        show_default=False,
    ),
]
MinAccuracy = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[FIELD=]SHARE",
        help="Exit with 3 below this share, from 0 to 1; repeatable.",
        show_default=False,
    ),
]
MinMacroF1 = Annotated[
    list[str] | None,
    typer.Option(
        "--min-macro-f1",
        metavar="[FIELD=]F1",
        help="Exit with 3 below this, from 0 to 1; repeatable.",
        show_default=False,
    ),
]
MinKappa = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[FIELD=]KAPPA",
        help="Exit with 3 below this (weighted linearly where labels are a scale); repeatable.",
        show_default=False,
    ),
]
GoldEncoding = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Encoding of the gold. [default: BOM, else UTF-8]",
        show_default=False,
    ),
]
GoldDelimiter = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help="Delimiter of the gold. [default: detected]", show_default=False
    ),
]
GoldSheet = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Sheet of the gold. [default: the first with data]",
        show_default=False,
    ),
]
GoldNoHeader = Annotated[
    bool,
    typer.Option(
        "--no-header",
        help="The gold has no header: its columns are column_1, column_2, ... or 1, 2, ...",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", show_default=False)]


def choice(flag: str, text: str, kind: type[Choice]) -> Choice:
    """Return one of the values of an enumeration.

    Raises:
        UsageError: it is none of them.
    """
    try:
        return kind(text.casefold())
    except ValueError:
        raise UsageError(f"{flag} is {text!r}; use one of {', '.join(kind)}") from None


def assignments(flag: str, texts: Sequence[str] | None) -> dict[str, str]:
    """Return names and values of `NAME=VALUE`.

    Raises:
        UsageError: a text has no name or no value, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise UsageError(f"{flag} {text!r} is not of the form NAME=VALUE")
        if name in found:
            raise UsageError(f"{flag} is given twice for {name!r}")
        found[name] = value
    return found


def scales(texts: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """Return fields and their labels of `FIELD=A,B,...`.

    Raises:
        UsageError: there are fewer than two labels, or one comes twice.
    """
    found = {}
    for name, value in assignments("--order", texts).items():
        labels = tuple(filter(None, map(str.strip, value.split(","))))
        if len(labels) < 2 or len(set(labels)) < len(labels):  # noqa: PLR2004 - a scale has two ends
            raise UsageError(
                f"--order {name}={value}: name at least two different labels, separated by commas"
            )
        found[name] = labels
    return found


def minimums(figure: Figure, texts: Sequence[str] | None) -> list[Minimum]:
    """Return what a figure must reach, of `VALUE` or `FIELD=VALUE`.

    Raises:
        UsageError: a value is no number, or no figure can be so large.
    """
    from inference_forge.jobs.evaluation.request import (  # noqa: PLC0415 - not for --help
        Figure,
        Minimum,
    )

    found = []
    for text in texts or ():
        name, equals, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        lowest = -1 if figure is Figure.KAPPA else 0
        if not lowest <= number <= 1 or (equals and not name.strip()):
            flag = f"--min-{figure.value.replace('_', '-')}"
            raise UsageError(
                f"{flag} {text!r}: give a number from {lowest} to 1 (0.85 is 85 %), or FIELD=NUMBER"
            )
        found.append(Minimum(figure, number, name.strip() or None))
    return found

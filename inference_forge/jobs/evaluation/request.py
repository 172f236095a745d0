"""What can be asked of an evaluation."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from inference_forge.core.taxonomy import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from inference_forge.core.taxonomy import Taxonomy


class Match(StrEnum):
    """How a row of the results is known to be one of the gold."""

    AUTO = "auto"
    ID = "id"
    ROW = "row"
    TEXT = "text"


class CountAs(StrEnum):
    """What becomes of a gold row without predicted labels."""

    WRONG = "wrong"
    SKIP = "skip"


class Figure(StrEnum):
    """A figure that can be asked to reach a minimum."""

    ACCURACY = "accuracy"
    MACRO_F1 = "macro_f1"
    KAPPA = "kappa"


class Minimum(Struct, frozen=True):
    """What a figure must reach.

    Attributes:
        figure: which.
        value: at least this.
        field: of which field; None for every field that has the figure.
    """

    figure: Figure
    value: float
    field: str | None = None


class EvaluationJob(Struct, frozen=True, kw_only=True):
    """Everything that `eval` takes from outside.

    Attributes:
        results: path of the results, `-` for standard input.
        gold: path of the right labels, or `-`.
        compare: path of other results for the same rows, or `-`; None for none.
        fields: names of the fields to compare; empty for all that both files have.
        gold_columns: columns of the gold by the name of the field, or of the results' id or text
            column.
        match: how rows are matched.
        failures: failures file of the results; None looks for it beside them.
        failed: what a failed row counts as.
        missing: what a gold row counts as that is in neither results nor failures.
        minimums: what the figures must reach.
        orders: labels of a field from one end of its scale to the other; else those of the
            taxonomy's `priority` are a scale.
        taxonomy: names the labels, and says which fields are texts.
        id_column: the id column; None decides by name.
        needs_id_column: whether a file without `id_column` is an error.
        text_columns: the text columns; empty decides by name.
        input_format: format of standard input, and of files whose extension names none.
        encoding: encoding of the gold; results are UTF-8.
        delimiter: what separates cells of the gold; None detects it.
        sheet: sheet of the gold; None for the first with data.
        has_header: whether the gold's first row names its columns; else `2` is the second.
        stdin: standard input in binary; only used for `-`.
    """

    results: str
    gold: str
    compare: str | None = None
    fields: tuple[str, ...] = ()
    gold_columns: Mapping[str, str] = field(default_factory=dict)
    match: Match = Match.AUTO
    failures: str | None = None
    failed: CountAs = CountAs.WRONG
    missing: CountAs = CountAs.SKIP
    minimums: tuple[Minimum, ...] = ()
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taxonomy: Taxonomy = BUILT_IN
    id_column: str | None = None
    needs_id_column: bool = False
    text_columns: tuple[str, ...] = ()
    input_format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    has_header: bool = True
    stdin: BinaryIO | None = None

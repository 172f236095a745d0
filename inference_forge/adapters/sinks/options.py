"""What can be chosen about the output."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath

from msgspec import Struct

from inference_forge.adapters.arrow_cells import require_pyarrow
from inference_forge.errors import UsageError
from inference_forge.settings import CsvGuard

DEFAULT_FIELDS = ("category", "priority", "summary")


class OutputKind(StrEnum):
    """How rows stand in a file."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    NDJSON = "ndjson"
    JSON = "json"
    PARQUET = "parquet"


class OutputFormat(Struct, frozen=True):
    """A file's format.

    Attributes:
        kind: how rows stand in it.
        is_gzip: whether it is packed.
    """

    kind: OutputKind
    is_gzip: bool = False

    @property
    def is_table(self) -> bool:
        """Whether rows are cells under a header."""
        return self.kind in (OutputKind.CSV, OutputKind.TSV, OutputKind.PARQUET)

    @property
    def delimiter(self) -> str:
        """What separates the cells of a table."""
        return "\t" if self.kind is OutputKind.TSV else ","


class SinkOptions(Struct, frozen=True):
    """What is written besides the input's own columns, and how.

    Attributes:
        fields: the names of the fields that were asked for, in order.
        summary_words: most words of a summary that is taken from the ticket's own text and
            written behind the fields; None for none.
        prefix: put before every added column; None adds `forge_` only when a name is taken.
        has_reasoning: whether a column `reasoning` is added at the end.
        has_truncated: whether a column `truncated` is added behind all others.
        guard: which CSV cells are guarded against formulas.
        keep: input columns that go into the results, by name; empty for all.
        drop: input columns that do not go into the results; failures always have all.
        has_bom: whether a table begins with a byte order mark, as its input did.
    """

    fields: tuple[str, ...] = DEFAULT_FIELDS
    summary_words: int | None = None
    prefix: str | None = None
    has_reasoning: bool = False
    has_truncated: bool = False
    guard: CsvGuard = CsvGuard.ADDED
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    has_bom: bool = False


def format_of(path: str, default: OutputFormat | None = None) -> OutputFormat:
    """Return the format that a file's extension names.

    Arguments:
        path: the file.
        default: for names without a known extension, such as `/dev/null`; None for an error.

    Raises:
        UsageError: the extension names no format, and there is no default.
    """
    name = PurePath(path.casefold())
    is_gzip = name.suffix == ".gz"
    extension = name.with_suffix("").suffix if is_gzip else name.suffix
    try:
        kind = OutputKind(extension.removeprefix("."))
    except ValueError as exc:
        if default is not None:
            return default
        raise UsageError(
            f"{path}: the extension names no known format; use one of .{', .'.join(OutputKind)}, "
            "each but the last also .gz."
        ) from exc
    if kind is OutputKind.PARQUET:
        if is_gzip:
            raise UsageError(f"{path}: Parquet is packed already; leave .gz out.")
        require_pyarrow()
    return OutputFormat(kind, is_gzip)

"""Options of one format, given for an input of another."""

from __future__ import annotations

from msgspec import Struct

from inference_forge.errors import UsageError
from inference_forge.events import Warned

_TABLES = ("csv", "tsv")
_TEXTS = (*_TABLES, "jsonl", "ndjson", "json")


class FormatOptions(Struct, frozen=True, kw_only=True):
    """How the user says that an input is to be read; None where nothing was said.

    Attributes:
        encoding: of text.
        delimiter: of tables.
        sheet: of workbooks.
        has_header: whether a table's first row names the columns.
    """

    encoding: str | None
    delimiter: str | None
    sheet: str | None
    has_header: bool

    def unused(self, format_: str) -> tuple[Warned, ...]:
        """Return the warning that some of these say nothing about a format; none without any.

        Arguments:
            format_: `csv`, `tsv`, `jsonl`, `ndjson`, `json`, `xlsx` or `parquet`.

        Raises:
            UsageError: the first row of a workbook would be lost.
        """
        if format_ == "xlsx" and not self.has_header:
            raise UsageError(
                "--no-header is not for workbooks, whose first row must name the columns: add "
                "such a row, or save the sheet as CSV"
            )
        given = {
            "--encoding": self.encoding is not None and format_ not in _TEXTS,
            "--delimiter": self.delimiter is not None and format_ not in _TABLES,
            "--no-header": not self.has_header and format_ not in _TABLES,
            "--sheet": self.sheet is not None and format_ != "xlsx",
        }
        names = [name for name, is_unused in given.items() if is_unused]
        if not names:
            return ()
        message = f"{' and '.join(names)} not used: the input is {format_}, which has no such thing"
        return (Warned("option_unused", message),)

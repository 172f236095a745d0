"""Open an input in the format that its name or its first bytes show."""

from __future__ import annotations

import codecs
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, assert_never

from msgspec.structs import replace

from inference_forge.adapters.sources.bytestream import ByteStream, open_bytes
from inference_forge.adapters.sources.containers import Container, container_of, open_container
from inference_forge.adapters.sources.csv_rows import CsvRows
from inference_forge.adapters.sources.decoding import Utf8Chunks, check_encoding
from inference_forge.adapters.sources.dialect import check_delimiter
from inference_forge.adapters.sources.foreign import refuse_foreign
from inference_forge.adapters.sources.json_document import JsonDocument
from inference_forge.adapters.sources.json_items import json_lines
from inference_forge.adapters.sources.json_rows import JsonRows
from inference_forge.adapters.sources.json_seen import (
    is_document,
    is_lines,
    is_table,
    may_be_json,
    sniff,
)
from inference_forge.adapters.sources.source import FileSource, RowReader
from inference_forge.adapters.sources.unused import FormatOptions
from inference_forge.adapters.sources.wanted import WantedColumns
from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


class InputFormat(StrEnum):
    """How tickets stand in an input."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    NDJSON = "ndjson"
    JSON = "json"


def open_source(
    path: str,
    *,
    is_labelled: bool = False,
    stdin: BinaryIO | None = None,
    input_format: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    has_header: bool = True,
    sheet: str | None = None,
    text_columns: Sequence[str] = (),
    id_column: str | None = None,
    tenant_column: str | None = None,
    context_columns: Sequence[str] = (),
    keeps_lines: bool = False,
) -> FileSource:
    """Open the tickets in `path` and decide which columns are read.

    The first rows are read already, so that every error of the input as a whole that they show
    comes from here, before anything is sent or written.

    Arguments:
        path: a file, or `-` for standard input.
        is_labelled: whether it is labels that matter, as in results: there may be no text then,
            and what forge added is no column of the ticket's.
        stdin: standard input in binary; only used for `-`.
        input_format: `csv`, `tsv`, `jsonl`, `ndjson`, `json`, `xlsx` or `parquet`; None goes by
            the first bytes of the last two, else by the extension (`.gz` behind it is allowed),
            for standard input JSON lines.
        encoding: name of the text encoding; None for the byte order mark's, else UTF-8.
        delimiter: what separates cells; None detects it.
        has_header: whether a table's first row names the columns; else they are `column_1` and
            so on, and may be named by number.
        sheet: name of a workbook's sheet; None for the first that is not blank.
        text_columns: columns of the text, joined in this order; empty decides by name.
        id_column: the id column; None decides by name.
        tenant_column: the tenant column; None for no tenants.
        context_columns: columns that are sent before the text, in this order.
        keeps_lines: whether texts keep their line breaks, as `PreparedSource` may need them.

    Raises:
        UsageError: an argument is wrong, the format is unknown, or no text column was found.
        InputError: the input cannot be read.
    """
    wanted = WantedColumns(
        tuple(text_columns), id_column, tenant_column, tuple(context_columns), keeps_lines
    )
    checked_encoding, checked_delimiter = check_encoding(encoding), check_delimiter(delimiter)
    options = FormatOptions(
        encoding=encoding, delimiter=delimiter, sheet=sheet, has_header=has_header
    )
    stream = open_bytes(path, stdin)
    wanted = replace(wanted, is_labelled=is_labelled)
    try:
        container = container_of(stream, path, input_format)
        if container is not None:
            unused = options.unused(container)
            return open_container(stream, container, sheet=sheet, wanted=wanted).noting(unused)
        format_ = _named_format(path, input_format)
        is_csv = format_ in (InputFormat.CSV, InputFormat.TSV)
        refuse_foreign(stream, is_table=is_csv, has_encoding=encoding is not None)
        if input_format is None and not is_csv:
            format_ = _seen_format(stream, path, format_)
        rows: RowReader
        match format_:
            case InputFormat.CSV | InputFormat.TSV:
                is_tsv = format_ is InputFormat.TSV
                rows = CsvRows(
                    stream,
                    encoding=checked_encoding,
                    delimiter=checked_delimiter or ("\t" if is_tsv else None),
                    wanted=wanted,
                    has_header=has_header,
                )
            case InputFormat.JSONL | InputFormat.NDJSON | InputFormat.JSON:
                rows = _json_rows(stream, format_, checked_encoding, wanted)
            case _:
                assert_never(format_)
    except BaseException:
        stream.close()
        raise
    return FileSource(stream, rows).noting(options.unused(format_))


def _json_rows(
    stream: ByteStream, format_: InputFormat, encoding: str | None, wanted: WantedColumns
) -> JsonRows:
    """Return the rows of JSON lines or of a document."""
    chunks = Utf8Chunks(stream, encoding)
    if format_ is InputFormat.JSON:
        items = JsonDocument(chunks, stream.name).items()
    else:
        items = json_lines(chunks)
    return JsonRows(
        items,
        path=stream.name,
        wanted=wanted,
        had_bom=chunks.had_bom,
        is_live=stream.is_live,
        noted=lambda: chunks.warnings,
    )


def _named_format(path: str, input_format: str | None) -> InputFormat:
    """Return the format that the flag or the extension names."""
    if input_format is not None:
        try:
            return InputFormat(input_format.casefold())
        except ValueError as exc:
            raise UsageError(
                f"Unknown input format {input_format!r}: use "
                f"{', '.join((*InputFormat, *Container))}."
            ) from exc
    if path == "-":
        return InputFormat.JSONL
    name = PurePath(path.casefold().removesuffix(".gz"))
    try:
        return InputFormat(name.suffix.removeprefix("."))
    except ValueError as exc:
        raise UsageError(
            f"{path}: the extension names no known format ({', '.join(InputFormat)}, each also "
            f".gz; {', '.join(Container)}): add --input-format."
        ) from exc


def _seen_format(stream: ByteStream, path: str, named: InputFormat) -> InputFormat:
    """Return the JSON format that the first bytes show.

    A `.json` file often holds JSON lines; standard input may be a document. A `.jsonl` file is
    what it says, unless it is a table.

    Raises:
        UsageError: standard input is no JSON.
        InputError: a file is a table.
    """
    head = sniff(stream)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "ignore").encode("utf-8", "ignore")
    head = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if path == "-" and not may_be_json(head):
        raise UsageError(
            "Standard input is read as JSON lines, but its first line looks like CSV: "
            "add --input-format csv."
        )
    if is_table(head):
        raise InputError("looks like CSV, not JSON: add --input-format csv", path=path)
    if path != "-" and named is not InputFormat.JSON:
        return named
    if named is InputFormat.JSON:
        return InputFormat.JSONL if is_lines(head) else named
    return InputFormat.JSON if is_document(head) else named

"""Settings of what is read, sent of it, and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from inference_forge.settings.choices import (
    Cleaning,
    CsvGuard,
    OnLong,
    Order,
    Redaction,
)
from inference_forge.settings.doc import (
    INPUT,
    OUTPUT,
    SENT,
    Doc,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """How tickets are read and results written."""

    text_column: Annotated[
        tuple[str, ...],
        Doc("Column that holds the ticket's text; repeat to join several.", INPUT),
    ] = ()
    id_column: Annotated[str | None, Doc("Column with the ticket's id, for people.", INPUT)] = None
    tenant_column: Annotated[
        str | None, Doc("Column that keeps tenants' answers apart.", INPUT)
    ] = None
    context_column: Annotated[
        tuple[str, ...],
        Doc("Column to send before the text, as NAME: VALUE; repeat for several.", INPUT),
    ] = ()
    input_format: Annotated[
        str | None,
        Doc(
            "csv, tsv, jsonl, json, xlsx or parquet.",
            INPUT,
            shown_default="by extension; stdin: jsonl",
        ),
    ] = None
    encoding: Annotated[
        str | None, Doc("Encoding of CSV and TSV.", INPUT, shown_default="BOM, else UTF-8")
    ] = None
    delimiter: Annotated[
        str | None, Doc("Delimiter of CSV; `tab` for a tab.", INPUT, shown_default="detected")
    ] = None
    no_header: Annotated[
        bool, Doc("CSV without header: columns are column_1, column_2, ... or 1, 2, ...", INPUT)
    ] = False
    sheet: Annotated[
        str | None, Doc("Sheet of an XLSX workbook.", INPUT, shown_default="the first with data")
    ] = None
    offset: Annotated[int, Ge(0), Doc("Rows to leave out at the beginning.", INPUT)] = 0
    limit: Annotated[int | None, Ge(1), Doc("Most rows to read.", INPUT)] = None
    sample: Annotated[
        int | None, Ge(1), Doc("So many rows by chance, the same for the same --seed.", INPUT)
    ] = None
    seed: Annotated[int, Doc("Decides which rows --sample takes.", INPUT)] = 0
    clean: Annotated[
        tuple[Cleaning, ...], Doc("Send texts without what mail programs add.", SENT)
    ] = ()
    redact: Annotated[
        tuple[Redaction, ...], Doc("Send placeholders instead of addresses, numbers, keys.", SENT)
    ] = ()
    max_ticket_chars: Annotated[
        int | None, Ge(1), Doc("Most characters of a ticket that are sent.", SENT)
    ] = None
    on_long: Annotated[OnLong, Doc("What becomes of a longer ticket.", SENT)] = OnLong.FAIL
    output: Annotated[
        str | None,
        Doc(
            "Results file; its extension chooses the format; - is stdout.",
            OUTPUT,
            flag="-o,--output",
            shown_default="INPUT.results.EXT beside the input; stdin: stdout",
        ),
    ] = None
    failures: Annotated[
        str | None,
        Doc("Failures file.", OUTPUT, shown_default="INPUT.failures.EXT beside the results"),
    ] = None
    prefix: Annotated[
        str | None,
        Doc(
            "Put this before the names of all added columns.",
            OUTPUT,
            shown_default="none; forge_ when a name is taken",
        ),
    ] = None
    keep: Annotated[
        tuple[str, ...],
        Doc(
            "Input column that goes into the results; repeat for several.",
            OUTPUT,
            shown_default="all",
        ),
    ] = ()
    drop: Annotated[
        tuple[str, ...],
        Doc("Input column that is left out of the results; repeat for several.", OUTPUT),
    ] = ()
    order: Annotated[Order, Doc("Order of the rows written.", OUTPUT)] = Order.INPUT
    csv_guard: Annotated[
        CsvGuard, Doc("Guard cells against running as spreadsheet formulas.", OUTPUT)
    ] = CsvGuard.ADDED
    keep_reasoning: Annotated[
        bool, Doc("Add a column with what the model thought aloud.", OUTPUT)
    ] = False
    publish_partial: Annotated[
        bool,
        Doc("After a stop, write what is done, and INPUT.pending.EXT with the rest.", OUTPUT),
    ] = False
    max_failure_rate: Annotated[
        float, Ge(0), Le(1), Doc("Share of failed rows that still exits with 0.", OUTPUT)
    ] = 0.0

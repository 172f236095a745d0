"""Every setting: one list from which flags, environment variables, file keys and help are made.

The fields' `Doc` carries what a person reads about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - read at run time by get_type_hints
from typing import Annotated

from annotated_types import Ge, Gt, Le

from inference_forge.settings.choices import (
    CacheMode,
    Cleaning,
    CsvGuard,
    OnLong,
    ProgressStyle,
    Reasoning,
    Redaction,
    SummaryMode,
)


class Order(StrEnum):
    """In which order rows are written."""

    INPUT = "input"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class Doc:
    """What people read about a setting.

    Attributes:
        text: one line for `--help`.
        group: the heading under which `--help` lists it.
        name: key in files and, with dashes, flag; the field's name when None.
        flag: spelling of the flag when it is not made from the name.
        is_duration: given as seconds or as text such as `90s`, `15m`, `1h30m`, `30d`.
        shown_default: how to show the default when its value says too little.
    """

    text: str
    group: str
    name: str | None = None
    flag: str | None = None
    is_duration: bool = False
    shown_default: str | None = None


_INPUT, _SENT, _OUTPUT, _MODEL, _LIMITS, _MONEY, _CACHE, _SCREEN = (
    "Input",
    "What is sent",
    "Output",
    "Model",
    "Speed and patience",
    "Money",
    "Cache",
    "Screen",
)
_Count = Annotated[int, Ge(1)]
_Seconds = Annotated[float, Gt(0), Le(10 * 365 * 86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Validated settings of one command; durations in seconds."""

    text_column: Annotated[
        tuple[str, ...],
        Doc("Column that holds the ticket's text; repeat to join several.", _INPUT),
    ] = ()
    id_column: Annotated[str | None, Doc("Column with the ticket's id, for people.", _INPUT)] = None
    tenant_column: Annotated[
        str | None, Doc("Column that keeps tenants' answers apart.", _INPUT)
    ] = None
    context_column: Annotated[
        tuple[str, ...],
        Doc("Column to send before the text, as NAME: VALUE; repeat for several.", _INPUT),
    ] = ()
    input_format: Annotated[
        str | None,
        Doc(
            "csv, tsv, jsonl, json, xlsx or parquet.",
            _INPUT,
            shown_default="by extension; stdin: jsonl",
        ),
    ] = None
    encoding: Annotated[
        str | None, Doc("Encoding of CSV and TSV.", _INPUT, shown_default="BOM, else UTF-8")
    ] = None
    delimiter: Annotated[
        str | None, Doc("Delimiter of CSV; `tab` for a tab.", _INPUT, shown_default="detected")
    ] = None
    no_header: Annotated[
        bool, Doc("CSV without header: columns are column_1, column_2, ... or 1, 2, ...", _INPUT)
    ] = False
    sheet: Annotated[
        str | None, Doc("Sheet of an XLSX workbook.", _INPUT, shown_default="the first with data")
    ] = None
    offset: Annotated[int, Ge(0), Doc("Rows to leave out at the beginning.", _INPUT)] = 0
    limit: Annotated[int | None, Ge(1), Doc("Most rows to read.", _INPUT)] = None
    sample: Annotated[
        int | None, Ge(1), Doc("So many rows by chance, the same for the same --seed.", _INPUT)
    ] = None
    seed: Annotated[int, Doc("Decides which rows --sample takes.", _INPUT)] = 0
    clean: Annotated[
        tuple[Cleaning, ...], Doc("Send texts without what mail programs add.", _SENT)
    ] = ()
    redact: Annotated[
        tuple[Redaction, ...], Doc("Send placeholders instead of addresses, numbers, keys.", _SENT)
    ] = ()
    max_ticket_chars: Annotated[
        int | None, Ge(1), Doc("Most characters of a ticket that are sent.", _SENT)
    ] = None
    on_long: Annotated[OnLong, Doc("What becomes of a longer ticket.", _SENT)] = OnLong.FAIL
    output: Annotated[
        str | None,
        Doc(
            "Results file; its extension chooses the format; - is stdout.",
            _OUTPUT,
            flag="-o,--output",
            shown_default="INPUT.results.EXT beside the input; stdin: stdout",
        ),
    ] = None
    failures: Annotated[
        str | None,
        Doc("Failures file.", _OUTPUT, shown_default="INPUT.failures.EXT beside the results"),
    ] = None
    prefix: Annotated[
        str | None,
        Doc(
            "Put this before the names of all added columns.",
            _OUTPUT,
            shown_default="none; forge_ when a name is taken",
        ),
    ] = None
    keep: Annotated[
        tuple[str, ...],
        Doc(
            "Input column that goes into the results; repeat for several.",
            _OUTPUT,
            shown_default="all",
        ),
    ] = ()
    drop: Annotated[
        tuple[str, ...],
        Doc("Input column that is left out of the results; repeat for several.", _OUTPUT),
    ] = ()
    order: Annotated[Order, Doc("Order of the rows written.", _OUTPUT)] = Order.INPUT
    csv_guard: Annotated[
        CsvGuard, Doc("Guard cells against running as spreadsheet formulas.", _OUTPUT)
    ] = CsvGuard.ADDED
    keep_reasoning: Annotated[
        bool, Doc("Add a column with what the model thought aloud.", _OUTPUT)
    ] = False
    publish_partial: Annotated[
        bool,
        Doc("After a stop, write what is done, and INPUT.pending.EXT with the rest.", _OUTPUT),
    ] = False
    max_failure_rate: Annotated[
        float, Ge(0), Le(1), Doc("Share of failed rows that still exits with 0.", _OUTPUT)
    ] = 0.0
    provider: Annotated[
        str, Doc("Who answers: local, sarvam, openai, ollama, vllm, ...", _MODEL)
    ] = "local"
    model: Annotated[
        str | None, Doc("Model to ask.", _MODEL, shown_default="the provider's default")
    ] = None
    base_url: Annotated[
        str | None,
        Doc("API address up to and including /v1.", _MODEL, shown_default="the provider's"),
    ] = None
    fallback_model: Annotated[
        str | None,
        Doc("Model to ask while the first one is out.", _MODEL, shown_default="none"),
    ] = None
    fallback_provider: Annotated[
        str | None,
        Doc("Provider of the fallback model.", _MODEL, shown_default="the same provider"),
    ] = None
    allow_models: Annotated[
        tuple[str, ...],
        Doc("Model that may be asked: [provider/]name, * and ?.", _MODEL, shown_default="any"),
    ] = ()
    simulation: Annotated[
        str | None,
        Doc(
            "How --provider simulated behaves, for example latency=0.2,rpm=3000,seed=1.",
            _MODEL,
            shown_default="quick and faultless",
        ),
    ] = None
    taxonomy: Annotated[
        Path | None, Doc("Taxonomy file (TOML).", _MODEL, shown_default="built in")
    ] = None
    fields: Annotated[
        tuple[str, ...],
        Doc("Ask for these fields only: category,priority.", _MODEL, shown_default="all"),
    ] = ()
    summary: Annotated[
        SummaryMode, Doc("Summary by the model, taken from the text, or none.", _MODEL)
    ] = SummaryMode.LLM
    pack: Annotated[
        bool, Doc("Ask about several tickets in one request: the cheapest way.", _MODEL)
    ] = False
    pack_size: Annotated[
        str,
        Doc("Most tickets in a request with --pack.", _MODEL, shown_default="auto: 5, 10 or 20"),
    ] = "auto"
    max_output_tokens: Annotated[
        int, Ge(16), Le(1_000_000), Doc("Cap on one answer's tokens.", _MODEL)
    ] = 512
    reasoning: Annotated[
        Reasoning | None,
        Doc(
            "How much the model thinks before it answers.",
            _MODEL,
            shown_default="off where all models can be told so",
        ),
    ] = None
    stream: Annotated[
        bool, Doc("Have answers sent as they are written, and time their first word.", _MODEL)
    ] = False
    concurrency: Annotated[_Count, Le(10_000), Doc("Most requests in flight.", _LIMITS)] = 32
    attempts: Annotated[_Count, Le(10), Doc("Tries that count against a ticket.", _LIMITS)] = 3
    rpm: Annotated[
        float | None,
        Gt(0),
        Doc("Requests per minute that your account allows.", _LIMITS, shown_default="learned"),
    ] = None
    tpm: Annotated[
        float | None,
        Gt(0),
        Doc("Tokens per minute that your account allows.", _LIMITS, shown_default="learned"),
    ] = None
    min_interval_ms: Annotated[
        float,
        Ge(0),
        Le(3_600_000),
        Doc("Least time between two requests, in milliseconds.", _LIMITS),
    ] = 0.0
    timeout_s: Annotated[
        _Seconds, Doc("Time for one request in all.", _LIMITS, name="timeout", is_duration=True)
    ] = 60.0
    ticket_deadline_s: Annotated[
        _Seconds,
        Doc("Time for all tries of a ticket.", _LIMITS, name="ticket_deadline", is_duration=True),
    ] = 600.0
    outage_budget_s: Annotated[
        _Seconds,
        Doc(
            "How long an outage may last before the run stops with exit 75.",
            _LIMITS,
            name="outage_budget",
            is_duration=True,
        ),
    ] = 900.0
    deadline: Annotated[
        str | None,
        Doc(
            "Stop with exit 6 at a time (06:00, local) or after a while (90m).",
            _LIMITS,
            shown_default="none",
        ),
    ] = None
    breaker_failures: Annotated[
        _Count, Doc("Failed tries in a row that open the breaker.", _LIMITS)
    ] = 5
    breaker_window_s: Annotated[
        _Seconds,
        Doc(
            "How long the breaker remembers a try.",
            _LIMITS,
            name="breaker_window",
            is_duration=True,
        ),
    ] = 60.0
    breaker_recovery_s: Annotated[
        _Seconds,
        Doc(
            "How long the breaker stays open before the first probe.",
            _LIMITS,
            name="breaker_recovery",
            is_duration=True,
        ),
    ] = 5.0
    linger_s: Annotated[
        float,
        Ge(0),
        Le(60),
        Doc(
            "How long a ticket waits for others to fill its pack.",
            _LIMITS,
            name="linger",
            is_duration=True,
        ),
    ] = 0.5
    grace_s: Annotated[
        float,
        Ge(0),
        Doc("Time to finish requests after Ctrl-C.", _LIMITS, name="grace", is_duration=True),
    ] = 20.0
    max_cost: Annotated[
        str | None,
        Doc("Most that may be spent, such as 2.50, in the currency of the price.", _MONEY),
    ] = None
    max_total_tokens: Annotated[
        int | None, Ge(1), Doc("Most tokens in and out, of all requests.", _MONEY)
    ] = None
    max_requests: Annotated[int | None, Ge(1), Doc("Most requests sent.", _MONEY)] = None
    price_in: Annotated[
        float | None, Ge(0), Doc("Price of a million input tokens.", _MONEY, shown_default="table")
    ] = None
    price_out: Annotated[
        float | None, Ge(0), Doc("Price of a million output tokens.", _MONEY, shown_default="table")
    ] = None
    price_currency: Annotated[str, Doc("Currency of --price-in and --price-out.", _MONEY)] = "USD"
    cache_dir: Annotated[
        Path | None,
        Doc("Where paid answers are kept.", _CACHE, shown_default="the user's cache directory"),
    ] = None
    cache: Annotated[
        bool,
        Doc("Keep answers for later runs.", _CACHE, flag="--cache/--no-cache"),
    ] = True
    refresh: Annotated[bool, Doc("Ask again, and replace what is cached.", _CACHE)] = False
    cache_mode: Annotated[
        CacheMode,
        Doc("Whether answers from packs and single requests serve each other.", _CACHE),
    ] = CacheMode.SHARED
    cache_ttl_s: Annotated[
        _Seconds | None,
        Doc(
            "Do not use cached answers older than this.",
            _CACHE,
            name="cache_ttl",
            is_duration=True,
            shown_default="no limit",
        ),
    ] = None
    progress: Annotated[
        ProgressStyle, Doc("rich, plain, none; auto is rich on a terminal.", _SCREEN)
    ] = ProgressStyle.AUTO
    quiet: Annotated[
        bool, Doc("No progress and no summary; warnings stay.", _SCREEN, flag="-q,--quiet")
    ] = False

"""Every setting: one list from which flags, environment variables, file keys and help are made.

The fields' `Doc` carries what a person reads about them. The list is long, so it is written in
three parts, each of which adds to the one before: tables, asking, and the rest here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003 - read at run time by get_type_hints
from typing import Annotated, Any

from annotated_types import Ge, Le

from inference_forge.levels import LogLevel
from inference_forge.settings.asking_fields import AskingSettings
from inference_forge.settings.choices import (
    CacheMode,
    LogFormat,
    ProgressStyle,
    TraceExport,
)
from inference_forge.settings.doc import (
    CACHE,
    MONEY,
    SCREEN,
    WATCH,
    Doc,
    Seconds,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(AskingSettings):
    """Validated settings of one command; durations in seconds."""

    max_cost: Annotated[
        str | None,
        Doc("Most that may be spent, such as 2.50, in the currency of the price.", MONEY),
    ] = None
    max_total_tokens: Annotated[
        int | None, Ge(1), Doc("Most tokens in and out, of all requests.", MONEY)
    ] = None
    max_requests: Annotated[int | None, Ge(1), Doc("Most requests sent.", MONEY)] = None
    confirm_above: Annotated[
        str,
        Doc("On a terminal, ask before a run that is estimated to cost more.", MONEY),
    ] = "1.00"
    price_in: Annotated[
        float | None, Ge(0), Doc("Price of a million input tokens.", MONEY, shown_default="table")
    ] = None
    price_out: Annotated[
        float | None, Ge(0), Doc("Price of a million output tokens.", MONEY, shown_default="table")
    ] = None
    price_currency: Annotated[str, Doc("Currency of --price-in and --price-out.", MONEY)] = "USD"
    cache_dir: Annotated[
        Path | None,
        Doc("Where paid answers are kept.", CACHE, shown_default="the user's cache directory"),
    ] = None
    cache: Annotated[
        bool,
        Doc("Keep answers for later runs.", CACHE, flag="--cache/--no-cache"),
    ] = True
    refresh: Annotated[bool, Doc("Ask again, and replace what is cached.", CACHE)] = False
    cache_mode: Annotated[
        CacheMode,
        Doc("Whether answers from packs and single requests serve each other.", CACHE),
    ] = CacheMode.SHARED
    cache_ttl_s: Annotated[
        Seconds | None,
        Doc(
            "Do not use cached answers older than this.",
            CACHE,
            name="cache_ttl",
            is_duration=True,
            shown_default="no limit",
        ),
    ] = None
    progress: Annotated[
        ProgressStyle, Doc("rich, plain, json, none; auto is rich on a terminal.", SCREEN)
    ] = ProgressStyle.AUTO
    quiet: Annotated[
        bool, Doc("No progress and no summary; warnings stay.", SCREEN, flag="-q,--quiet")
    ] = False
    log_format: Annotated[
        LogFormat,
        Doc("human, json; auto is for people on stderr, and JSON in --log-file.", SCREEN),
    ] = LogFormat.AUTO
    log_level: Annotated[
        LogLevel, Doc("Least important lines written; debug tells of each request.", SCREEN)
    ] = LogLevel.INFO
    log_file: Annotated[
        Path | None, Doc("Append the lines to a file or descriptor, too.", SCREEN)
    ] = None
    summary_json: Annotated[
        str | None,
        Doc("Write the final summary as a JSON object; - is stdout.", WATCH),
    ] = None
    ping: Annotated[
        str | None,
        Doc("Call URL/start, then URL or URL/EXITCODE: a dead man's switch.", WATCH),
    ] = None
    events: Annotated[
        str | None,
        Doc("Append what happens as JSON lines to a file or descriptor; - is stdout.", WATCH),
    ] = None
    events_text: Annotated[
        bool, Doc("Let events hold ticket texts, ids, and what is said of them.", WATCH)
    ] = False
    metrics: Annotated[
        Path | None, Doc("Prometheus textfile NAME.prom, written every 10 s.", WATCH)
    ] = None
    metrics_port: Annotated[
        int | None,
        Ge(0),
        Le(65_535),
        Doc("Serve the metrics at 127.0.0.1 while the run lasts; 0 takes a free port.", WATCH),
    ] = None
    traces: Annotated[
        TraceExport,
        Doc("none, otlp, console: spans of OpenTelemetry; OTEL_* say where (extra: otel).", WATCH),
    ] = TraceExport.NONE

    def changed(self, **changes: Any) -> Settings:
        """Return these settings with some others, which nobody checks."""
        return replace(self, **changes)

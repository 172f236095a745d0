"""Every setting: one list from which flags, environment variables, file keys and help are made.

The fields' `Doc` carries what a person reads about them. The list is long, so it is written in
three parts, each of which adds to the one before: tables, asking, and the rest here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by get_type_hints
from typing import Annotated

from annotated_types import Ge

from inference_forge.settings.asking_fields import AskingSettings
from inference_forge.settings.choices import (
    CacheMode,
    ProgressStyle,
)
from inference_forge.settings.doc import (
    CACHE,
    MONEY,
    SCREEN,
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
        ProgressStyle, Doc("rich, plain, none; auto is rich on a terminal.", SCREEN)
    ] = ProgressStyle.AUTO
    quiet: Annotated[
        bool, Doc("No progress and no summary; warnings stay.", SCREEN, flag="-q,--quiet")
    ] = False

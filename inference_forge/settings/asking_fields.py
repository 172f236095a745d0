"""Settings of who is asked for what, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read at run time by get_type_hints
from typing import Annotated

from annotated_types import Ge, Gt, Le

from inference_forge.settings.choices import (
    HttpStack,
    Reasoning,
    SummaryMode,
)
from inference_forge.settings.doc import (
    LIMITS,
    MODEL,
    Count,
    Doc,
    Seconds,
)
from inference_forge.settings.table_fields import TableSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingSettings(TableSettings):
    """Who answers, and how fast, how often and how long is asked; durations in seconds."""

    provider: Annotated[
        str, Doc("Who answers: local, sarvam, openai, ollama, vllm, ...", MODEL)
    ] = "local"
    model: Annotated[
        str | None, Doc("Model to ask.", MODEL, shown_default="the provider's default")
    ] = None
    base_url: Annotated[
        str | None,
        Doc(
            "API address up to and including /v1; repeat it to share the work among servers.",
            MODEL,
            shown_default="the provider's",
            several="base_urls",
        ),
    ] = None
    base_urls: Annotated[
        tuple[str, ...], Doc("Addresses of several servers of one model.", MODEL)
    ] = ()
    api_key_file: Annotated[Path | None, Doc("File with the API key; one a line.", MODEL)] = None
    api_key_command: Annotated[
        str | None, Doc("Command that prints the API key; run without a shell.", MODEL)
    ] = None
    api_key_keyring: Annotated[
        str | None, Doc("Keyring entry of the API key: SERVICE or SERVICE/USER.", MODEL)
    ] = None
    fallback_model: Annotated[
        str | None,
        Doc("Model to ask while the first one is out.", MODEL, shown_default="none"),
    ] = None
    fallback_provider: Annotated[
        str | None,
        Doc("Provider of the fallback model.", MODEL, shown_default="the same provider"),
    ] = None
    allow_models: Annotated[
        tuple[str, ...],
        Doc("Model that may be asked: [provider/]name, * and ?.", MODEL, shown_default="any"),
    ] = ()
    simulation: Annotated[
        str | None,
        Doc(
            "How --provider simulated behaves, for example latency=0.2,rpm=3000,seed=1.",
            MODEL,
            shown_default="quick and faultless",
        ),
    ] = None
    taxonomy: Annotated[
        Path | None, Doc("Taxonomy file (TOML).", MODEL, shown_default="built in")
    ] = None
    fields: Annotated[
        tuple[str, ...],
        Doc("Ask for these fields only: category,priority.", MODEL, shown_default="all"),
    ] = ()
    summary: Annotated[
        SummaryMode, Doc("Summary by the model, taken from the text, or none.", MODEL)
    ] = SummaryMode.LLM
    pack: Annotated[
        bool, Doc("Ask about several tickets in one request: the cheapest way.", MODEL)
    ] = False
    pack_size: Annotated[
        str,
        Doc("Most tickets in a request with --pack.", MODEL, shown_default="auto: 5, 10 or 20"),
    ] = "auto"
    max_output_tokens: Annotated[
        int, Ge(16), Le(1_000_000), Doc("Cap on one answer's tokens.", MODEL)
    ] = 512
    reasoning: Annotated[
        Reasoning | None,
        Doc(
            "How much the model thinks before it answers.",
            MODEL,
            shown_default="off where all models can be told so",
        ),
    ] = None
    stream: Annotated[
        bool, Doc("Have answers sent as they are written, and time their first word.", MODEL)
    ] = False
    concurrency: Annotated[Count, Le(10_000), Doc("Most requests in flight.", LIMITS)] = 32
    http: Annotated[
        HttpStack,
        Doc("What speaks HTTP: the fastest there is, nothing of [fast], or httpx alone.", LIMITS),
    ] = HttpStack.AUTO
    attempts: Annotated[Count, Le(10), Doc("Tries that count against a ticket.", LIMITS)] = 3
    rpm: Annotated[
        float | None,
        Gt(0),
        Doc("Requests per minute that your account allows.", LIMITS, shown_default="learned"),
    ] = None
    tpm: Annotated[
        float | None,
        Gt(0),
        Doc("Tokens per minute that your account allows.", LIMITS, shown_default="learned"),
    ] = None
    min_interval_ms: Annotated[
        float,
        Ge(0),
        Le(3_600_000),
        Doc("Least time between two requests, in milliseconds.", LIMITS),
    ] = 0.0
    timeout_s: Annotated[
        Seconds, Doc("Time for one request in all.", LIMITS, name="timeout", is_duration=True)
    ] = 60.0
    ticket_deadline_s: Annotated[
        Seconds,
        Doc("Time for all tries of a ticket.", LIMITS, name="ticket_deadline", is_duration=True),
    ] = 600.0
    outage_budget_s: Annotated[
        Seconds,
        Doc(
            "How long an outage may last before the run stops with exit 75.",
            LIMITS,
            name="outage_budget",
            is_duration=True,
        ),
    ] = 900.0
    wake_s: Annotated[
        Seconds | None,
        Doc("How long to wait for a server that starts.", LIMITS, name="wake", is_duration=True),
    ] = None
    deadline: Annotated[
        str | None,
        Doc(
            "Stop with exit 6 at a time (06:00, local) or after a while (90m).",
            LIMITS,
            shown_default="none",
        ),
    ] = None
    breaker_failures: Annotated[
        Count, Doc("Failed tries in a row that open the breaker.", LIMITS)
    ] = 5
    breaker_window_s: Annotated[
        Seconds,
        Doc(
            "How long the breaker remembers a try.",
            LIMITS,
            name="breaker_window",
            is_duration=True,
        ),
    ] = 60.0
    breaker_recovery_s: Annotated[
        Seconds,
        Doc(
            "How long the breaker stays open before the first probe.",
            LIMITS,
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
            LIMITS,
            name="linger",
            is_duration=True,
        ),
    ] = 0.5
    grace_s: Annotated[
        float,
        Ge(0),
        Doc("Time to finish requests after Ctrl-C.", LIMITS, name="grace", is_duration=True),
    ] = 20.0

"""The figures of a run and its summary, as models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")]
Amounts = Annotated[
    dict[str, Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?([Ee][+-]?\d+)?$")]],
    Field(description="Amounts by currency, as exact decimals in text; empty for nothing."),
]
Counts = dict[str, Count]


class Model(BaseModel):
    """What all have in common: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Quantiles(Model):
    """Quantiles of a duration in seconds, at most 1 % off."""

    p50: Seconds
    p95: Seconds
    p99: Seconds


class Spared(Model):
    """What was not paid for, as an estimate."""

    tokens: Count
    cost: Amounts


class Saved(Model):
    """What was saved against one request for every row, by what spared it."""

    cache: Annotated[Spared, Field(description="Answers of earlier runs.")]
    coalescing: Annotated[Spared, Field(description="Rows that shared another row's call.")]
    packing: Annotated[Spared, Field(description="Tickets that shared a request.")]


class Stats(Model):
    """The figures of one input, or of a whole run."""

    rows: Annotated[Count, Field(description="Rows read.")]
    classified: Annotated[Count, Field(description="Cached ones included.")]
    failed: Count
    pending: Annotated[Count, Field(description="Read, without an outcome that is written.")]
    cache_hits: Annotated[Count, Field(description="Rows answered from the cache.")]
    coalesced: Annotated[Count, Field(description="Rows that shared another row's call.")]
    cache_hit_rate: Annotated[
        Share | None, Field(description="Of rows with an outcome; null without any.")
    ]
    failure_rate: Annotated[Share | None, Field(description="Likewise.")]
    by_complexity: Annotated[Counts, Field(description="Rows that became a ticket.")]
    failures: Annotated[Counts, Field(description="Failed rows by code.")]
    labels: Annotated[
        dict[str, Counts], Field(description="Classified rows by field and label; no free texts.")
    ]
    prepared: Annotated[Counts, Field(description="Texts not sent as they stand, by change.")]
    requests: Annotated[Count, Field(description="HTTP requests sent.")]
    packs: Annotated[Count, Field(description="Requests about several tickets.")]
    calls: Annotated[
        Counts, Field(description="Requests by status: 2xx, a status, none without a response.")
    ]
    endpoints: Annotated[Counts, Field(description="Requests by server or key, if several.")]
    retries: Count
    throttled: Annotated[Count, Field(description="Requests that asked for less load (429).")]
    breaker_openings: Count
    prompt_tokens: Count
    completion_tokens: Count
    tokens_are_estimated: Annotated[bool, Field(description="Not all were reported.")]
    cost: Amounts
    has_unknown_cost: Annotated[bool, Field(description="A part has no known price.")]
    unsettled_requests: Annotated[
        Count, Field(description="Without an answer; they may be billed all the same.")
    ]
    unsettled_tokens: Annotated[
        Count, Field(description="Their input, an estimate that no other figure contains.")
    ]
    saved: Saved
    latency_s: Annotated[Quantiles | None, Field(description="Of answers; null without any.")]
    first_token_s: Annotated[Quantiles | None, Field(description="With --stream.")]
    time_in_queue_s: Annotated[
        Quantiles | None, Field(description="From needing a call to its batch's dispatch.")
    ]
    queue_depth_max: Annotated[Count, Field(description="Most tickets that waited at a time.")]
    duration_s: Annotated[Seconds, Field(description="Wall time.")]


class InputEnd(Model):
    """What came of one input."""

    name: Annotated[str, Field(description="As the user named it.")]
    results: Annotated[str | None, Field(description="Where they are; - is stdout, null nowhere.")]
    failures: str | None
    pending: Annotated[str | None, Field(description="Where a stopped run set rows aside.")]
    stop: Annotated[str | None, Field(description="Why it stopped early; null if it did not.")]
    stats: Stats


class Summary(Model):
    """What `--summary-json` writes."""

    v: Annotated[Literal[1], Field(description="Version of this schema.")]
    run_id: str
    version: Annotated[str, Field(description="Of forge.")]
    provider: Annotated[str, Field(description="Empty when the run ended before it was known.")]
    model: str
    started_at: Moment
    ended_at: Moment
    duration_s: Seconds
    exit_code: Annotated[int, Field(description="As the shell sees it.")]
    stop: Annotated[str | None, Field(description="Why it ended early; null if it did not.")]
    stats: Annotated[Stats, Field(description="Over all inputs.")]
    inputs: Annotated[list[InputEnd], Field(description="Those that were begun.")]

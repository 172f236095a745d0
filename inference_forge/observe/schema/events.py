"""The lines of `--events`, as models."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from inference_forge.observe.schema.figures import (
    Amounts,
    Count,
    Counts,
    Model,
    Moment,
    Seconds,
    Stats,
)

Size = Literal["simple", "medium", "complex"]
_SAID: Final = "In words; null where they could quote a ticket, unless --events-text."
Said = Annotated[str | None, Field(description=_SAID)]
Rows = Annotated[list[Count], Field(description="Indexes of the rows, the first is 0.")]
Wait = Annotated[Seconds, Field(description="Seconds until something is sent again.")]


class Line(Model):
    """What every line has."""

    v: Annotated[Literal[1], Field(description="Version of this schema.")]
    run_id: Annotated[str, Field(description="One a command; `forge runs` knows it, too.")]
    seq: Annotated[Count, Field(description="From 0, without gaps but those `lost` tells of.")]
    time: Annotated[Moment, Field(description="When it was written, UTC.")]
    t_s: Annotated[Seconds, Field(description="Seconds since the run started.")]


class InputLine(Line):
    """What every line about one input has."""

    input: Annotated[int, Field(ge=1, description="Which of the inputs, from 1.")]


class RunStarted(Line):
    """The first line of a run."""

    event: Literal["run_started"]
    version: Annotated[str, Field(description="Of forge.")]
    provider: str
    model: str
    fallback: Annotated[str | None, Field(description="PROVIDER/MODEL that steps in.")]
    inputs: list[str]
    settings: Annotated[dict[str, Any], Field(description="All, by their name in forge.toml.")]
    fields: Annotated[
        dict[str, list[str]], Field(description="What is asked for: labels by field, none of text.")
    ]


class InputStarted(InputLine):
    """An input is about to be read."""

    event: Literal["input_started"]
    name: str


class Columns(InputLine):
    """How the columns are read."""

    event: Literal["columns"]
    reading: str


class Progress(InputLine):
    """Where the input stands: every second, and at its end."""

    event: Literal["progress"]
    completed: Annotated[Count, Field(description="Rows with an outcome.")]
    total: Annotated[Count | None, Field(description="Rows in the input; null if unknown.")]
    total_is_exact: bool
    read: Count
    cache_hits: Count
    coalesced: Count
    failed: Count
    eta_seconds: Seconds | None
    in_flight: Annotated[Count, Field(description="Requests under way.")]
    limit: Annotated[Count, Field(description="Most that may be under way now.")]
    rate_limit_per_s: Annotated[
        Seconds | None, Field(description="Requests per second that the provider admits.")
    ]
    requests: Count
    queue_depth: Annotated[Count, Field(description="Tickets that wait for a call.")]
    breaker: Literal["closed", "open", "half_open"]
    tokens: Count
    cost: Amounts


class Attempt(InputLine):
    """One HTTP request ended."""

    event: Literal["attempt"]
    rows: Rows
    complexity: Size
    kind: Literal["ok", "transient", "throttle", "ticket", "way", "fatal", "answer"]
    code: Annotated[str, Field(description="ok, or the error's.")]
    status: Annotated[int | None, Field(description="Null with an answer, or no response.")]
    latency_s: Seconds
    first_token_s: Seconds | None
    in_flight: Count
    limit: Count
    rate_limit_per_s: Seconds | None
    endpoint: Annotated[str, Field(description="Which server or key; empty for the only one.")]
    unsettled_tokens: Annotated[
        Count, Field(description="Estimated input of one without an answer that may be billed.")
    ]


class Retry(InputLine):
    """A ticket waits before its next try."""

    event: Literal["retry"]
    code: str
    wait_s: Wait
    attempt: Count


class Throttle(InputLine):
    """Nothing is sent for a while, because the provider wants it so."""

    event: Literal["throttle"]
    reason: str
    wait_s: Wait


class Breaker(InputLine):
    """The breaker moved."""

    event: Literal["breaker"]
    before: Literal["closed", "open", "half_open"]
    after: Literal["closed", "open", "half_open"]
    wait_s: Wait
    cause: Said


class Endpoint(InputLine):
    """One of several servers or keys came or went, and the others go on."""

    event: Literal["endpoint"]
    name: str
    state: Literal["out", "back", "paused"]
    wait_s: Wait
    cause: Said


class Waking(InputLine):
    """A server that starts is waited for, or is not any longer."""

    event: Literal["waking"]
    name: str
    state: Literal["waiting", "awake", "given_up"]
    seconds: Annotated[Seconds, Field(description="Waited at most, or waited.")]


class BatchDone(InputLine):
    """All tickets of a batch have their outcome."""

    event: Literal["batch_done"]
    batch: Annotated[int, Field(ge=1)]
    complexity: Size
    tickets: Count
    failed: Count
    duration_s: Annotated[Seconds, Field(description="Since it was dispatched.")]


class Ticket(InputLine):
    """A row that needed a call, or failed, has its outcome; others are counted by `rows`."""

    event: Literal["ticket"]
    row: Annotated[Count, Field(description="Index in the input, the first is 0.")]
    outcome: Literal["done", "failed"]
    code: Annotated[str, Field(description="ok, or the failure's.")]
    complexity: Annotated[Size | None, Field(description="Null if it never became a ticket.")]
    labels: Annotated[dict[str, str], Field(description="By field; free texts: --events-text.")]
    model: Annotated[str | None, Field(description="That answered; null for a failure.")]
    batch: Annotated[int | None, Field(description="Null if it was in none.")]
    queue_s: Annotated[Seconds | None, Field(description="Waited until it was dispatched.")]
    took_s: Annotated[Seconds | None, Field(description="From there to its outcome.")]
    attempts: Annotated[Count, Field(description="Tries that counted against it.")]
    tries: Annotated[Count, Field(description="Requests sent for it.")]
    prompt_tokens: Count
    completion_tokens: Count
    cost: Annotated[str | None, Field(description="Null for unknown.")]
    currency: str
    id: Annotated[str | None, Field(description="With --events-text.")] = None
    text: Annotated[str | None, Field(description="With --events-text.")] = None
    detail: Annotated[str | None, Field(description="With --events-text.")] = None


class Rows_(InputLine):  # noqa: N801 - the name is another's
    """Rows got their outcome."""

    event: Literal["rows"]
    classified: Count
    failed: Count
    cache_hits: Count
    coalesced: Count
    failures: Annotated[Counts, Field(description="By code.")]


class LateFailures(InputLine):
    """Classified rows that did not fit the results file went to the failures."""

    event: Literal["late_failures"]
    failures: Annotated[Counts, Field(description="By code.")]


class Warning_(InputLine):  # noqa: N801 - the name is a builtin's
    """Something that the user was told."""

    event: Literal["warning"]
    code: str
    message: Said
    is_note: Annotated[bool, Field(description="Nothing is wrong.")]


class InputFinished(InputLine):
    """What came of an input."""

    event: Literal["input_finished"]
    name: str
    results: Annotated[str | None, Field(description="Where they are; - is stdout, null nowhere.")]
    failures: str | None
    pending: str | None
    is_stopped: bool
    stop: Said
    stats: Stats


class Lost(Line):
    """Lines are missing here: who reads them is too slow."""

    event: Literal["lost"]
    lines: Annotated[int, Field(ge=1)]


class RunFinished(Line):
    """The last line of a run; a run without it was killed."""

    event: Literal["run_finished"]
    exit_code: int
    stop: Said
    stats: Annotated[Stats, Field(description="Over all inputs.")]


LINES: Final = (
    RunStarted, InputStarted, Columns, Progress, Attempt, Retry, Throttle, Breaker, Endpoint,
    Waking, BatchDone, Ticket, Rows_, LateFailures, Warning_, InputFinished, Lost, RunFinished,
)  # fmt: skip

EventLine = Annotated[
    RunStarted
    | InputStarted
    | Columns
    | Progress
    | Attempt
    | Retry
    | Throttle
    | Breaker
    | Endpoint
    | Waking
    | BatchDone
    | Ticket
    | Rows_
    | LateFailures
    | Warning_
    | InputFinished
    | Lost
    | RunFinished,
    Field(discriminator="event"),
]

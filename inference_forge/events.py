"""What happens in a run, as frozen values; every observer sees the same stream.

Times are seconds on the run's monotonic clock, durations are seconds. No event carries keys. Only
`RowsResolved` refers to rows with their text and answers, which no observer shows unasked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.models import Complexity, ResolvedRow, Spending, Usage


class RunStarted(Struct, frozen=True):
    """A run over one input begins; `concurrency` is the hard cap."""

    source: str
    provider: str
    model: str
    concurrency: int


class ColumnsRecognised(Struct, frozen=True):
    """The first block told how the columns are read: `text = Subject + Description; id = Key`."""

    reading: str


class RowsRead(Struct, frozen=True):
    """A block was read.

    Attributes:
        rows: rows in this block.
        is_end: True when the input is exhausted and the total is exact.
        bytes_read: of the file, so far.
        bytes_total: None for a pipe.
    """

    rows: int
    is_end: bool
    bytes_read: int
    bytes_total: int | None


class TextsChanged(Struct, frozen=True):
    """Texts of a block are not sent as they stand in the input.

    Attributes:
        changes: texts that were `cleaned`, `redacted` and `cut`; texts out of which `html`,
            `quotes` and `signature` were cleaned; and how often `email`, `phone`, `card` and
            `key` were redacted. What is 0 is not in it.
    """

    changes: Mapping[str, int]


class RowsResolved(Struct, frozen=True):
    """Rows got their outcome (not yet written).

    Attributes:
        classified: rows with a classification, hits included.
        failed: rows with a failure.
        cache_hits: rows answered from the cache.
        coalesced: rows that shared another row's call.
        by_complexity: rows by complexity; rows that never became a ticket are in none.
        failures: failed rows by code.
        hit_chars: characters of the texts that were answered from the cache.
        coalesced_chars: characters of the texts that shared another row's call.
        rows: the rows themselves.
    """

    classified: int = 0
    failed: int = 0
    cache_hits: int = 0
    coalesced: int = 0
    by_complexity: Mapping[Complexity, int] | None = None
    failures: Mapping[str, int] | None = None
    hit_chars: int = 0
    coalesced_chars: int = 0
    rows: Sequence[ResolvedRow] = ()

    def __repr__(self) -> str:
        """Show the counts; the rows hold texts."""
        return f"<RowsResolved classified={self.classified} failed={self.failed}>"


class LateFailures(Struct, frozen=True):
    """Classified rows that did not fit the results file and went to the failures, by code."""

    failures: Mapping[str, int]


class TicketsQueued(Struct, frozen=True):
    """Tickets wait for a call, by complexity."""

    by_complexity: Mapping[Complexity, int]


class BatchStarted(Struct, frozen=True):
    """A batch was cut and dispatched.

    Attributes:
        rows: index of each ticket's row.
        waited_s: how long each ticket waited in the queue, in the same order.
    """

    number: int
    complexity: Complexity
    tickets: int
    rows: Sequence[int] = ()
    waited_s: Sequence[float] = ()


class CallSpared(Struct, frozen=True):
    """A ticket of a batch needs no call: another run has stored the answer."""

    complexity: Complexity


class TryFinished(Struct, frozen=True):
    """One HTTP request ended.

    Attributes:
        code: `ok`, or the error's code.
        kind: `ok`, `transient`, `throttle`, `ticket`, `way`, `fatal` or `answer`.
        latency_s: from sending to the last byte.
        status: HTTP status, None without a response.
        in_flight: tries under way after this one, at all endpoints.
        limit: the concurrency limit in force, of all endpoints.
        rate_per_s: requests per second that the provider is known to admit, told or learned; None
            when unknown.
        address: method, host and path; empty for a provider that sends nothing.
        tickets: how many the request was about.
        first_token_s: from sending to the answer's first word; None unless it was streamed.
        endpoint: which of several servers or keys; empty when there is one.
        unsettled_tokens: estimated input tokens of a try that brought no answer, and may be billed
            all the same; 0 for all others. No ticket's spending contains them.
        rows: index of each ticket's row.
        model: that was asked.
        usage: what the answer took; None without one.
    """

    complexity: Complexity
    kind: str
    code: str
    latency_s: float
    status: int | None
    in_flight: int
    limit: int
    rate_per_s: float | None = None
    address: str = ""
    tickets: int = 1
    first_token_s: float | None = None
    endpoint: str = ""
    unsettled_tokens: int = 0
    rows: Sequence[int] = ()
    model: str = ""
    usage: Usage | None = None


class TicketFinished(Struct, frozen=True):
    """A ticket that needed calls got its outcome; `code` is `ok` or the failure's.

    Attributes:
        chars: how long its text is.
    """

    complexity: Complexity
    code: str
    spending: Spending
    chars: int = 0


class RetryScheduled(Struct, frozen=True):
    """A ticket waits before its next try, holding no slot."""

    code: str
    wait_s: float
    attempt: int


class BreakerChanged(Struct, frozen=True):
    """The breaker moved; states are `closed`, `open`, `half_open`.

    Attributes:
        wait_s: seconds before the next probe.
        cause: what the last failed try ended in, for people; empty when nothing failed.
        patience_s: seconds without any answer after which the run ends; None when unknown.
    """

    before: str
    after: str
    wait_s: float
    cause: str = ""
    patience_s: float | None = None


class DispatchPaused(Struct, frozen=True):
    """Nothing is sent for `wait_s` because the provider asked for it or is throttling."""

    reason: str
    wait_s: float


class EndpointChanged(Struct, frozen=True):
    """One of several servers or keys that answer alike came or went, and the others go on.

    When the last one goes, or the first comes back, there is a `BreakerChanged` instead.

    Attributes:
        name: of the endpoint.
        state: `out`, `back` or `paused`.
        wait_s: seconds before it is asked again; 0 when it is back.
        cause: why, for people; may be empty.
    """

    name: str
    state: str
    wait_s: float
    cause: str = ""


class WakingBegan(Struct, frozen=True):
    """A server does not answer yet, and is waited for.

    Attributes:
        name: of the server.
        budget_s: seconds that it is waited for at most.
        cause: how the first request ended, for people.
    """

    name: str
    budget_s: float
    cause: str


class WakingEnded(Struct, frozen=True):
    """A server is not waited for any longer.

    Attributes:
        name: of the server.
        waited_s: seconds since it was asked first.
        is_awake: it answers now; False when the time was up.
    """

    name: str
    waited_s: float
    is_awake: bool


class Warned(Struct, frozen=True):
    """Something the user should know; shown once per `code`.

    Attributes:
        code: stable machine code.
        message: one line for people.
        is_note: nothing is wrong; not shown with `--quiet`.
    """

    code: str
    message: str
    is_note: bool = False


class RunFinished(Struct, frozen=True):
    """A run ended.

    Attributes:
        duration_s: wall time.
        rows: rows read.
        done: rows with an outcome.
        pending: rows read without an outcome.
        stop: None for a complete run, else why it stopped.
    """

    duration_s: float
    rows: int
    done: int
    pending: int
    stop: str | None


Event = (
    RunStarted
    | ColumnsRecognised
    | RowsRead
    | TextsChanged
    | RowsResolved
    | LateFailures
    | TicketsQueued
    | BatchStarted
    | CallSpared
    | TryFinished
    | TicketFinished
    | RetryScheduled
    | BreakerChanged
    | DispatchPaused
    | EndpointChanged
    | WakingBegan
    | WakingEnded
    | Warned
    | RunFinished
)

"""Counting a run, and guessing when it will be done."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from msgspec.structs import replace

from inference_forge.events import (
    BatchStarted,
    BreakerChanged,
    DispatchPaused,
    Event,
    LateFailures,
    RetryScheduled,
    RowsRead,
    RowsResolved,
    RunFinished,
    RunStarted,
    TextsChanged,
    TicketFinished,
    TicketsQueued,
    TryFinished,
)
from inference_forge.models import Complexity, Money, Spending, Usage
from inference_forge.observe.tally import Tally

STARTED = RunStarted("in.csv", "local", "m", 32)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """Return the time it was set to."""
        return self.now_s


def after(*events: Event, clock: Clock | None = None) -> Tally:
    """Return a tally that saw `events`."""
    tally = Tally(clock or Clock())
    for event in events:
        tally.on_event(event)
    return tally


def try_finished(kind: str, latency_s: float = 1.0, limit: int = 8) -> TryFinished:
    """Return the end of a try."""
    return TryFinished(Complexity.SIMPLE, kind, kind, latency_s, 200, 3, limit)


def test_rows_are_counted_by_outcome() -> None:
    """Blocks add up."""
    resolved = RowsResolved(
        classified=8,
        failed=2,
        cache_hits=3,
        coalesced=1,
        by_complexity={Complexity.SIMPLE: 9},
        failures={"empty_text": 2},
    )
    tally = after(STARTED, resolved, resolved, RowsResolved(classified=1))
    assert (tally.done, tally.classified, tally.failed) == (21, 17, 4)
    assert (tally.cache_hits, tally.coalesced) == (6, 2)
    assert tally.by_complexity == {Complexity.SIMPLE: 18}
    assert tally.failures == {"empty_text": 4}


def test_calls_are_counted_by_status_and_retries_with_them() -> None:
    """A valid answer has no status of its own; without a response there is none."""
    lost = TryFinished(Complexity.SIMPLE, "transient", "timeout", 9.0, None, 0, 8, rate_per_s=3.0)
    throttled = replace(lost, kind="throttle", status=429)
    answered = replace(lost, kind="ok", rate_per_s=None)
    retry = RetryScheduled("timeout", 1.0, 1)
    tally = after(STARTED, lost, retry, throttled, throttled, retry, answered)
    assert tally.calls == {"none": 1, "429": 2, "2xx": 1}
    assert (tally.retries, tally.rate_limit_per_s) == (2, None)


def test_the_queue_and_how_long_tickets_wait_in_it() -> None:
    """Batches take from what waits; the most that ever waited is kept."""
    tally = after(
        TicketsQueued({Complexity.SIMPLE: 5, Complexity.COMPLEX: 2}),
        BatchStarted(1, Complexity.SIMPLE, 5, [0, 1, 2, 3, 4], [1.0, 1.0, 2.0, 2.0, 4.0]),
    )
    assert (tally.queued, tally.most_queued) == (2, 7)
    assert tally.waited_s.count == 5
    assert tally.waited_s.sum == pytest.approx(10.0)


def test_a_row_that_did_not_fit_the_results_becomes_a_failure() -> None:
    """It is counted once, as what it is now."""
    tally = after(RowsResolved(classified=5), LateFailures({"column_collision": 2}))
    assert (tally.done, tally.classified, tally.failed) == (5, 3, 2)
    assert tally.failures == {"column_collision": 2}


def test_the_total_is_estimated_from_bytes_until_the_end_is_read() -> None:
    """Half of the bytes gave 50 rows, so there may be 100; in the end there were 80."""
    tally = after(RowsRead(50, False, 500, 1000))
    assert (tally.total, tally.is_total_exact) == (100, False)
    tally.on_event(RowsRead(30, True, 1000, 1000))
    assert (tally.total, tally.is_total_exact) == (80, True)


def test_the_total_of_a_pipe_is_unknown_until_its_end() -> None:
    """No made-up figure."""
    tally = after(STARTED, RowsRead(50, False, 500, None))
    assert tally.total is None
    assert tally.left_s() is None
    tally.on_event(RowsRead(0, True, 500, None))
    assert tally.total == 50


def test_the_first_token_is_timed_where_there_is_a_stream() -> None:
    """Of answers only, good or bad."""
    tally = after(try_finished("ok"), try_finished("answer"))
    assert tally.first_token_s.count == 0
    for kind in ("ok", "answer", "transient"):
        tally.on_event(replace(try_finished(kind), first_token_s=0.25))
    assert tally.first_token_s.count == 2
    assert tally.first_token_s.quantile(0.5) == pytest.approx(0.25, rel=0.01)


def test_the_total_is_never_below_what_was_read() -> None:
    """A decompressor may be ahead of its rows, or a file may grow."""
    assert after(RowsRead(50, False, 1200, 1000)).total == 50


def test_tries_are_counted_and_only_answers_tell_the_latency() -> None:
    """An error that comes quickly says nothing about how long an answer takes."""
    tally = after(*(try_finished(kind, 9.0) for kind in ("transient", "throttle", "fatal")))
    assert (tally.tries, tally.throttled, tally.latency_s.count) == (3, 1, 0)
    tally.on_event(try_finished("ok", 2.0))
    tally.on_event(try_finished("answer", 2.0, limit=16))
    assert tally.latency_s.quantile(0.5) == pytest.approx(2.0, rel=0.01)
    assert (tally.in_flight, tally.limit) == (3, 16)


def test_spending_adds_up_by_currency_and_unknown_is_not_zero() -> None:
    """A bill in two currencies stays two figures."""

    def finished(cost: Money | None) -> TicketFinished:
        return TicketFinished(Complexity.SIMPLE, "ok", Spending(Usage(10, 2), cost, 1, 1))

    tally = after(finished(Money(Decimal("0.1"), "USD")), finished(Money(Decimal("0.2"), "USD")))
    assert tally.cost == {"USD": Decimal("0.3")}
    assert not tally.has_unknown_cost
    tally.on_event(finished(Money(Decimal(5), "INR")))
    tally.on_event(finished(None))
    assert tally.cost == {"USD": Decimal("0.3"), "INR": Decimal(5)}
    assert tally.has_unknown_cost
    assert tally.usage == Usage(40, 8)


def test_the_breaker_is_shown_and_only_openings_from_closed_count() -> None:
    """A failed probe is the same outage."""
    tally = after(
        BreakerChanged("closed", "open", 5),
        BreakerChanged("open", "half_open", 0),
        BreakerChanged("half_open", "open", 7.5),
    )
    assert (tally.breaker, tally.breaker_openings) == ("open", 1)


def test_the_rate_is_over_the_whole_run() -> None:
    """And nothing is divided by zero at its first moment."""
    clock = Clock()
    tally = after(STARTED, RowsResolved(classified=30), clock=clock)
    assert tally.rate_per_s == 0.0
    clock.now_s += 10
    assert tally.elapsed_s == 10
    assert tally.rate_per_s == 3.0


def test_start_and_finish_are_kept() -> None:
    """The summary wants them; what it does not know it ignores."""
    finished = RunFinished(1.0, 5, 5, 0, None)
    tally = after(STARTED, BatchStarted(1, Complexity.SIMPLE, 5), finished)
    assert tally.started is STARTED
    assert tally.finished is finished


def test_nothing_is_left_of_a_run_that_is_done() -> None:
    """Also when the estimate was too low."""
    assert after(RowsRead(5, True, 1, 1), RowsResolved(classified=6)).left_s() == 0.0


def test_without_calls_the_time_left_follows_the_rate() -> None:
    """A cached run has no latency; at its first moment nothing is known."""
    clock = Clock()
    tally = after(STARTED, RowsRead(100, True, 1, 1), clock=clock)
    clock.now_s += 5
    assert tally.left_s() is None
    tally.on_event(RowsResolved(classified=50, cache_hits=50))
    assert tally.left_s() == pytest.approx(5.0)


def test_with_calls_the_time_left_follows_latency_and_concurrency() -> None:
    """Of 100 rows 40 need calls, of the 100 to come as many: 80 calls of 2 s, 8 at a time."""
    tally = after(
        STARTED,
        RowsRead(100, False, 50, 100),
        RowsResolved(classified=60, cache_hits=60),
        TicketsQueued({Complexity.SIMPLE: 40}),
        BatchStarted(1, Complexity.SIMPLE, 20),
        try_finished("ok", 2.0, limit=8),
    )
    assert tally.left_s() == pytest.approx(80 * 2.0 / 8)
    tally.on_event(TicketFinished(Complexity.SIMPLE, "ok", Spending()))
    assert tally.left_s() == pytest.approx(79 * 2.0 / 8)


@pytest.mark.parametrize(
    "pause", [DispatchPaused("rate_limited", 40.0), BreakerChanged("closed", "open", 40.0)]
)
def test_a_known_pause_is_added_to_the_time_left(pause: Event) -> None:
    """The provider said how long; a breaker that closes is no pause."""
    tally = after(
        STARTED,
        RowsRead(8, True, 1, 1),
        TicketsQueued({Complexity.SIMPLE: 8}),
        try_finished("ok", 2.0, limit=8),
        BreakerChanged("half_open", "closed", 90.0),
        pause,
    )
    assert tally.left_s() == pytest.approx(2.0 + 40.0)


@pytest.mark.parametrize(
    ("pause", "left_s"),
    [(DispatchPaused("rate_limited", 40.0), 240.0), (BreakerChanged("closed", "open", 40.0), 90.0)],
)
def test_only_a_rate_limit_that_asks_to_wait_is_expected_to_do_so_again(
    pause: Event, left_s: float
) -> None:
    """Of 200 calls the first turn's at least 50 fit between two waits; an outage is an accident."""
    tally = after(
        STARTED,
        RowsRead(200, True, 1, 1),
        TicketsQueued({Complexity.SIMPLE: 200}),
        try_finished("ok", 2.0, limit=8),
        pause,
    )
    assert tally.left_s() == pytest.approx(left_s, abs=35.0)


def test_a_known_rate_bounds_the_time_left() -> None:
    """Two requests a second are two a second, also before that shows."""
    tally = after(STARTED, RowsRead(100, True, 1, 1), TicketsQueued({Complexity.SIMPLE: 100}))
    tally.on_event(TryFinished(Complexity.SIMPLE, "ok", "ok", 0.1, 200, 3, 32, rate_per_s=2.0))
    assert tally.left_s() == pytest.approx(50.0)


def test_bytes_that_were_read_ahead_do_not_shrink_the_total() -> None:
    """A chunk of 1,000 bytes held 100 rows, of which the first block returned only 40."""
    tally = after(*(RowsRead(rows, False, 1000, 5000) for rows in (40, 40, 20)))
    for _ in range(2):
        tally.on_event(RowsRead(40, False, 2000, 5000))
        assert tally.total == 500


def test_before_the_first_row_every_row_left_counts_as_a_call() -> None:
    """Nothing is known about hits yet, and nothing about complexities."""
    tally = after(STARTED, RowsRead(100, True, 1, 1), try_finished("transient"))
    assert tally.left_s() is None


def test_changes_of_texts_add_up() -> None:
    """Each block tells its own."""
    tally = after(TextsChanged({"cleaned": 2, "html": 2}), TextsChanged({"cleaned": 1, "cut": 1}))
    assert tally.changes == {"cleaned": 3, "html": 2, "cut": 1}

"""Estimated time left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.eta import ALPHA, EXPONENT, SPAN_SHARE, EtaEstimator
from inference_forge.models import Complexity

C, M, S = Complexity.COMPLEX, Complexity.MEDIUM, Complexity.SIMPLE


class Run:
    """Feeds an estimator with answers, each of a ticket of its own."""

    def __init__(self, limit: int = 8, rate_per_s: float | None = None) -> None:
        self.eta = EtaEstimator()
        self.limit = limit
        self.rate_per_s = rate_per_s
        self.now = 0.0

    def answers(
        self, latency_s: float, rounds: int, complexity: Complexity = S, in_use: int | None = None
    ) -> None:
        """Let `in_use` slots (all of them as a rule) answer `rounds` times, evenly spread."""
        in_use = self.limit if in_use is None else in_use
        for _ in range(rounds * in_use):
            self.now += latency_s / in_use
            self.one(latency_s, complexity, in_use)

    def one(self, latency_s: float, complexity: Complexity = S, in_use: int = 8) -> None:
        """Let one try be answered now."""
        self.failed(latency_s, complexity, in_use, is_answer=True)
        self.eta.on_ticket(complexity)

    def failed(
        self,
        latency_s: float,
        complexity: Complexity = S,
        in_use: int = 8,
        *,
        is_answer: bool = False,
    ) -> None:
        """Let one try fail now."""
        self.eta.on_try(
            complexity,
            latency_s,
            is_answer=is_answer,
            in_flight=in_use - 1,
            limit=self.limit,
            rate_per_s=self.rate_per_s,
            now=self.now,
        )

    def left_s(self, calls: dict[Complexity, float], after_s: float = 0.0) -> float:
        """Return the estimate, which there must be."""
        left_s = self.eta.left_s(calls, self.now + after_s)
        assert left_s is not None
        return left_s


def test_nothing_is_known_before_the_first_answer() -> None:
    """None, not a made-up figure; an error tells nothing about answers."""
    run = Run()
    assert run.eta.left_s({S: 100}, 1.0) is None
    run.failed(0.1)
    assert run.eta.left_s({S: 100}, 1.0) is None


def test_the_first_answer_gives_a_first_estimate() -> None:
    """Calls times latency, shared by the slots."""
    run = Run(limit=4)
    run.one(2.0)
    assert run.left_s({S: 10}) == pytest.approx(5.0)


def test_the_newest_span_has_the_documented_weight() -> None:
    """The closed form is an average in which the newest sixth of the run weighs 0.3."""
    assert pytest.approx(ALPHA) == 1 - (1 - SPAN_SHARE) ** (EXPONENT + 1)


@given(st.floats(0.05, 30), st.integers(1, 64), st.integers(1, 5000))
def test_constant_latency_gives_calls_times_latency_by_concurrency(
    latency_s: float, concurrency: int, calls: int
) -> None:
    """The calls left times their latency, shared by those in flight."""
    run = Run(concurrency)
    run.answers(latency_s, 20)
    assert run.left_s({S: calls}) == pytest.approx(calls * latency_s / concurrency, rel=0.1)


def test_a_rate_that_shows_rules_where_slots_stay_empty() -> None:
    """Two answers a second are two a second, however many might be in flight."""
    run = Run(limit=32)
    run.answers(0.5, 200, in_use=1)
    assert run.left_s({S: 100}) == pytest.approx(50, rel=0.01)
    run.answers(1.5, 10, C, in_use=3)
    assert run.left_s({C: 100}) == pytest.approx(50, rel=0.01)


def test_a_rate_that_is_known_is_a_bound() -> None:
    """Slots are full, but the bucket will be empty soon."""
    run = Run(rate_per_s=5.0)
    run.answers(0.1, 10)
    assert run.left_s({S: 100}) == pytest.approx(20)


def test_a_rate_that_was_learned_counts_with_its_mean() -> None:
    """It is low after each throttle, and grows: at 4 a second it takes 20 s, at 20 it takes 4 s."""
    run = Run(rate_per_s=20.0)
    run.answers(0.1, 100)
    run.rate_per_s = 4.0
    run.one(0.1)
    assert run.left_s({S: 80}) == pytest.approx(12, rel=0.01)


def test_a_limit_that_grows_changes_the_estimate_at_once() -> None:
    """Speed is counted for each slot."""
    run = Run(limit=4)
    run.answers(1.0, 10)
    assert run.left_s({S: 160}) == pytest.approx(40, rel=0.05)
    run.limit = 16
    run.one(1.0, in_use=16)
    assert run.left_s({S: 160}) == pytest.approx(10, rel=0.05)


def test_a_limit_that_was_cut_is_half_believed_to_grow_again() -> None:
    """As it does after throttles: (4 + 16) / 2 slots at first, 4 in the end."""
    run = Run(limit=16)
    run.answers(1.0, 10)
    run.limit = 4
    run.one(1.0, in_use=4)
    assert run.left_s({S: 160}) == pytest.approx(16, rel=0.05)
    run.answers(1.0, 60)
    assert run.left_s({S: 160}) == pytest.approx(40, rel=0.1)


def test_complex_tickets_that_go_first_do_not_mislead() -> None:
    """Simple ones are known to take a tenth of the time, from a few at the start."""
    run = Run()
    run.answers(0.4, 3, S)
    run.answers(4.0, 20, C)
    assert run.left_s({S: 800}) == pytest.approx(40, rel=0.1)
    assert run.left_s({C: 80}) == pytest.approx(40, rel=0.1)


def test_an_unseen_complexity_is_taken_as_usual() -> None:
    """The mean of those seen, each once."""
    run = Run()
    run.answers(1.0, 40, S)
    run.answers(3.0, 40, C)
    assert run.left_s({M: 80}) == pytest.approx(run.left_s({S: 40, C: 40}), rel=0.01)


def test_the_last_calls_end_later_when_latencies_differ() -> None:
    """By about two mean deviations with 32 slots, and not at all with one."""
    even, uneven, single = Run(32), Run(32), Run(1)
    for _ in range(1000):
        for run, spread_s in ((even, 0.0), (uneven, 1.0), (single, 1.0)):
            run.now += 2.0 / run.limit
            run.one(2.0 + spread_s * (-1) ** round(run.now * run.limit / 2), in_use=run.limit)
    assert uneven.left_s({S: 320}) - even.left_s({S: 320}) == pytest.approx(2.08, rel=0.1)
    assert single.left_s({S: 10}) == pytest.approx(20, rel=0.01)


def test_failed_tries_cost_time_but_are_no_answers() -> None:
    """Half of the slots' time goes into tries that fail: half the speed."""
    run = Run()
    for number in range(400):
        run.now += 0.125
        if number % 2:
            run.one(1.0)
        else:
            run.failed(1.0)
    assert run.left_s({S: 80}) == pytest.approx(20, rel=0.05)


def test_a_stall_lets_the_estimate_grow_and_is_forgotten_after_it() -> None:
    """One stall is an accident, whatever its length; also for the calls that hung in it."""
    run = Run()
    run.answers(1.0, 20)
    before_s = run.left_s({S: 80})
    assert run.left_s({S: 80}, after_s=4.0) == pytest.approx(before_s)
    assert run.left_s({S: 80}, after_s=45.0) == pytest.approx(before_s + 20)
    run.now += 45.0
    for _ in range(8):
        run.one(45.5)
    run.answers(1.0, 20)
    assert run.left_s({S: 80}) == pytest.approx(before_s, rel=0.15)


def test_stalls_that_come_again_are_expected_to_go_on() -> None:
    """Five seconds of work, 25 of waiting: the calls left take six times as long."""
    run = Run()
    for _ in range(12):
        run.answers(0.5, 10)
        run.now += 25.0
    run.one(0.5)
    assert run.left_s({S: 160}) == pytest.approx(60, rel=0.2)


def test_two_stalls_count_as_twice_the_shorter() -> None:
    """In either order; of the longer only the excess is an accident. The next is due now."""
    found = []
    for stalls in ((25.0, 75.0), (75.0, 25.0)):
        run = Run()
        for stall_s in stalls:
            run.answers(1.0, 50)
            run.now += stall_s
        run.answers(1.0, 50)
        found.append(run.left_s({S: 800}))
    assert found == [pytest.approx(150, abs=3)] * 2


def test_a_known_pause_is_added_until_it_is_over() -> None:
    """A shorter one changes nothing; a call that was under way does not end it."""
    run = Run()
    run.answers(1.0, 10)
    run.eta.on_pause(30.0, run.now)
    run.eta.on_pause(10.0, run.now)
    assert run.left_s({S: 8}) == pytest.approx(31, rel=0.02)
    run.one(1.0)
    assert run.left_s({S: 8}) == pytest.approx(31, rel=0.02)
    run.now += 31.0
    run.one(1.0)
    assert 1 <= run.left_s({S: 8}) < 3


def test_a_limit_that_asks_to_wait_will_do_so_again() -> None:
    """A hundred in 5 s, then 25 s of waiting, again and again: known from the first wait on."""
    run = Run(limit=10)
    run.answers(0.5, 10)
    run.eta.on_pause(25.0, run.now, is_limit=True)
    for after_s in (1.0, 10.0, 24.0):
        assert run.left_s({S: 300}, after_s) == pytest.approx(25 + 65 - after_s, abs=1)
    run.now += 25.5
    run.one(0.5)
    assert run.left_s({S: 299}) == pytest.approx(65, abs=4)
    run.answers(0.5, 5)
    assert run.left_s({S: 249}) == pytest.approx(62.5, abs=4)


def test_a_pause_that_came_before_lasts_as_long_again() -> None:
    """The third of 30 s each: 20 s of it are left after 10, and it grows after 30."""
    run = Run()
    for _ in range(2):
        run.answers(0.5, 40)
        run.now += 30.0
    run.answers(0.5, 40)
    work_s = run.left_s({S: 8}, after_s=30.0)
    assert run.left_s({S: 8}, after_s=10.0) == pytest.approx(work_s + 20, abs=1)
    assert run.left_s({S: 8}, after_s=50.0) == pytest.approx(work_s + 10, abs=1)


def test_nothing_left_takes_no_time() -> None:
    """And a limit of 0 divides nothing by zero."""
    run = Run(limit=0)
    run.one(1.0)
    assert run.left_s({S: 0}) == 0
    assert run.left_s({}) == 0
    assert run.left_s({S: 1}) > 0


@given(
    st.lists(st.tuples(st.sampled_from(Complexity), st.floats(0, 100), st.floats(0, 30))),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_more_calls_never_take_less_time(
    answers: list[tuple[Complexity, float, float]], calls: int, more: int
) -> None:
    """Whatever was seen, the estimate is positive, and grows with the calls left."""
    run = Run()
    for complexity, latency_s, pause_s in answers:
        run.now += pause_s
        run.one(latency_s, complexity)
    few, many = (run.eta.left_s({S: n}, run.now) for n in (calls, calls + more))
    assert (few is None) == (many is None) == (not answers)
    if few is not None and many is not None:
        assert 0 <= few <= many

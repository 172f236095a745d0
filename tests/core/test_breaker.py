"""The circuit breaker, case by case and against a naive model."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import takewhile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inference_forge.core.breaker import Breaker, BreakerConfig, BreakerState, Permit

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


@dataclass
class NaiveBreaker:
    """The rules as one would say them, over the whole history and without generations."""

    state: BreakerState = CLOSED
    history: list[tuple[float, bool, int]] = field(default_factory=list)
    server_waits_until: list[float] = field(default_factory=list)
    sent: dict[int, float] = field(default_factory=dict)
    probe: int | None = None
    lease_until: float = 0.0
    open_until: float = 0.0
    good_probes: int = 0
    bad_probes: int = 0
    openings: int = 0

    def acquire(self, ticket: int, now: float) -> str | None:
        """Return `try`, `probe` or None."""
        if self.state is OPEN and now >= self.open_until:
            self.state, self.good_probes, self.probe = HALF_OPEN, 0, None
        if self.state is CLOSED:
            self.sent[ticket] = now
            return "try"
        if self.state is OPEN or (self.probe is not None and now < self.lease_until):
            return None
        self.probe, self.lease_until = ticket, now + 70
        return "probe"

    def wait_s(self, now: float) -> float:
        """Return the seconds until `acquire` may succeed."""
        if self.state is OPEN:
            return max(0.0, self.open_until - now)
        if self.state is HALF_OPEN and self.probe is not None:
            return max(0.0, self.lease_until - now)
        return 0.0

    def counts(self, ticket: int) -> bool:
        """Tell whether what comes of `ticket` still matters."""
        return ticket in self.sent if self.state is CLOSED else ticket == self.probe

    def end(self, ticket: int, now: float, *, failed: bool, wait_s: float | None = None) -> None:
        """Count how a try ended."""
        if not self.counts(ticket):
            return
        if wait_s is not None:
            self.server_waits_until.append(now + wait_s)
        if self.state is CLOSED:
            del self.sent[ticket]
            self.history.append((now, failed, ticket))
            self._open_if_due(now)
        elif failed:
            self.bad_probes += 1
            self._open(now)
        else:
            self.probe = None
            self.good_probes += 1
            if self.good_probes == 2:
                self.state, self.bad_probes = CLOSED, 0

    def release(self, ticket: int) -> None:
        """Forget a try."""
        self.sent.pop(ticket, None)
        if self.state is HALF_OPEN and ticket == self.probe:
            self.probe = None

    def _open_if_due(self, now: float) -> None:
        window = [entry for entry in self.history[-20:] if entry[0] >= now - 60]
        failed = sum(has_failed for _, has_failed, _ in window)
        tries = len(window) + self._between([ticket for _, _, ticket in window], now)
        row = takewhile(lambda entry: entry[1], reversed(self.history))
        five = sorted(ticket for _, _, ticket in row)[-5:]
        is_row = len(five) == 5 and not self._between(five, now)
        if is_row or (len(window) >= 10 and failed / tries >= 0.5):
            self.openings += 1
            self._open(now)

    def _between(self, tickets: list[int], now: float) -> int:
        """Count what was sent between some tries and may still bring an answer."""
        young = [ticket for ticket, at in self.sent.items() if at >= now - 60]
        return sum(min(tickets) < ticket < max(tickets) for ticket in young)

    def _open(self, now: float) -> None:
        longest = min(5 * 1.5**self.bad_probes, 20)
        self.open_until = max([now + longest, *self.server_waits_until])
        self.state, self.probe = OPEN, None
        self.history.clear()
        self.sent.clear()


class Twins:
    """Drives the breaker and its model with the same events and compares them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.breaker = Breaker()
        self.model = NaiveBreaker()
        self.under_way: dict[int, Permit] = {}
        self._tickets = 0

    def acquire(self) -> None:
        """Ask both for a permit."""
        self._tickets += 1
        expected = self.model.acquire(self._tickets, self.now)
        wait_s = self.breaker.wait_s(self.now)
        permit = self.breaker.acquire_permission(self.now)
        given = None if permit is None else "probe" if permit.is_probe else "try"
        assert given == expected
        assert (permit is None) == (wait_s > 0)
        if permit is not None:
            self.under_way[self._tickets] = permit
        self.compare()

    def end(self, which: int, ending: str, wait_s: float | None = None) -> None:
        """End one of the tries under way."""
        ticket = list(self.under_way)[which % len(self.under_way)]
        permit = self.under_way.pop(ticket)
        if ending == "release":
            self.breaker.release_permission(permit)
            self.model.release(ticket)
        elif ending == "failure":
            self.breaker.on_failure(permit, self.now, wait_s)
            self.model.end(ticket, self.now, failed=True, wait_s=wait_s)
        else:
            self.breaker.on_success(permit, self.now)
            self.model.end(ticket, self.now, failed=False)
        self.compare()

    def compare(self) -> None:
        """Assert that both agree, and what must hold whatever happens."""
        assert self.breaker.state is self.model.state
        assert self.breaker.openings == self.model.openings
        assert abs(self.breaker.wait_s(self.now) - self.model.wait_s(self.now)) < 1e-6
        probes = [
            ticket
            for ticket, permit in self.under_way.items()
            if permit.is_probe and self.model.counts(ticket)
        ]
        assert len(probes) <= 1
        if self.breaker.state is OPEN:
            latest = max(self.model.server_waits_until, default=0.0)
            assert self.now + self.breaker.wait_s(self.now) >= latest - 1e-6


class BreakerMachine(RuleBasedStateMachine):
    """Hypothesis looks for a sequence in which breaker and model differ."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = Twins()

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0, 7.5, 11.25, 20.0, 59.9, 70.0, 200.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.twins.now += seconds

    @rule(count=st.integers(1, 12))
    def acquire(self, count: int) -> None:
        """Start tries."""
        for _ in range(count):
            self.twins.acquire()

    @precondition(lambda self: self.twins.under_way)
    @rule(
        which=st.integers(0, 100),
        count=st.integers(1, 12),
        ending=st.sampled_from(["success", "failure", "failure", "release"]),
        wait_s=st.none() | st.floats(0, 120),
    )
    def end(self, which: int, count: int, ending: str, wait_s: float | None) -> None:
        """End tries."""
        for _ in range(min(count, len(self.twins.under_way))):
            self.twins.end(which, ending, wait_s)

    @invariant()
    def agree(self) -> None:
        """Compare after each step."""
        self.twins.compare()


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


def test_ten_thousand_random_sequences_agree_with_the_naive_model() -> None:
    """Long histories, outages, slow and fast clocks: no difference, and every state is met."""
    rng = random.Random(20)
    seen: set[BreakerState] = set()
    closed_again = lease_ran_out = 0
    for _ in range(10_000):
        twins = Twins()
        failing, releasing = rng.choice([0.1, 0.45, 0.6, 0.95]), rng.choice([0.0, 0.1])
        step_s = rng.choice([0.01, 0.5, 4.0, 30.0])
        for _ in range(45):
            twins.now += rng.random() * step_s
            if not twins.under_way or rng.random() < 0.4:
                before = twins.model.probe
                twins.acquire()
                lease_ran_out += before is not None and twins.model.probe not in {None, before}
            else:
                ending = "failure" if rng.random() < failing else "success"
                ending = "release" if rng.random() < releasing else ending
                wait_s = rng.random() * 40 if rng.random() < 0.1 else None
                before_state = twins.breaker.state
                twins.end(rng.randrange(1000), ending, wait_s)
                closed_again += before_state is HALF_OPEN and twins.breaker.state is CLOSED
            seen.add(twins.breaker.state)
    assert seen == set(BreakerState)
    assert closed_again > 100
    assert lease_ran_out > 100


def _permit(breaker: Breaker, now: float) -> Permit:
    permit = breaker.acquire_permission(now)
    assert permit is not None
    return permit


def _end(breaker: Breaker, outcomes: str, now: float = 0.0) -> None:
    for outcome in outcomes:
        permit = _permit(breaker, now)
        if outcome == "F":
            breaker.on_failure(permit, now)
        else:
            breaker.on_success(permit, now)


def _opened(now: float = 0.0, server_wait_s: float | None = None) -> Breaker:
    breaker = Breaker()
    _end(breaker, "FFFF", now)
    breaker.on_failure(_permit(breaker, now), now, server_wait_s)
    assert breaker.state is OPEN
    return breaker


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("FFFF", CLOSED),
        ("FFFFF", OPEN),
        ("FFFFSFFFF", CLOSED),
        ("FFFFSFFFFS", OPEN),
        ("SFSFSFSFSF", OPEN),
        ("FSFSFSFSFS", OPEN),
        ("SSFSFSFSFSSF", CLOSED),
        ("S" * 20 + "FS" * 4 + "FF", CLOSED),
        ("S" * 20 + "FFSFFSFFSFFSFF", OPEN),
    ],
)
def test_closed_opens_at_half_of_ten_or_five_in_a_row(outcomes: str, state: BreakerState) -> None:
    """Ten known tries with half of them failed, or five failures in a row, open it."""
    breaker = Breaker()
    for outcome in outcomes:
        assert breaker.state is CLOSED
        _end(breaker, outcome)
    assert breaker.state is state
    assert breaker.openings == (state is OPEN)


def _send(breaker: Breaker, count: int, now: float = 0.0) -> list[Permit]:
    return [_permit(breaker, now) for _ in range(count)]


def test_errors_that_come_before_answers_open_nothing() -> None:
    """Of 64 tries sent at once each seventh fails at once; the others are answered later."""
    breaker = Breaker()
    sent = _send(breaker, 64)
    for permit in sent[::7]:
        breaker.on_failure(permit, 0.001)
    assert breaker.state is CLOSED
    for number, permit in enumerate(sent):
        if number % 7:
            breaker.on_success(permit, 0.05)
    assert breaker.state is CLOSED
    assert breaker.openings == 0


def test_failures_in_the_order_of_sending_open_it_whatever_was_sent_before() -> None:
    """Slow tries from before an outage do not hide it."""
    breaker = Breaker()
    _send(breaker, 30)
    _end(breaker, "FFFFF")
    assert breaker.state is OPEN


def test_half_of_all_that_is_known_and_under_way_must_have_failed() -> None:
    """What is under way counts as good until it ends."""
    breaker = Breaker()
    sent = _send(breaker, 28)
    for permit in [*sent[::3], *sent[1:10:3]]:
        breaker.on_failure(permit, 0.0)
    assert breaker.state is CLOSED
    breaker.on_failure(sent[10], 0.0)
    assert breaker.state is OPEN


def test_hollow_tries_open_nothing_while_others_are_under_way() -> None:
    """They are known to be useless only when none sent between them brings an answer."""
    breaker = Breaker()
    sent = _send(breaker, 22)
    for permit in [*sent[:10], *sent[11:21]]:
        breaker.on_failure(permit, 0.0, is_hollow=True)
    assert breaker.state is CLOSED
    breaker.on_failure(sent[10], 0.0, is_hollow=True)
    assert breaker.state is OPEN


def test_what_hangs_for_longer_than_the_window_hides_no_outage() -> None:
    """It was sent between those that failed, but is no sign of life any more."""
    for now, state in ((60.0, CLOSED), (60.1, OPEN)):
        breaker = Breaker()
        sent = _send(breaker, 6)
        for permit in [*sent[:2], *sent[3:]]:
            breaker.on_failure(permit, now)
        assert breaker.state is state


def test_what_was_given_back_hides_no_outage() -> None:
    """A throttled try brings no answer any more."""
    breaker = Breaker()
    sent = _send(breaker, 6)
    breaker.release_permission(sent[2])
    for permit in [*sent[:2], *sent[3:]]:
        breaker.on_failure(permit, 0.0)
    assert breaker.state is OPEN


def test_tries_older_than_the_window_do_not_count() -> None:
    """Four failures a minute and a bit ago do not help to open it."""
    breaker = Breaker()
    _end(breaker, "FFFFS", now=0.0)
    _end(breaker, "FSSSSF", now=60.1)
    assert breaker.state is CLOSED
    young = Breaker()
    _end(young, "FFFFS", now=0.0)
    _end(young, "FSSSF", now=60.0)
    assert young.state is OPEN


def test_open_lasts_five_seconds_and_half_as_long_again_after_each_failed_probe() -> None:
    """5, 7.5, 11.25, 16.875, then 20 s for ever; and 5 s again after it closed."""
    breaker, now, waits = _opened(), 0.0, []
    for _ in range(6):
        waits.append(breaker.wait_s(now))
        assert breaker.acquire_permission(now + waits[-1] - 0.001) is None
        now += waits[-1]
        breaker.on_failure(_permit(breaker, now), now)
    assert waits == pytest.approx([5, 7.5, 11.25, 16.875, 20, 20])
    now += 20
    _end(breaker, "SS", now)
    assert breaker.state is CLOSED
    _end(breaker, "FFFFF", now)
    assert breaker.wait_s(now) == pytest.approx(5)
    assert breaker.openings == 2


def test_open_lasts_a_bounded_time_after_very_many_failed_probes() -> None:
    """The factor's power neither overflows nor passes the cap."""
    breaker, now = _opened(), 0.0
    for _ in range(5000):
        now += breaker.wait_s(now)
        breaker.on_failure(_permit(breaker, now), now)
    assert breaker.wait_s(now) == pytest.approx(20)


def test_open_never_ends_before_a_wait_of_the_server() -> None:
    """The wait of the last failure, of an earlier one, and of a probe are all floors."""
    assert _opened(server_wait_s=33.0).wait_s(0.0) == pytest.approx(33)
    assert _opened(server_wait_s=1.0).wait_s(0.0) == pytest.approx(5)
    breaker = Breaker()
    breaker.on_failure(_permit(breaker, 0.0), 0.0, 40.0)
    _end(breaker, "FFFF", now=10.0)
    assert breaker.wait_s(10.0) == pytest.approx(30)
    assert breaker.acquire_permission(39.9) is None
    breaker.on_failure(_permit(breaker, 40.0), 40.0, 50.0)
    assert breaker.wait_s(40.0) == pytest.approx(50)


def test_half_open_lets_one_probe_through_at_a_time() -> None:
    """Fifty ask at once, one gets a permit; after its success one more does; then it closes."""
    breaker = _opened()
    permits = [breaker.acquire_permission(5.0) for _ in range(50)]
    assert [permit is not None for permit in permits] == [True] + [False] * 49
    assert permits[0] is not None
    assert permits[0].is_probe
    assert breaker.wait_s(6.0) == pytest.approx(69)
    breaker.on_success(permits[0], 6.0)
    assert breaker.state is HALF_OPEN
    assert breaker.wait_s(6.0) == 0
    permits = [breaker.acquire_permission(6.0) for _ in range(50)]
    assert sum(permit is not None for permit in permits) == 1
    assert permits[0] is not None
    breaker.on_success(permits[0], 7.0)
    assert breaker.state is CLOSED
    assert not _permit(breaker, 7.0).is_probe


def test_a_failure_between_the_two_successes_opens_again() -> None:
    """One success is not enough, and does not add up with one after the next opening."""
    breaker = _opened()
    _end(breaker, "S", 5.0)
    _end(breaker, "F", 5.0)
    assert breaker.state is OPEN
    _end(breaker, "S", 12.5)
    assert breaker.state is HALF_OPEN


def test_a_released_probe_makes_room_for_the_next() -> None:
    """A cancelled or throttled probe counts as nothing."""
    breaker = _opened()
    breaker.release_permission(_permit(breaker, 5.0))
    assert breaker.state is HALF_OPEN
    assert breaker.wait_s(5.0) == 0
    assert _permit(breaker, 5.0).is_probe


def test_a_release_while_closed_changes_nothing() -> None:
    """Cancelled tries neither open the breaker nor interrupt a row of failures."""
    breaker = Breaker()
    _end(breaker, "FFFF")
    breaker.release_permission(_permit(breaker, 0.0))
    _end(breaker, "F")
    assert breaker.state is OPEN


@pytest.mark.parametrize("ending", ["success", "failure", "release"])
def test_answers_from_before_the_opening_are_dropped(ending: str) -> None:
    """A late answer neither closes, reopens, nor frees the probe's place."""
    breaker = Breaker()
    late = [_permit(breaker, 0.0) for _ in range(30)]
    _end(breaker, "FFFFF")
    probe = _permit(breaker, 5.0)
    for permit in late:
        match ending:
            case "success":
                breaker.on_success(permit, 6.0)
            case "failure":
                breaker.on_failure(permit, 6.0, 100.0)
            case _:
                breaker.release_permission(permit)
    assert breaker.state is HALF_OPEN
    assert breaker.acquire_permission(6.0) is None
    breaker.on_success(probe, 6.0)
    _end(breaker, "S", 6.0)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("ending", ["success", "failure", "release"])
def test_a_probe_whose_lease_ran_out_is_replaced_and_then_ignored(ending: str) -> None:
    """A lost probe blocks for 70 s at most; what it brings later does not count."""
    breaker = _opened()
    lost = _permit(breaker, 5.0)
    assert breaker.acquire_permission(74.9) is None
    _permit(breaker, 75.0)
    match ending:
        case "success":
            breaker.on_success(lost, 76.0)
        case "failure":
            breaker.on_failure(lost, 76.0)
        case _:
            breaker.release_permission(lost)
    assert breaker.state is HALF_OPEN
    assert breaker.acquire_permission(76.0) is None


def test_a_clock_may_start_below_zero() -> None:
    """A lease that ends at 0.0 is a lease, as monotonic clocks may start anywhere."""
    breaker = _opened(now=-75.0)
    _permit(breaker, -70.0)
    assert breaker.wait_s(-35.0) == pytest.approx(35)


def test_memory_and_work_per_call_do_not_grow() -> None:
    """The window keeps 20 tries after 20,000, and none in vain after a pause."""
    breaker = Breaker()
    for number in range(20_000):
        _end(breaker, "SSF"[number % 3], now=number * 0.01)
        assert len(breaker._recent) <= 20
    _end(breaker, "S", now=1e6)
    assert repr(breaker) == "<Breaker closed generation=0 failed=0/1>"


def test_thresholds_come_from_the_configuration() -> None:
    """Other thresholds and durations are honoured."""
    config = BreakerConfig(consecutive_failures=2, open_s=30.0, successes_to_close=1)
    breaker = Breaker(config)
    _end(breaker, "FF")
    assert breaker.wait_s(0.0) == pytest.approx(30)
    _end(breaker, "S", 30.0)
    assert breaker.state is CLOSED


def after(ends: str) -> Breaker:
    """Return a breaker after tries that were good, hollow or failed, by their first letters."""
    breaker = Breaker()
    for end in ends:
        permit = breaker.acquire_permission(0)
        assert permit is not None
        if end == "g":
            breaker.on_success(permit, 0)
        else:
            breaker.on_failure(permit, 0, is_hollow=end == "h")
    return breaker


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ("h" * 19, CLOSED),
        ("h" * 20, OPEN),
        ("g" + "h" * 19, CLOSED),
        ("g" + "h" * 20, OPEN),
        ("hg" * 40, CLOSED),
        ("ffffhhhh", CLOSED),
        ("ffffhf", OPEN),
        ("hhhhhhhfff", CLOSED),
        ("fgfhfhfhff", OPEN),
    ],
)
def test_hollow_tries_open_it_only_when_nothing_else_comes(ends: str, state: BreakerState) -> None:
    """A provider that answers with nothing now and then is up; waiting would mend nothing."""
    assert after(ends).state is state


def test_a_hollow_probe_opens_it_again() -> None:
    """Who was out has to bring an answer."""
    breaker = after("f" * 5)
    probe = breaker.acquire_permission(10)
    assert probe is not None
    breaker.on_failure(probe, 10, is_hollow=True)
    assert breaker.state is OPEN

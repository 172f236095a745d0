"""What counts against a ticket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.attempts import (
    FINAL_ANSWERS,
    MAX_PROBES,
    MAX_TRIES,
    SUSPECT_PROBES,
    GiveUp,
    Repair,
    Retry,
    TicketAttempts,
)
from inference_forge.errors import AnswerError, ThrottleError, TicketError, TransientError
from inference_forge.models import Failure

RESET = TransientError("connection reset", code="connection_reset")
THROTTLE = ThrottleError("slow down", code="rate_limited", status=429)
WRONG = AnswerError("invalid_label", "wrong label")


def _attempts(max_attempts: int = 3) -> TicketAttempts:
    attempts = TicketAttempts(max_attempts=max_attempts, uniform=lambda low, _high: low)
    attempts.begin(0)
    return attempts


def test_failures_while_others_succeed_spend_attempts() -> None:
    """Three of them and the ticket fails with the last error."""
    attempts = _attempts()
    assert attempts.after_error(RESET, successes=1, is_probe=False) == Retry(0.8, False)
    assert attempts.after_error(RESET, successes=2, is_probe=False) == Retry(1.6, False)
    assert attempts.after_error(RESET, successes=3, is_probe=False) == GiveUp(
        Failure("connection_reset", "connection reset", 3)
    )


def test_failures_while_nothing_succeeds_spend_none() -> None:
    """The provider is at fault; yet after ten tries the ticket is given up."""
    attempts = _attempts()
    for _ in range(MAX_TRIES - 1):
        assert isinstance(attempts.after_error(RESET, successes=0, is_probe=False), Retry)
        assert attempts.spent == 0
    step = attempts.after_error(RESET, successes=0, is_probe=False)
    assert step == GiveUp(Failure("connection_reset", "connection reset", 1))


def test_only_successes_since_the_last_try_matter() -> None:
    """Those before the first try, and those already counted, do not."""
    attempts = TicketAttempts(max_attempts=3, uniform=lambda low, _high: low)
    attempts.begin(100)
    attempts.after_error(RESET, successes=100, is_probe=False)
    assert attempts.spent == 0
    attempts.after_error(RESET, successes=101, is_probe=False)
    attempts.after_error(RESET, successes=101, is_probe=False)
    assert attempts.spent == 1


def test_throttles_and_probes_spend_neither_attempts_nor_tries() -> None:
    """However many there are."""
    attempts = _attempts()
    for number in range(1, 200):
        throttled = attempts.after_error(THROTTLE, successes=number, is_probe=False)
        probed = attempts.after_error(RESET, successes=number, is_probe=True)
        assert isinstance(throttled, Retry)
        assert throttled.is_throttle
        assert isinstance(probed, Retry)
        assert not probed.is_throttle
    assert attempts.spent == 0


def test_a_servers_wait_is_honoured() -> None:
    """The retry comes no earlier."""
    error = ThrottleError("slow down", code="rate_limited", wait_s=90.0)
    step = _attempts().after_error(error, successes=0, is_probe=False)
    assert step == Retry(90.0, True)


def test_one_wrong_answer_is_repaired_and_the_second_is_final() -> None:
    """Both count, whatever else happened."""
    attempts = _attempts()
    assert attempts.after_answer(WRONG, successes=0) == Repair("wrong label")
    assert attempts.after_answer(WRONG, successes=0) == GiveUp(
        Failure("invalid_label", "wrong label", 2)
    )


@pytest.mark.parametrize("code", sorted(FINAL_ANSWERS))
def test_final_answers_are_not_repaired(code: str) -> None:
    """Asking again would cost money and change nothing."""
    step = _attempts().after_answer(AnswerError(code, "no"), successes=0)
    assert step == GiveUp(Failure(code, "no", 1))


def test_the_last_attempt_is_not_repaired() -> None:
    """With one attempt in all there is no second request."""
    assert isinstance(_attempts(1).after_answer(WRONG, successes=0), GiveUp)


def test_the_tenth_try_is_not_repaired() -> None:
    """At most ten tries in all, repairs included."""
    attempts = _attempts()
    for _ in range(MAX_TRIES - 1):
        attempts.after_error(RESET, successes=0, is_probe=False)
    assert attempts.after_answer(WRONG, successes=0) == GiveUp(
        Failure("invalid_label", "wrong label", 1)
    )


def test_a_repair_may_fail_on_the_way() -> None:
    """Errors after a repair are counted on top of it."""
    attempts = _attempts()
    attempts.after_answer(WRONG, successes=0)
    assert attempts.after_error(RESET, successes=0, is_probe=False) == Retry(0.8, False)
    assert attempts.spent == 1
    assert isinstance(attempts.after_error(RESET, successes=1, is_probe=False), Retry)
    assert isinstance(attempts.after_error(RESET, successes=2, is_probe=False), GiveUp)


def test_a_refused_ticket_is_given_up_at_once() -> None:
    """With the provider's code."""
    step = _attempts().refused(TicketError("too long", code="context_length", status=400))
    assert step == GiveUp(Failure("context_length", "too long", 1))


@given(
    st.integers(1, 10),
    st.lists(st.tuples(st.sampled_from(["transient", "answer"]), st.integers(0, 2))),
)
def test_a_ticket_ends_within_its_attempts_and_ten_tries(
    max_attempts: int, steps: list[tuple[str, int]]
) -> None:
    """No sequence of failures takes more than ten tries or the attempts allowed."""
    attempts, successes, tries = _attempts(max_attempts), 0, 0
    for kind, more in [*steps, *[("transient", 0)] * MAX_TRIES]:
        successes += more
        tries += 1
        step: object
        if kind == "answer":
            step = attempts.after_answer(WRONG, successes=successes)
        else:
            step = attempts.after_error(RESET, successes=successes, is_probe=False)
        if isinstance(step, GiveUp):
            assert 1 <= step.failure.attempts <= max_attempts
            break
    else:
        pytest.fail("never given up")
    assert tries <= MAX_TRIES


def test_a_ticket_that_is_always_the_probe_gives_up_in_the_end() -> None:
    """Only where the provider is known to answer such requests: else it is the provider."""
    for is_proven, ends in ((True, True), (False, False)):
        attempts = TicketAttempts(max_attempts=3, uniform=lambda low, _: low)
        error = TransientError("down", code="server_error", status=500)
        steps = [
            attempts.after_error(error, successes=5, is_probe=True, is_proven=is_proven)
            for _ in range(MAX_PROBES)
        ]
        assert all(isinstance(step, Retry) for step in steps[:-1])
        assert isinstance(steps[-1], GiveUp) is ends


def _probes_until_the_end(attempts: TicketAttempts, successes: int) -> int:
    """Return how many probes in a row a ticket gets."""
    for probes in range(1, 2 * MAX_PROBES):
        step = attempts.after_error(RESET, successes=successes, is_probe=True, is_proven=True)
        if isinstance(step, GiveUp):
            return probes
    pytest.fail("never given up")


@pytest.mark.parametrize(
    ("failures", "probes"),
    [((1, 2), SUSPECT_PROBES), ((0, 1), SUSPECT_PROBES), ((1, 1), MAX_PROBES), ((1,), MAX_PROBES)],
)
def test_a_ticket_that_failed_again_after_others_succeeded_is_probed_less(
    failures: tuple[int, ...], probes: int
) -> None:
    """The fault is likely its own; the numbers are successes before each failure."""
    attempts = _attempts(3)
    for successes in failures:
        attempts.after_error(RESET, successes=successes, is_probe=False)
    assert _probes_until_the_end(attempts, failures[-1]) == probes


def test_a_throttle_makes_no_ticket_suspect() -> None:
    """It says nothing about the ticket, so the first failure after it is the first."""
    attempts = _attempts(3)
    attempts.after_error(THROTTLE, successes=1, is_probe=False)
    assert _probes_until_the_end(attempts, 9) == MAX_PROBES
    attempts = _attempts(3)
    attempts.after_error(RESET, successes=1, is_probe=False)
    attempts.after_error(THROTTLE, successes=2, is_probe=False)
    assert _probes_until_the_end(attempts, 2) == MAX_PROBES


def test_a_probe_is_a_failure_too() -> None:
    """The first of these is the second failure, behind an answer."""
    attempts = _attempts(3)
    attempts.after_error(RESET, successes=1, is_probe=False)
    assert _probes_until_the_end(attempts, 2) == SUSPECT_PROBES


def test_probes_between_which_others_succeeded_are_no_row() -> None:
    """The provider comes and goes: that is not the ticket's fault."""
    attempts = _attempts(3)
    for successes in (1, 2):
        attempts.after_error(RESET, successes=successes, is_probe=False)
    for successes in range(3, 3 + 2 * SUSPECT_PROBES):
        step = attempts.after_error(RESET, successes=successes, is_probe=True, is_proven=True)
        assert isinstance(step, Retry)

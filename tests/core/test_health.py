"""When going on would be pointless."""

from __future__ import annotations

from inference_forge.core.health import BARE_403_IN_A_ROW, TRIAL_TICKETS, RunHealth


def test_only_twenty_tickets_start_before_the_first_success() -> None:
    """Afterwards there is no bound."""
    health = RunHealth()
    for _ in range(TRIAL_TICKETS):
        assert health.may_start_ticket()
        health.on_ticket_started()
    assert not health.may_start_ticket()
    health.on_success()
    assert health.may_start_ticket()
    assert health.successes == 1


def test_twenty_failed_tickets_without_a_success_mean_a_wrong_request() -> None:
    """The twentieth says so, not the nineteenth."""
    health = RunHealth()
    failed = [health.on_ticket_failed(is_unexplained=False) for _ in range(20)]
    assert failed == [False] * 19 + [True]


def test_one_success_clears_the_request() -> None:
    """Then any number of tickets may fail."""
    health = RunHealth()
    health.on_success()
    assert not any(health.on_ticket_failed(is_unexplained=False) for _ in range(500))


def test_a_hundred_unexplained_refusals_in_a_row_mean_a_wrong_request() -> None:
    """Also after a success or a cached answer; what a ticket is to blame for does not count."""
    health = RunHealth()
    health.on_cached_answer()
    for _ in range(2):
        assert not any(health.on_ticket_failed(is_unexplained=True) for _ in range(99))
        assert not any(health.on_ticket_failed(is_unexplained=False) for _ in range(99))
        assert health.on_ticket_failed(is_unexplained=True)
        health.on_success()
    assert not health.on_ticket_failed(is_unexplained=True)


def test_a_bare_403_before_any_success_means_the_key() -> None:
    """Nothing has shown that the key works."""
    assert RunHealth().on_bare_403()


def test_a_bare_403_later_means_one_ticket_until_five_in_a_row() -> None:
    """A success in between starts the count again."""
    health = RunHealth()
    health.on_success()
    for _ in range(3):
        assert not any(health.on_bare_403() for _ in range(BARE_403_IN_A_ROW - 1))
        health.on_success()
    assert [health.on_bare_403() for _ in range(5)] == [False] * 4 + [True]


def test_cached_answers_prove_that_the_request_is_right() -> None:
    """A second run, in which only what failed is asked, must not stop for it."""
    health = RunHealth()
    health.on_cached_answer()
    assert health.is_proven
    assert not any(health.on_ticket_failed(is_unexplained=False) for _ in range(500))
    assert [health.on_bare_403() for _ in range(5)] == [False] * 4 + [True]
    for _ in range(100):
        assert health.may_start_ticket()
        health.on_ticket_started()


def test_before_the_first_answer_few_may_be_risked() -> None:
    """One while it is found out how to ask; then no more than told; after an answer all."""
    health = RunHealth(3)
    assert health.most_in_flight == 3
    health.on_error(is_of_way=True)
    assert health.most_in_flight == 1
    health.on_error(is_of_way=False)
    assert health.most_in_flight == 3
    health.on_answer()
    health.on_error(is_of_way=True)
    assert health.most_in_flight is None
    assert RunHealth().most_in_flight is None

"""One ticket's tries: timeouts, deadlines, repairs, retries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_rig import Rig, virtual_time
from fakes import USAGE, Asked, Reply, ScriptedProvider, label, tickets

from inference_forge.engine.lane import CallLimits
from inference_forge.errors import (
    FatalError,
    TransientError,
)
from inference_forge.events import RetryScheduled
from inference_forge.models import Failure, Finish, ModelAnswer, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = virtual_time

DOWN = TransientError("down", code="server_error", status=500)
BAD_KEY = FatalError("the key is refused", code="bad_key", status=401)


def texts(count: int) -> list[str]:
    """Return different texts."""
    return [f"t{number}" for number in range(count)]


def between(began_s: float, ended_s: float, reply: Reply) -> Callable[[Asked], Reply]:
    """Answer well, but with `reply` between two times."""
    return lambda asked: reply if began_s <= asked.at_s < ended_s else label()


async def test_a_try_that_hangs_is_cut_and_on_nobodys_bill() -> None:
    """The next try answers; what the first may have cost is told apart, as an estimate."""
    provider = ScriptedProvider(
        latency_s=lambda asked: 1e9 if asked.number == 3 else 0.5,
    )
    rig = Rig(tickets(texts(10)), provider)
    await rig.run()
    assert rig.classified == 10
    assert provider.cancelled == 1
    codes = [(event.kind, event.code) for event in rig.tries if event.kind != "ok"]
    assert codes == [("transient", "timeout")]
    hung = next(row.spending for row in rig.written if row.spending.tries == 2)
    assert hung.usage == USAGE
    assert [each.unsettled_tokens > 100 for each in rig.tries].count(True) == 1
    assert {each.unsettled_tokens for each in rig.tries if each.kind == "ok"} == {0}


async def test_a_provider_that_hangs_on_the_last_ticket_ends_within_its_deadlines() -> None:
    """Everything else is written."""
    provider = ScriptedProvider(latency_s=lambda asked: 1e9 if asked.text == "t99" else 0.5)
    rig = Rig(tickets(texts(100)), provider)
    await rig.run()
    assert rig.classified == 99
    assert provider.times_s[-1] < 1000


async def test_a_ticket_that_fails_while_others_pass_is_given_up_after_three_attempts() -> None:
    """Its failure tells code, attempts and tokens."""
    provider = ScriptedProvider(
        lambda asked: DOWN if asked.text == "t7" else label(),
        lambda asked: 1.2 if asked.text == "t7" else 0.5,
    )
    rig = Rig(tickets(texts(400)), provider, concurrency=4)
    await rig.run()
    assert provider.texts.count("t7") == 3
    assert rig.written[7].outcome == Failure("server_error", "down", 3)
    assert rig.written[7].spending.tries == 3
    scheduled = rig.recorder.of(RetryScheduled)
    assert [(event.code, event.attempt) for event in scheduled] == [
        ("server_error", 1),
        ("server_error", 2),
    ]


async def test_a_ticket_that_takes_too_long_is_given_up() -> None:
    """Slow failures among successes run into the deadline."""
    limits = CallLimits(max_attempts=50, ticket_deadline_s=20)
    provider = ScriptedProvider(
        lambda asked: DOWN if asked.text == "t0" else label(),
        lambda asked: 9.0 if asked.text == "t0" else 0.5,
    )
    rig = Rig(tickets(texts(600)), provider, concurrency=4, limits=limits)
    await rig.run()
    assert rig.failures == {"deadline_exceeded": 1}
    assert provider.texts.count("t0") in {2, 3}


async def test_a_tickets_deadline_stands_still_while_dispatch_is_paused() -> None:
    """An outage much longer than the deadline fails nothing, not even who probes all the time."""
    limits = CallLimits(ticket_deadline_s=20)
    provider = ScriptedProvider(between(10, 600, DOWN), 0.5)
    rig = Rig(tickets(texts(100)), provider, limits=limits, concurrency=1)
    await rig.run()
    assert rig.failures == {}
    assert rig.classified == 100


async def test_an_unusable_answer_is_repaired_once() -> None:
    """The model sees its answer and what was wrong; a second miss is the end."""
    provider = ScriptedProvider(
        lambda asked: (
            label() if len(asked.request.messages) == 4 and asked.text == "ok" else "prose"
        )
    )
    rig = Rig(tickets(["ok", "bad"]), provider)
    await rig.run()
    assert sorted(provider.texts) == ["bad", "bad", "ok", "ok"]
    repair = provider.asked[-1].request.messages
    assert [message.role for message in repair] == ["system", "user", "assistant", "user"]
    assert repair[2].content == "prose"
    assert rig.failures == {"invalid_json": 1}
    assert rig.written[0].spending.tries == 2
    assert rig.written[1].spending.usage == Usage(200, 40)
    assert rig.written[1].spending.attempts == 2


@pytest.mark.parametrize("finish", [Finish.REFUSAL, Finish.FILTER])
async def test_a_refusal_is_not_asked_again(finish: Finish) -> None:
    """The model will not change its mind."""
    provider = ScriptedProvider(lambda _: ModelAnswer("", "m", Usage(), finish))
    rig = Rig(tickets(["a"]), provider)
    await rig.run()
    assert len(provider.asked) == 1
    assert sum(rig.failures.values()) == 1


async def test_a_ticket_that_waits_for_its_retry_holds_no_slot() -> None:
    """With one slot, others are asked during the backoff."""
    provider = ScriptedProvider(lambda asked: DOWN if asked.number == 0 else label(), 0.1)
    rig = Rig(tickets(texts(20)), provider, concurrency=1)
    await rig.run()
    assert provider.texts[1] != provider.texts[0]
    assert provider.texts.count(provider.texts[0]) == 2
    assert rig.classified == 20


async def test_the_run_moves_when_the_retry_quota_is_empty() -> None:
    """A third of all tickets fails once: more retries than the quota pays for."""
    seen: set[str] = set()

    def respond(asked: Asked) -> Reply:
        is_odd = int(asked.text[1:]) % 3 == 0
        if is_odd and asked.text not in seen:
            seen.add(asked.text)
            return DOWN
        return label()

    rig = Rig(tickets(texts(900)), ScriptedProvider(respond, 0.2))
    counts = await rig.run()
    assert rig.control.reason is None
    assert counts.pending == 0
    assert rig.failures == {}

"""What the engine tells of answers, for estimates of later runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_rig import Rig, virtual_time
from fakes import USAGE, ScriptedProvider, label, tickets

from inference_forge.core.packing.plan import pack_plan
from inference_forge.errors import TransientError

if TYPE_CHECKING:
    from fakes import Asked, Reply

    from inference_forge.models import ModelRequest, Usage

pytestmark = virtual_time


class Noted:
    """Takes note of all answers: tickets, messages, latency, and whether they mend others."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, int, float, bool]] = []

    def __call__(
        self, request: ModelRequest, usage: Usage, latency_s: float, *, is_again: bool
    ) -> None:
        """Note an answer."""
        assert usage == USAGE
        self.answers.append((len(request.texts), len(request.messages), latency_s, is_again))


async def test_every_answer_is_told_once_with_its_latency() -> None:
    """A failed try is no answer; the one after it is not a mended one."""

    def once_broken(_: Asked) -> Reply:
        return label() if len(provider.asked) > 1 else TransientError("broken", code="reset")

    noted = Noted()
    provider = ScriptedProvider(once_broken, latency_s=2.0)
    await Rig(tickets(["a"]), provider, learn=noted).run()
    ((tickets_in, messages, latency_s, is_again),) = noted.answers
    assert (tickets_in, messages, is_again) == (1, 2, False)
    assert latency_s == pytest.approx(2.0)


async def test_a_repair_mends() -> None:
    """The first answer was one, too: it was paid for."""
    noted = Noted()
    await Rig(tickets(["a"]), ScriptedProvider(lambda _: "prose"), learn=noted).run()
    assert [(messages, again) for _, messages, _, again in noted.answers] == [(2, False), (4, True)]


async def test_what_a_pack_left_out_is_mended_alone() -> None:
    """Whatever the size in which it is asked again."""
    noted = Noted()
    provider = ScriptedProvider(
        lambda asked: "no lines" if len(asked.request.texts) > 1 else label()
    )
    rig = Rig(tickets(["one", "two", "three", "four"]), provider, plan=pack_plan(4), learn=noted)
    await rig.run()
    sizes = [(size, again) for size, _, _, again in noted.answers]
    assert sizes[0] == (4, False)
    assert {again for _, again in sizes[1:]} == {True}
    assert sum(size for size, _ in sizes if size == 1) == 4

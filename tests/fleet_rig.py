"""A pipeline over several endpoints that answer alike, and over servers that still start."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from engine_rig import Gate, Rig, cost_of
from msgspec.structs import replace

from inference_forge.core.parse import AnswerParser
from inference_forge.core.prompt import build_prompt
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.engine.admission import Admission
from inference_forge.engine.call import Caller
from inference_forge.engine.fleet import Endpoints, Member
from inference_forge.engine.fleet_events import FleetEvents
from inference_forge.engine.gatekeeper import Gatekeeper
from inference_forge.engine.lane import Lane
from inference_forge.engine.packs import Packs
from inference_forge.engine.routing import Router
from inference_forge.engine.shared_slots import SharedSlots
from inference_forge.engine.waking import WakeWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from fakes import ScriptedProvider

    from inference_forge.engine.pipeline import Stages
    from inference_forge.events import Event


@dataclass
class FleetRig(Rig):
    """A pipeline over `providers`, or over `provider` alone; use once, inside an event loop.

    Attributes:
        providers: the fleet; the first gives the fingerprint. Empty for one provider.
        wake_s: seconds that each is waited for; None for not at all.
    """

    providers: list[ScriptedProvider] = field(default_factory=list)
    wake_s: float | None = None
    awake: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Wire everything."""
        if self.providers:
            self.provider = self.providers[0]
        self.lanes: list[Lane] = []
        super().__post_init__()

    def _stages(self) -> Stages:
        stages = super()._stages()
        watch = None
        if self.wake_s is not None:
            watch = WakeWatch(
                self.control,
                self.wake_s,
                has_alternative=self.fallback is not None,
                emit=self.recorder.on_event,
                awake=self.awake,
            )
        self.watch = watch
        primary: Caller | Endpoints
        if self.providers:
            primary = self._fleet()
        else:
            self.lanes = [self._lane("", self.provider, self.recorder.on_event)]
            primary = self._caller(self.lanes[0])
        if self.fallback is None:
            return self._with(stages, self._router(primary), self.lanes)
        self.watch = None
        spare = self._lane("", self.fallback, self.recorder.on_event)
        router = self._router(primary, self._caller(spare))
        return self._with(stages, router, [*self.lanes, spare])

    def _with(self, stages: Stages, router: Router, lanes: list[Lane]) -> Stages:
        """Return `stages` with another router, through which tickets and packs go."""
        packs = Packs(
            router=router,
            plan=self.plan,
            shuffle=random.Random(self.seed).shuffle,
            emit=self.recorder.on_event,
        )
        return replace(stages, router=router, packs=packs, lanes=lanes)

    def _router(self, *callers: Caller | Endpoints) -> Router:
        self.router = Router(*callers)
        return self.router

    def _fleet(self) -> Endpoints:
        names = [f"gpu{number}" for number in range(1, 1 + len(self.providers))]
        self.slots = SharedSlots(self.concurrency)
        events = FleetEvents(names, self.recorder.on_event)
        self.lanes = [
            self._lane(name, provider, events.of(name), self.slots)
            for name, provider in zip(names, self.providers, strict=True)
        ]
        members = [Member(self._caller(lane), lane) for lane in self.lanes]
        self.fleet = Endpoints(members, self.slots, events)
        return self.fleet

    def _lane(
        self,
        name: str,
        provider: ScriptedProvider,
        emit: Callable[[Event], None],
        slots: SharedSlots | None = None,
    ) -> Lane:
        gate = Gate(
            self.control, self.recorder, self.concurrency, outage=self.gate.outage,
            pacing=self.pacing,
        )  # fmt: skip
        uniform = random.Random(self.seed).uniform
        admission = Admission(
            Gatekeeper(
                breaker=gate.breaker,
                limit=gate.limit,
                quota=gate.quota,
                pacer=gate.pacer,
                health=gate.health,
                outage=self.gate.outage or gate.outage,  # type: ignore[arg-type]
                emit=emit,
                shared=slots,
                waking=None if self.watch is None else self.watch.of(name or "host", uniform),
            ),
            anyio.current_time,
        )
        label = name or "the provider"
        return Lane(provider, admission, gate.health, cost_of, label, "", name)

    def _caller(self, lane: Lane) -> Caller:
        return Caller(
            lane=lane,
            prompt=build_prompt(BUILT_IN, max_output_tokens=100),
            parser=AnswerParser(BUILT_IN),
            limits=self.limits,
            control=self.control,
            clock=anyio.current_time,
            uniform=random.Random(self.seed).uniform,
            fence=lambda: "fence",
            emit=self.recorder.on_event,
            pack_form=self._pack_form(),
            purse=self.purse,
        )

    @property
    def asked(self) -> list[int]:
        """How many requests each of the fleet got."""
        return [len(provider.asked) for provider in self.providers]

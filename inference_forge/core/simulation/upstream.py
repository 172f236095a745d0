"""A chat API that decides what it would do, and leaves doing it to others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from inference_forge.core.simulation import faults, wire
from inference_forge.core.simulation.bucket import RateLimits
from inference_forge.core.simulation.chance import Chances, draw, text_key
from inference_forge.core.simulation.faults import Fault, choose_fault
from inference_forge.core.simulation.headers import http_date, retry_after_headers
from inference_forge.core.simulation.model import SimulatedModel
from inference_forge.core.simulation.packed import packed_request
from inference_forge.core.simulation.plan import DEFAULT_MODEL
from inference_forge.core.simulation.refused import Refused
from inference_forge.core.simulation.request import read_chat_request
from inference_forge.core.simulation.scripted import Chunk, Scripted
from inference_forge.core.simulation.subject import subject_of
from inference_forge.core.simulation.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.simulation.plan import Outage, SimulationPlan
    from inference_forge.core.simulation.request import ChatRequest
    from inference_forge.core.simulation.tally import Statistics

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream; charset=utf-8"
_CHAT: Final = "/chat/completions"
_MODELS: Final = "/models"
_KEY_HEADERS: Final = ("api-subscription-key", "x-api-key")


class _Admitted(Struct, frozen=True):
    """A request that came as far as to the model, and what came of it."""

    request: ChatRequest
    key: bytes
    chances: Chances
    fault: Fault | None
    reply: wire.Reply


class SimulatedUpstream:
    """Answers requests in OpenAI's chat format by a plan.

    What becomes of a request (labels, latency, fault) depends on the plan's seed, on the text it
    is about, and on how often that text came as far as to the model: so runs over the same
    tickets agree, whatever the order. Limits, outages and slowing down depend on `now`.

    Not for more than one thread. The time passed in may be any clock's; it is told to clients as
    Unix time.

    Arguments:
        plan: how it behaves.
        max_texts: how many texts it remembers, the last ones; None for all, at 200 bytes each.
    """

    def __init__(self, plan: SimulationPlan, *, max_texts: int | None = None) -> None:
        self._plan = plan
        self._max_texts = max_texts
        self._model = SimulatedModel(plan)
        self._number = 0
        self.reset()

    @property
    def plan(self) -> SimulationPlan:
        """The plan."""
        return self._plan

    def reset(self) -> None:
        """Forget everything: limits are full, outages start anew, nothing was counted.

        Requests under way are no longer counted; to finish them is harmless.
        """
        self._began: float | None = None
        self._limits: RateLimits | None = None
        self._admitted = 0
        self._tally = Tally(self._max_texts)
        self._open: dict[int, float] = {}
        self._working: set[int] = set()
        self._good: dict[int, bytes] = {}

    def statistics(self) -> Statistics:
        """Return the figures since the start or the last reset."""
        return self._tally.statistics(len(self._open))

    def finished(self, number: int, now: float, *, is_delivered: bool = True) -> None:
        """Take note that a request is over, answered or not; idempotent.

        Arguments:
            number: `Scripted.number`.
            now: seconds on the same clock as for `handle`.
            is_delivered: False when the client left before it had all.
        """
        self._working.discard(number)
        key = self._good.pop(number, None)
        if key is not None and is_delivered:
            self._tally.count_delivery(key)
        started = self._open.pop(number, None)
        if started is not None:
            self._tally.count_end(max(0.0, now - started))

    def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, now: float
    ) -> Scripted:
        """Return what to do with a request; raises nothing, whatever it is.

        Arguments:
            method: for example `POST`.
            path: with or without a prefix that ends in `/v1`, and a query.
            headers: case-insensitive, or with lower case names.
            body: as it came.
            now: seconds; never less than in the call before.
        """
        self._number += 1
        route = "/" + path.partition("?")[0].rpartition("/v1/")[2].strip("/")
        is_chat = method == "POST" and route == _CHAT
        if is_chat:
            self._arrive(now)
        outage = self._outage(now)
        if outage is not None and outage.status is None:
            return self._silent(is_reset=True, is_chat=is_chat)
        try:
            if outage is not None and outage.status is not None:
                raise faults.outage(outage.status)
            self._check_key(headers)
            if not is_chat:
                return self._plain(200, self._listed(method, route), now)
            return self._answered(self._admit(body, now), now)
        except Refused as refused:
            return self._refused(refused, now, is_chat=is_chat)

    def _arrive(self, now: float) -> None:
        if self._began is None:
            self._began = now
        self._open[self._number] = now
        self._tally.count_arrival(len(self._open))

    def _outage(self, now: float) -> Outage | None:
        if self._began is None:
            return None
        elapsed_s = now - self._began
        return next((outage for outage in self._plan.outages if outage.covers(elapsed_s)), None)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        if self._plan.valid_keys is None:
            return
        bearer = headers.get("authorization", "").partition(" ")[2].strip()
        keys = [bearer, *(headers.get(name, "") for name in _KEY_HEADERS)]
        if not any(keys):
            raise Refused(401, "the API key is missing: send it as a bearer token")
        if not any(key in self._plan.valid_keys for key in keys):
            raise Refused(401, "the API key is not accepted", code="invalid_api_key")

    def _listed(self, method: str, route: str) -> bytes:
        """Return the body that lists the models, or tells of one."""
        names = self._plan.models or (DEFAULT_MODEL,)
        if route == _CHAT or (method != "GET" and route.startswith(_MODELS)):
            raise Refused(405, f"{method} is not allowed here")
        if route == _MODELS:
            data: Any = {"object": "list", "data": [wire.model(name) for name in names]}
            return orjson.dumps(data)
        if route.startswith(f"{_MODELS}/"):
            name = route.removeprefix(f"{_MODELS}/")
            self._check_model(name)
            return orjson.dumps(wire.model(name))
        raise Refused(
            404, f"there is nothing here; POST /v1{_CHAT} asks the model", code="unknown_url"
        )

    def _check_model(self, name: str) -> None:
        if self._plan.models and name not in self._plan.models:
            raise Refused(
                404, f"the model {name!r} does not exist", code="model_not_found", param="model"
            )

    def _admit(self, body: bytes, now: float) -> _Admitted:
        """Return the request and its reply, once keys, models, credit and limits allow it."""
        request = read_chat_request(body)
        self._check_model(request.model)
        packed = packed_request(request.messages)
        subject = subject_of(request.messages) if packed is None else packed.subject
        key = text_key(subject.text)
        self._tally.count_text(key)
        if self._plan.quota_requests is not None and self._admitted >= self._plan.quota_requests:
            raise Refused(
                429,
                "the credit is used up (simulated)",
                kind="insufficient_quota",
                code="insufficient_quota",
            )
        chances = draw(self._plan.seed, key, self._tally.asks(key))
        fault = choose_fault(self._plan, chances.fault)
        reply = self._model.reply(
            request, subject, chances, is_spoilt=fault is Fault.MALFORMED, now=now
        )
        self._limits_at(now).admit(reply.prompt_tokens + reply.completion_tokens, now)
        self._admitted += 1
        self._tally.count_ask(key)
        self._working.add(self._number)
        return _Admitted(request, key, chances, fault, reply)

    def _limits_at(self, now: float) -> RateLimits:
        if self._limits is None:
            self._limits = RateLimits(self._plan, now)
        return self._limits

    def _answered(self, admitted: _Admitted, now: float) -> Scripted:
        match admitted.fault:
            case Fault.HANG | Fault.RESET:
                return self._silent(is_reset=admitted.fault is Fault.RESET, is_chat=True)
            case Fault.ERROR:
                raise faults.trouble(admitted.chances.kind)
            case Fault.THROTTLE:
                raise faults.throttled(self._plan.throttle_wait_s)
            case _:
                return self._told(admitted, now)

    def _told(self, admitted: _Admitted, now: float) -> Scripted:
        """Return the answer, all at once or as a stream, or what is left of it."""
        plan, reply = self._plan, admitted.reply
        breaks = admitted.fault is Fault.BREAK
        self._count_told(admitted, breaks=breaks)
        slowness = plan.slowness(len(self._working))
        latency_s = plan.latency_s * math.exp(plan.latency_jitter * admitted.chances.normal)
        first_s = slowness * (latency_s + plan.ttft_s)
        token_s = slowness * plan.s_per_output_token
        if not admitted.request.streams:
            delay_s = first_s + token_s * reply.completion_tokens
            if breaks:
                return Scripted(self._number, 0, {}, delay_s=delay_s, resets=True)
            return self._plain(200, wire.completion(reply), now, delay_s=delay_s)
        events = [*wire.chunks(reply, with_usage=admitted.request.streams_usage)]
        sent = events[: len(events) // 2] if breaks else events
        return Scripted(
            self._number,
            200,
            self._headers(now, _EVENTS),
            delay_s=first_s,
            chunks=tuple(Chunk(token_s * tokens, data) for tokens, data in sent),
            resets=breaks,
        )

    def _count_told(self, admitted: _Admitted, *, breaks: bool) -> None:
        if breaks:
            self._tally.count_silence(is_reset=True)
            return
        is_malformed = admitted.fault is Fault.MALFORMED
        self._tally.count_status(200)
        self._tally.count_answer(admitted.key, admitted.reply, is_malformed=is_malformed)
        if not is_malformed and admitted.reply.finish == "stop":
            self._good[self._number] = admitted.key

    def _refused(self, refused: Refused, now: float, *, is_chat: bool) -> Scripted:
        if is_chat:
            self._tally.count_status(refused.status, has_wait=refused.wait_s is not None)
        told = {}
        if refused.wait_s:
            told = retry_after_headers(self._plan.retry_after, refused.wait_s, now)
        delay_s = self._plan.error_latency_s
        return self._plain(refused.status, wire.error(refused), now, delay_s=delay_s, extra=told)

    def _silent(self, *, is_reset: bool, is_chat: bool) -> Scripted:
        if is_chat:
            self._tally.count_silence(is_reset=is_reset)
        delay_s = self._plan.error_latency_s if is_reset else 0.0
        return Scripted(self._number, 0, {}, delay_s=delay_s, hangs=not is_reset, resets=is_reset)

    def _plain(
        self,
        status: int,
        body: bytes,
        now: float,
        *,
        delay_s: float = 0.0,
        extra: Mapping[str, str] | None = None,
    ) -> Scripted:
        headers = {**self._headers(now, _JSON), **(extra or {})}
        return Scripted(self._number, status, headers, body, delay_s)

    def _headers(self, now: float, content_type: str) -> dict[str, str]:
        told = {
            "content-type": content_type,
            "date": http_date(now),
            "x-request-id": f"req_{self._number:08d}",
        }
        if self._plan.send_rate_headers and self._limits is not None:
            told |= self._limits.headers(now)
        return told

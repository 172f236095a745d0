"""The simulated upstream behind httpx, and behind this project's own provider."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import orjson
import pytest
from simulated import PATH, chat
from trio.testing import MockClock

from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.simulator import (
    SimulatedTransport,
    simulated_preset,
    simulated_transport,
)
from inference_forge.core.parse import AnswerParser
from inference_forge.core.prompt import build_prompt
from inference_forge.core.simulation.plan import SimulationPlan
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.core.tokens import estimate_tokens
from inference_forge.errors import FatalError, SettingsError, ThrottleError, TransientError
from inference_forge.settings import Reasoning

PROMPT = build_prompt(BUILT_IN, max_output_tokens=200)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return trio with a clock that jumps over every wait."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def client(timeout: httpx.Timeout | None = None, **plan: Any) -> httpx.AsyncClient:
    """Return a client over a simulation."""
    transport = simulated_transport(SimulationPlan(**plan), anyio.current_time)
    return httpx.AsyncClient(
        transport=transport, base_url="http://simulated.invalid", timeout=timeout
    )


def figures(of: httpx.AsyncClient) -> Any:
    """Return the statistics of the simulation behind a client."""
    assert isinstance(of._transport, SimulatedTransport)
    return of._transport.upstream.statistics()


async def test_the_planned_time_passes() -> None:
    """In virtual time, and exactly."""
    async with client(latency_s=30.0) as http:
        start = anyio.current_time()
        reply = await http.post(PATH, content=chat("x"))
        assert anyio.current_time() - start == pytest.approx(30.0)
        assert reply.json()["choices"]
        seen = figures(http)
        assert (seen.in_flight, round(seen.latency_p50_s)) == (0, 30)


async def test_requests_at_once_are_in_flight_at_once() -> None:
    """And slow each other down beyond the limit."""
    async with client(latency_s=1.0, max_concurrency=5) as http:
        start = anyio.current_time()
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(lambda n: http.post(PATH, content=chat(f"t{n}")), number)
        assert anyio.current_time() - start == pytest.approx(2.0)
        assert figures(http).max_in_flight == 10


async def test_a_reset_is_a_read_error() -> None:
    """As httpx reports one."""
    async with client(reset_rate=1.0, error_latency_s=3.0) as http:
        with pytest.raises(httpx.ReadError):
            await http.post(PATH, content=chat("x"))
        assert anyio.current_time() == pytest.approx(3.0)
        assert figures(http).in_flight == 0


async def test_hanging_lasts_until_the_client_has_enough() -> None:
    """By its timeout, or by cancellation."""
    async with client(httpx.Timeout(5.0), hang_rate=1.0) as http:
        with pytest.raises(httpx.ReadTimeout, match=r"silent for 5\.0 s"):
            await http.post(PATH, content=chat("x"))
        assert anyio.current_time() == pytest.approx(5.0)
    async with client(hang_rate=1.0) as http:
        with anyio.move_on_after(1000) as scope:
            await http.post(PATH, content=chat("x"))
        assert scope.cancelled_caught
        assert figures(http).in_flight == 0


async def test_a_stream_comes_piece_by_piece() -> None:
    """Each piece in its time; the request is over when the stream is."""
    async with client(ttft_s=1.0, s_per_output_token=0.5) as http:
        arrivals = []
        async with http.stream("POST", PATH, content=chat("a b c", stream=True)) as reply:
            arrivals.append(anyio.current_time())
            assert figures(http).in_flight == 1
            arrivals += [anyio.current_time() async for line in reply.aiter_lines() if line]
        assert figures(http).in_flight == 0
        assert arrivals[0] == pytest.approx(1.0)
        assert len(set(arrivals)) > 3
        assert arrivals == sorted(arrivals)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_not_waited_for_is_asked_again_with_reason(stream: bool) -> None:
    """Only what comes after a whole answer is needless."""
    body = chat("x", stream=stream)
    patience = httpx.Timeout(None, read=1.0)
    async with client(latency_s=3.0, s_per_output_token=3.0) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post(PATH, content=body, timeout=patience)
        for needless in (0, 1):
            await http.post(PATH, content=body)
            assert figures(http).needless_requests == needless


async def test_repr_shows_the_requests() -> None:
    """For debugging."""
    async with client() as http:
        await http.post(PATH, content=chat("x"))
        assert repr(http._transport) == "<SimulatedTransport 1 requests>"


def provider(
    api_key: ApiKey | None = None,
    *,
    stream: bool = False,
    reasoning: Reasoning | None = None,
    **plan: Any,
) -> Any:
    """Return this project's provider over a simulation."""
    planned = SimulationPlan(**plan)
    return connect(
        simulated_preset(planned),
        api_key=api_key,
        max_connections=4,
        clock=anyio.current_time,
        estimate_tokens=estimate_tokens,
        transport=simulated_transport(planned, anyio.current_time),
        stream=stream,
        reasoning=reasoning,
    )


async def test_this_projects_provider_gets_answers() -> None:
    """That its parser accepts, with usage as it is billed."""
    asked = provider(seed=7, reasoning_tokens=5)
    answer = await asked.ask(PROMPT.request("My invoice is wrong", "ab"))
    values = AnswerParser(BUILT_IN).parse(answer).values
    assert (values["category"], answer.model) == ("billing", "simulated")
    assert (answer.usage.is_estimate, answer.usage.reasoning_tokens) == (False, 5)
    assert asked.generation["seed"] == 7
    await asked.aclose()


@pytest.mark.parametrize(
    ("plan", "error", "code"),
    [
        ({"error_rate": 1.0}, TransientError, "server_error"),
        ({"reset_rate": 1.0}, TransientError, None),
        ({"throttle_rate": 1.0}, ThrottleError, "rate_limited"),
        ({"quota_requests": 1}, FatalError, "quota_exhausted"),
    ],
)
async def test_faults_are_what_this_project_takes_them_for(
    plan: dict[str, Any], error: type[Exception], code: str | None
) -> None:
    """Each error of the simulation has its class."""
    asked = provider(**plan)
    if "quota_requests" in plan:
        await asked.ask(PROMPT.request("x", "ab"))
    with pytest.raises(error) as raised:
        await asked.ask(PROMPT.request("x", "ab"))
    if code is not None:
        assert raised.value.code == code  # type: ignore[attr-defined]
    await asked.aclose()


async def test_a_key_is_needed_where_the_plan_wants_one() -> None:
    """And a wrong one is fatal."""
    with pytest.raises(SettingsError, match="SIMULATED_API_KEY"):
        provider(valid_keys=("k",))
    wrong = provider(ApiKey("other", source="X"), valid_keys=("k",))
    with pytest.raises(FatalError):
        await wrong.ask(PROMPT.request("x", "ab"))
    right = provider(ApiKey("k", source="X"), valid_keys=("k",), models=("m9",))
    assert (await right.ask(PROMPT.request("x", "ab"))).model == "m9"
    await wrong.aclose()
    await right.aclose()


async def test_malformed_bodies_do_not_break_the_transport() -> None:
    """They get their 400."""
    async with client() as http:
        assert (await http.post(PATH, content=b"{")).status_code == 400
        models = orjson.loads((await http.get("/v1/models")).content)
        assert models["data"][0]["id"] == "simulated"


async def test_a_streamed_answer_is_the_same_and_its_first_word_is_timed() -> None:
    """As long as the plan says, exactly; the rest takes its time for each token."""
    plan: dict[str, Any] = {"latency_s": 1.0, "ttft_s": 0.5, "s_per_output_token": 0.1}
    request = PROMPT.request("My invoice is wrong", "ab")
    answers = []
    for stream in (False, True):
        asked = provider(stream=stream, reasoning_tokens=5, **plan)
        began_s = anyio.current_time()
        answers.append(await asked.ask(request))
        tokens = answers[-1].usage.completion_tokens
        assert anyio.current_time() - began_s == pytest.approx(1.5 + 0.1 * tokens)
        await asked.aclose()
    whole, streamed = answers
    assert (whole.first_token_s, whole.reasoning) == (None, streamed.reasoning)
    assert streamed.first_token_s == pytest.approx(1.6)
    assert (streamed.text, streamed.usage) == (whole.text, whole.usage)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_connection_that_breaks_in_the_middle_is_transient(*, stream: bool) -> None:
    """What came before is no answer."""
    asked = provider(stream=stream, break_rate=1.0)
    with pytest.raises(TransientError) as caught:
        await asked.ask(PROMPT.request("x", "ab"))
    assert caught.value.code == "connection_reset"
    await asked.aclose()


async def test_it_reasons_as_it_is_told() -> None:
    """By the levels of `--reasoning`."""
    tokens = []
    for level in (None, *Reasoning):
        asked = provider(reasoning=level, reasoning_tokens=10)
        answer = await asked.ask(PROMPT.request("x", "ab"))
        tokens.append(answer.usage.reasoning_tokens)
        await asked.aclose()
    assert tokens == [10, 0, 5, 10, 40]

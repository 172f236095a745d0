"""The OpenAI chat format: requests, answers, usage, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx
import orjson
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Reply as Scripted
from servers import Script, ScriptedServer, completion, error

from inference_forge.adapters.http.client import Timeouts
from inference_forge.adapters.http.exchange import Reply
from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.openai_answer import read_answer
from inference_forge.adapters.providers.presets import load_presets
from inference_forge.errors import (
    FatalError,
    ProviderError,
    ThrottleError,
    TicketError,
    TransientError,
)
from inference_forge.models import (
    BucketHint,
    Finish,
    Message,
    ModelAnswer,
    ModelRequest,
    RateLimitHints,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.adapters.providers.http_provider import HttpProvider
    from inference_forge.ports import Provider

KEY = "sk-hunter2-canary"
PRESETS = load_presets()
SCHEMA = {"type": "object", "properties": {"category": {"enum": ["billing"]}}}
REQUEST = ModelRequest(
    texts=("refund please",),
    messages=(Message("system", "classify"), Message("user", "refund please")),
    schema=SCHEMA,
    max_output_tokens=60,
)


def provider(name: str = "sarvam", **options: Any) -> HttpProvider:
    """Return a provider with a key, and a model where the preset has none."""
    arguments = {
        "api_key": ApiKey(KEY, source="KEY"),
        "max_connections": 2,
        "clock": lambda: 1_700_000_000.0,
        "estimate_tokens": len,
        "model": "m" if name != "sarvam" else None,
        **options,
    }
    return connect(PRESETS[name], **arguments)


async def sent(name: str = "sarvam", request: ModelRequest = REQUEST, **options: Any) -> Any:
    """Return the body and headers that a request goes out with."""
    seen: list[httpx.Request] = []

    def answer(message: httpx.Request) -> httpx.Response:
        seen.append(message)
        return httpx.Response(200, json=completion().body)

    asked = provider(name, transport=httpx.MockTransport(answer), **options)
    await asked.ask(request)
    await asked.aclose()
    return orjson.loads(seen[0].content), seen[0]


async def ask(script: Script, **options: Any) -> ModelAnswer:
    """Ask a scripted server once."""
    async with ScriptedServer(script) as server:
        asked = provider(base_url=server.url, **options)
        try:
            return await asked.ask(REQUEST)
        finally:
            await asked.aclose()


async def test_sarvams_body_is_minimal() -> None:
    """Sarvam may answer 400 to fields it does not know, so nothing else is sent."""
    body, message = await sent()
    assert body == {
        "model": "sarvam-105b",
        "messages": [
            {"role": "system", "content": "classify"},
            {"role": "user", "content": "refund please"},
        ],
        "temperature": 0.0,
        "max_tokens": 60,
        "reasoning_effort": None,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "classification", "strict": True, "schema": SCHEMA},
        },
    }
    assert str(message.url) == "https://api.sarvam.ai/v1/chat/completions"
    assert message.headers["api-subscription-key"] == KEY
    assert message.headers["content-type"] == "application/json"
    assert message.headers["content-length"] == str(len(message.content))
    assert "authorization" not in message.headers


async def test_the_preset_decides_names_and_forms() -> None:
    """OpenAI takes another name for the cap, Groq no schema."""
    body, message = await sent("openai")
    assert body["max_completion_tokens"] == 60
    assert "max_tokens" not in body
    assert "reasoning_effort" not in body
    assert message.headers["authorization"] == f"Bearer {KEY}"
    body, _ = await sent("groq")
    assert body["response_format"] == {"type": "json_object"}


async def test_what_is_left_out() -> None:
    """No temperature, no format and no key are sent when there is none."""
    body, message = await sent("ollama", temperature=None, structured="plain", api_key=None)
    assert "temperature" not in body
    assert "response_format" not in body
    assert "authorization" not in message.headers
    free = ModelRequest(REQUEST.texts, REQUEST.messages, schema=None, max_output_tokens=1)
    body, _ = await sent(request=free)
    assert "response_format" not in body


async def test_generation_holds_what_changes_answers() -> None:
    """Temperature, reasoning and structured mode are part of the fingerprint."""
    asked = provider()
    assert asked.generation == {
        "reasoning_effort": None,
        "temperature": 0.0,
        "structured": "json_schema",
    }
    assert asked.model == "sarvam-105b"
    other = provider(structured="json_object", temperature=0.5)
    assert other.generation != asked.generation
    await asked.aclose()
    await other.aclose()


async def test_repr_shows_no_key() -> None:
    """Provider, model and host are shown."""
    asked = provider()
    assert repr(asked) == "<OpenAIChatProvider sarvam sarvam-105b at api.sarvam.ai>"
    await asked.aclose()
    await asked.aclose()


def test_it_is_a_provider() -> None:
    """The port is implemented."""
    accept: Callable[[Provider], None] = lambda _provider: None  # noqa: E731 - checked by mypy
    accept(provider())


@respx.mock(using="httpx")
async def test_respx_sees_the_requests(respx_mock: respx.MockRouter) -> None:
    """Users' tests can mock the network in the usual way, without a special transport."""
    route = respx_mock.post("https://api.sarvam.ai/v1/chat/completions").mock(
        return_value=httpx.Response(200, json=completion("billing").body)
    )
    asked = provider()
    assert (await asked.ask(REQUEST)).text == "billing"
    await asked.aclose()
    assert route.call_count == 1


async def test_an_answer_over_the_wire() -> None:
    """Text, model, usage and finish arrive."""
    answer = await ask(lambda _n, _b: completion('{"category":"billing"}'))
    assert answer == ModelAnswer('{"category":"billing"}', "served-model", Usage(20, 5))


async def test_lone_surrogates_fail_the_ticket_only() -> None:
    """Text that UTF-8 cannot carry is that ticket's failure, and is not sent."""
    request = ModelRequest(("\ud800",), (Message("user", "\ud800"),), None, 1)
    asked = provider()
    with pytest.raises(TicketError) as caught:
        await asked.ask(request)
    await asked.aclose()
    assert caught.value.code == "unencodable_text"


async def test_a_redirect_gets_neither_key_nor_body() -> None:
    """A 307 to another host ends the run; the other host hears nothing."""
    async with ScriptedServer(lambda _n, _b: completion()) as other:
        location = {"Location": f"{other.url}/chat/completions"}
        with pytest.raises(FatalError) as caught:
            await ask(lambda _n, _b: Scripted(status=307, headers=location))
        assert other.connections == 0
    assert caught.value.code == "redirect_refused"
    assert "127.0.0.1" in caught.value.detail


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (error(403, "invalid_api_key_error", f"bad key {KEY}"), FatalError, "unauthorized"),
        (error(429, "insufficient_quota_error", f"{KEY}"), FatalError, "quota_exhausted"),
        (error(503, "rate_limit_exceeded_error", f"{KEY}"), ThrottleError, "overloaded"),
        (error(422, "invalid_request_error", f"{KEY}"), TicketError, "rejected"),
        (error(500, None, f"{KEY}"), TransientError, "server_error"),
        (Scripted(body={"error": {"message": KEY}}), TransientError, "error_in_body"),
        (Scripted(headers={f"bad header {KEY}": "x"}), TransientError, "protocol_error"),
        (Scripted(headers={"Content-Encoding": KEY}), TransientError, "bad_encoding"),
    ],
)
async def test_errors_never_show_an_echoed_key(
    reply: Scripted, kind: type[ProviderError], code: str
) -> None:
    """Sarvam's errors get their class, and a key that is echoed anywhere is replaced."""
    with pytest.raises(kind) as caught:
        await ask(lambda _n, _b: reply)
    assert caught.value.code == code
    assert KEY not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, FatalError),
        (402, FatalError),
        (429, ThrottleError),
        (502, TransientError),
        (400, TicketError),
        (1, TransientError),
        ("402", TransientError),
    ],
)
async def test_a_success_that_reports_a_status_is_judged_by_it(
    code: object, kind: type[ProviderError]
) -> None:
    """Routers answer 200 and put into the body what their upstream answered."""
    reply = Scripted(body={"error": {"code": code, "message": "no"}})
    with pytest.raises(ProviderError) as raised:
        await ask(lambda *_: reply)
    assert type(raised.value) is kind


async def test_a_throttle_carries_the_wait() -> None:
    """The server's wait reaches the engine."""
    with pytest.raises(ThrottleError) as caught:
        await ask(lambda _n, _b: error(429, headers={"x-ratelimit-reset-requests": "120ms"}))
    assert caught.value.wait_s == pytest.approx(0.12)


async def test_a_cancelled_request_closes_its_connection() -> None:
    """A try that the engine gives up leaves no connection behind."""
    async with ScriptedServer(lambda _n, _b: Scripted(hangs=True)) as server:
        asked = provider(base_url=server.url, timeouts=Timeouts())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asked.ask, REQUEST)
            await anyio.to_thread.run_sync(server.wait_until, lambda s: len(s.requests) == 1)
            tasks.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(server.wait_until, lambda s: s.gone == 1)
        await asked.aclose()


async def test_hints_are_reported_from_every_reply() -> None:
    """Successes and errors both tell about limits; silence tells nothing."""
    headers = {"x-ratelimit-remaining-requests": "7"}
    expected = RateLimitHints(requests=BucketHint(remaining=7))
    assert (await ask(lambda _n, _b: completion(headers=headers))).hints == expected
    with pytest.raises(ThrottleError) as caught:
        await ask(lambda _n, _b: error(429, headers=headers))
    assert caught.value.hints == expected
    assert (await ask(lambda _n, _b: completion())).hints is None


def read(body: Any) -> ModelAnswer:
    """Read an answer from a 200."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_answer(
        Reply(200, {}, raw),
        REQUEST,
        model="asked-model",
        host="h",
        estimate_tokens=len,
        redact=str,
    )


def answered(message: Any, finish: Any = "stop", **rest: Any) -> dict[str, Any]:
    """Return a success body around a message."""
    return {"choices": [{"message": message, "finish_reason": finish}], **rest}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b" \n", "empty_body"),
        (b"<html>Just a moment</html>", "not_json"),
        (b'data: {"choices": []}', "not_json"),
        (b'{"choices": [', "not_json"),
        (b"[" * 5000, "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[]", "not_json"),
        (b"null", "not_json"),
        ({"error": {"message": "overloaded"}}, "error_in_body"),
        ({"error": "overloaded"}, "error_in_body"),
        ({"choices": [{"error": {"code": 502}}]}, "error_in_body"),
        (answered({"content": "half"}, "error"), "error_in_body"),
        ({}, "no_choice"),
        ({"choices": []}, "no_choice"),
        ({"choices": None}, "no_choice"),
        ({"choices": ["x"]}, "no_choice"),
        ({"choices": [{}]}, "no_choice"),
        ({"choices": [{"message": None}]}, "no_choice"),
    ],
)
def test_a_200_without_an_answer_is_transient(body: Any, code: str) -> None:
    """Empty, HTML, an error object or no choice: worth another try."""
    with pytest.raises(TransientError) as caught:
        read(body)
    assert (caught.value.code, caught.value.status) == (code, 200)


@pytest.mark.parametrize(
    ("message", "finish", "text", "kind"),
    [
        ({"content": "billing"}, "stop", "billing", Finish.STOP),
        ({"content": "billing"}, None, "billing", Finish.STOP),
        ({"content": "billing"}, "eos", "billing", Finish.STOP),
        ({"content": "bil"}, "length", "bil", Finish.LENGTH),
        ({"content": "bil"}, "model_length", "bil", Finish.LENGTH),
        ({"content": "bil"}, "max_tokens", "bil", Finish.LENGTH),
        ({"content": None}, "content_filter", "", Finish.FILTER),
        ({"content": None}, "stop", "", Finish.STOP),
        ({}, "stop", "", Finish.STOP),
        ({"content": 5}, ["stop"], "", Finish.STOP),
        ({"content": None, "refusal": "I can't"}, "stop", "I can't", Finish.REFUSAL),
        ({"content": "x", "refusal": ""}, "stop", "x", Finish.STOP),
        ({"content": "x", "refusal": None}, "refusal", "x", Finish.REFUSAL),
        ({"content": [{"type": "text", "text": "bil"}, {"type": "image"}, "ling", 5]}, "stop",
         "billing", Finish.STOP),
    ],
)  # fmt: skip
def test_texts_and_finishes(message: Any, finish: Any, text: str, kind: Finish) -> None:
    """Null, parts, refusals, filters and truncation all become typed answers."""
    answer = read(answered(message, finish))
    assert (answer.text, answer.finish) == (text, kind)


def test_reasoning_is_kept_apart() -> None:
    """Both names are read; the first that says something counts."""
    assert read(answered({"content": "x", "reasoning_content": "hm"})).reasoning == "hm"
    assert read(answered({"content": "x", "reasoning": "hm"})).reasoning == "hm"
    both = {"content": "x", "reasoning_content": None, "reasoning": "hm"}
    assert read(answered(both)).reasoning == "hm"


def test_usage_is_read_with_its_details() -> None:
    """Cached and reasoning tokens are parts of the totals, never more."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 80},
        "completion_tokens_details": {"reasoning_tokens": 70},
    }
    assert read(answered({"content": "x"}, usage=usage)).usage == Usage(100, 10, 80, 10)
    usage["prompt_tokens_details"] = {"cached_tokens": 101}
    assert read(answered({"content": "x"}, usage=usage)).usage.cached_tokens == 100


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        {"prompt_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1},
    ],
)
def test_missing_usage_is_estimated_and_says_so(usage: Any) -> None:
    """Half a bill is no bill: the whole usage is estimated, reasoning included."""
    message = {"content": "billing", "reasoning": "hm"}
    answer = read(answered(message, usage=usage))
    prompt = len("classify") + len("refund please")
    assert answer.usage == Usage(prompt, len("billing") + len("hm"), is_estimate=True)


@pytest.mark.parametrize("details", [None, [], {"cached_tokens": None}, {"cached_tokens": -1}])
def test_odd_details_count_as_zero(details: Any) -> None:
    """Details that are missing or nonsense do not spoil the totals."""
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": details}
    assert read(answered({"content": "x"}, usage=usage)).usage == Usage(5, 1)


@pytest.mark.parametrize("named", [None, "", 5])
def test_the_asked_model_stands_in(named: Any) -> None:
    """A reply that names no model is from the one that was asked."""
    assert read(answered({"content": "x"}, model=named)).model == "asked-model"


FIELDS = [
    "choices", "message", "content", "refusal", "finish_reason", "usage", "prompt_tokens",
    "completion_tokens", "prompt_tokens_details", "error", "model", "text", "reasoning",
]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_no_reply_breaks_the_reader(body: Any) -> None:
    """Any JSON is an answer or a transient error."""
    for candidate in (body, {"choices": [{"message": body}]}, {"choices": [body], "usage": body}):
        try:
            answer = read(candidate)
        except TransientError:
            continue
        assert isinstance(answer.text, str)
        assert answer.usage.prompt_tokens >= 0

"""Anthropic's messages format: requests, answers, usage, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from servers import Reply as Scripted
from servers import Script, ScriptedServer, anthropic_error, message

from inference_forge.adapters.http.exchange import Reply
from inference_forge.adapters.providers.anthropic_answer import ANTHROPIC_TABLE, read_answer
from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import find_preset
from inference_forge.adapters.providers.verdict import refusal
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
    from inference_forge.adapters.providers.presets import Preset
    from inference_forge.ports import Provider

KEY = "sk-ant-canary"
PRESET = find_preset("anthropic")
SCHEMA = {"type": "object", "properties": {"category": {"enum": ["billing"]}}}
REQUEST = ModelRequest(
    texts=("refund please",),
    messages=(Message("system", "classify"), Message("user", "refund please")),
    schema=SCHEMA,
    max_output_tokens=60,
)


def provider(preset: Preset | None = None, **options: Any) -> HttpProvider:
    """Return a provider with a key and a model."""
    arguments = {
        "api_key": ApiKey(KEY, source="KEY"),
        "max_connections": 2,
        "clock": lambda: 1_700_000_000.0,
        "estimate_tokens": len,
        "model": "m",
        **options,
    }
    return connect(preset or PRESET, **arguments)


async def sent(request: ModelRequest = REQUEST, **options: Any) -> tuple[Any, httpx.Request]:
    """Return the body and headers that a request goes out with."""
    seen: list[httpx.Request] = []

    def answer(asked: httpx.Request) -> httpx.Response:
        seen.append(asked)
        return httpx.Response(200, json=message().body)

    asked = provider(transport=httpx.MockTransport(answer), **options)
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


async def test_the_request_is_as_published() -> None:
    """System apart, a cap, a tool with the schema that must be called, and nothing else."""
    body, asked = await sent()
    tools = body.pop("tools")
    assert body == {
        "model": "m",
        "max_tokens": 60,
        "temperature": 0.0,
        "system": "classify",
        "messages": [{"role": "user", "content": "refund please"}],
        "tool_choice": {"type": "tool", "name": "classification"},
    }
    assert [sorted(tool) for tool in tools] == [["description", "input_schema", "name"]]
    assert (tools[0]["name"], tools[0]["input_schema"]) == ("classification", SCHEMA)
    assert str(asked.url) == "https://api.anthropic.com/v1/messages"
    assert asked.headers["x-api-key"] == KEY
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert asked.headers["content-type"] == "application/json"
    assert "authorization" not in asked.headers


async def test_the_tool_follows_the_form() -> None:
    """A weaker form leaves the model the choice, the plain one and free text have no tool."""
    body, _ = await sent(structured="json_object")
    assert body["tool_choice"] == {"type": "auto"}
    assert body["tools"][0]["input_schema"] == SCHEMA
    free = ModelRequest(REQUEST.texts, REQUEST.messages, schema=None, max_output_tokens=1)
    for asked in (await sent(structured="plain"), await sent(free)):
        assert not {"tools", "tool_choice"} & set(asked[0])


async def test_what_is_left_out() -> None:
    """No temperature, no key and no system text are sent when there is none."""
    request = ModelRequest(("x",), (Message("user", "x"),), None, 1)
    body, _ = await sent(request, temperature=None)
    assert sorted(body) == ["max_tokens", "messages", "model"]
    _, asked = await sent(preset=replace(PRESET, requires_key=False), api_key=None)
    headers = asked.headers
    assert "x-api-key" not in headers
    assert headers["anthropic-version"] == "2023-06-01"


async def test_a_repair_keeps_its_turns() -> None:
    """The model's unusable answer and the complaint follow the ticket; roles take turns."""
    turns = (*REQUEST.messages, Message("assistant", "bananas"), Message("user", "No."))
    body, _ = await sent(ModelRequest(REQUEST.texts, turns, SCHEMA, 60))
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


async def test_generation_holds_what_changes_answers() -> None:
    """The wire format is part of the fingerprint: another way to ask, another answer."""
    asked = provider()
    assert asked.generation == {
        "temperature": 0.0,
        "structured": "json_schema",
        "wire": "anthropic",
    }
    assert asked.model == "m"
    assert repr(asked) == "<AnthropicMessagesProvider anthropic m at api.anthropic.com>"
    await asked.aclose()


def test_it_is_a_provider() -> None:
    """The port is implemented."""
    accept: Callable[[Provider], None] = lambda _provider: None  # noqa: E731 - checked by mypy
    accept(provider())


@respx.mock(using="httpx")
async def test_respx_sees_the_requests(respx_mock: respx.MockRouter) -> None:
    """Users' tests can mock the network in the usual way, without a special transport."""
    route = respx_mock.post("https://api.anthropic.com/v1/messages").mock(
        return_value=httpx.Response(200, json=message({"category": "billing"}).body)
    )
    asked = provider()
    assert (await asked.ask(REQUEST)).text == '{"category":"billing"}'
    await asked.aclose()
    assert route.call_count == 1


async def test_an_answer_over_the_wire() -> None:
    """The tool's input, model, usage, finish and limits arrive."""
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:30Z",
    }
    answer = await ask(lambda *_: message({"category": "billing"}, headers=headers))
    hints = RateLimitHints(requests=BucketHint(50, 49, 10.0))
    assert answer == ModelAnswer(
        '{"category":"billing"}', "served-model", Usage(20, 5), hints=hints
    )


async def test_an_echoed_key_is_replaced() -> None:
    """Neither an answer nor an error may carry the key on."""
    answer = await ask(lambda *_: message({"category": KEY}))
    assert answer.text == '{"category":"***"}'
    thought = {"content": [{"type": "thinking", "thinking": KEY}]}
    assert (await ask(lambda *_: Scripted(body=thought))).reasoning == "***"
    with pytest.raises(FatalError) as caught:
        await ask(lambda *_: anthropic_error(401, "authentication_error", f"bad {KEY}"))
    assert KEY not in f"{caught.value!r} {caught.value}"
    with pytest.raises(TransientError) as hidden:
        await ask(lambda *_: Scripted(body={"type": "error", "error": {"message": KEY}}))
    assert hidden.value.code == "error_in_body"
    assert KEY not in f"{hidden.value!r} {hidden.value}"


LIMIT = "You have reached your specified API usage limits. You will regain access on 2026-12-01."
CREDIT = "Your credit balance is too low to access the Anthropic API."
LONG = "prompt is too long: 213462 tokens > 200000 maximum"


@pytest.mark.parametrize(
    ("status", "kind", "said", "error", "code"),
    [
        # The published table: platform.claude.com/docs/en/api/errors
        (400, "invalid_request_error", "max_tokens: Field required", TicketError, "rejected"),
        (401, "authentication_error", "invalid x-api-key", FatalError, "unauthorized"),
        (402, "billing_error", "pay", FatalError, "payment_required"),
        (403, "permission_error", "no", FatalError, "unauthorized"),
        (404, "not_found_error", "model: claude-9", FatalError, "unknown_model"),
        (404, "not_found_error", "Not found", FatalError, "not_found"),
        (404, "not_found_error", "no route for model: x", FatalError, "not_found"),
        (409, "conflict_error", "again", TransientError, "conflict"),
        (413, "request_too_large", "too large", TicketError, "too_large"),
        (429, "rate_limit_error", "slower", ThrottleError, "rate_limited"),
        (500, "api_error", "Internal server error", TransientError, "server_error"),
        (504, "timeout_error", "timed out", TransientError, "server_error"),
        (529, "overloaded_error", "Overloaded", ThrottleError, "overloaded"),
        # What 400 says besides, as public reports quote it (see the table).
        (400, "invalid_request_error", LIMIT, FatalError, "quota_exhausted"),
        (400, "invalid_request_error", CREDIT, FatalError, "quota_exhausted"),
        (400, "invalid_request_error", "This organization has been disabled.", FatalError,
         "unauthorized"),
        (400, "invalid_request_error", "Output blocked by content filtering policy", TicketError,
         "filtered"),
        (400, "invalid_request_error", LONG, TicketError, "context_length"),
        # A message may quote a ticket further on, and no ticket stops a run.
        (400, "invalid_request_error", f"messages.0: {LIMIT}", TicketError, "rejected"),
        (400, "invalid_request_error", f"messages.0: {CREDIT}", TicketError, "rejected"),
    ],
)  # fmt: skip
def test_errors_are_told_apart(
    status: int, kind: str, said: str, error: type[ProviderError], code: str
) -> None:
    """Statuses, types and the beginnings of messages decide."""
    body = orjson.dumps(anthropic_error(status, kind, said).body)
    found = refusal(
        Reply(status, httpx.Headers(), body),
        table=ANTHROPIC_TABLE,
        host="h",
        key_env="ANTHROPIC_API_KEY",
        now_unix=0.0,
        redact=str,
    )
    assert (type(found), found and found.code) == (error, code)


async def test_a_throttle_carries_the_wait() -> None:
    """`retry-after` reaches the engine, and so does the reset of a limit that is used up."""
    with pytest.raises(ThrottleError) as caught:
        await ask(lambda *_: anthropic_error(429, "rate_limit_error", headers={"retry-after": "7"}))
    assert caught.value.wait_s == 7
    resets = {
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:32Z",
    }
    with pytest.raises(ThrottleError) as told:
        await ask(lambda *_: anthropic_error(429, "rate_limit_error", headers=resets))
    assert told.value.wait_s == 12


def read(body: Any) -> ModelAnswer:
    """Read an answer from a 200."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_answer(
        Reply(200, {}, raw), REQUEST, model="asked-model", host="h", estimate_tokens=len, redact=str
    )


def answered(*content: Any, stop: Any = "end_turn", **rest: Any) -> dict[str, Any]:
    """Return a success body around content blocks."""
    return {"content": list(content), "stop_reason": stop, **rest}


def called(given_input: Any, name: str = "classification") -> dict[str, Any]:
    """Return a tool call."""
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": given_input}


def said(text: Any) -> dict[str, Any]:
    """Return a text block."""
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b"<html>Just a moment</html>", "not_json"),
        (b"[]", "not_json"),
        ({"type": "error", "error": {"type": "overloaded_error"}}, "error_in_body"),
        ({"error": "overloaded"}, "error_in_body"),
        ({}, "no_content"),
        ({"content": None}, "no_content"),
        ({"content": "text"}, "no_content"),
        ({"choices": [{"message": {"content": "x"}}]}, "no_content"),
    ],
)
def test_a_200_without_an_answer_is_transient(body: Any, code: str) -> None:
    """Empty, HTML, an error object or another wire format: worth another try."""
    with pytest.raises(TransientError) as caught:
        read(body)
    assert (caught.value.code, caught.value.status) == (code, 200)


@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [
        (answered(called({"a": "b"}), stop="tool_use"), '{"a":"b"}', Finish.STOP),
        (answered(said("Sure!"), called({"a": "b"}), stop="tool_use"), '{"a":"b"}', Finish.STOP),
        (answered(called({"a": "b"}), called({"a": "c"})), '{"a":"b"}', Finish.STOP),
        (answered(called({"a": "é"})), '{"a":"é"}', Finish.STOP),
        (answered(called({})), "{}", Finish.STOP),
        (answered(called("a"), said("b")), "b", Finish.STOP),
        (answered(said("bil"), said("ling")), "billing", Finish.STOP),
        (answered(said("x"), stop="stop_sequence"), "x", Finish.STOP),
        (answered(said("x"), stop="pause_turn"), "x", Finish.STOP),
        (answered(said("x"), stop=None), "x", Finish.STOP),
        (answered(said("x"), stop=["end_turn"]), "x", Finish.STOP),
        (answered(called({"a": "b"}), stop="max_tokens"), '{"a":"b"}', Finish.LENGTH),
        (answered(said("bil"), stop="model_context_window_exceeded"), "bil", Finish.LENGTH),
        (answered(said("I can't"), stop="refusal"), "I can't", Finish.REFUSAL),
        (answered(stop="refusal"), "", Finish.REFUSAL),
        (answered(stop="refusal", stop_details={"explanation": "no"}), "no", Finish.REFUSAL),
        (answered(stop="refusal", stop_details={"explanation": 1}), "", Finish.REFUSAL),
        (answered(), "", Finish.STOP),
        (answered("x", 5, None, {"type": "text"}, said(5), {"type": "image"}), "", Finish.STOP),
    ],
)
def test_texts_and_finishes(body: Any, text: str, finish: Finish) -> None:
    """A tool's input wins over text; truncation and refusals become typed answers."""
    answer = read(body)
    assert (answer.text, answer.finish) == (text, finish)


def test_an_input_nested_beyond_reason_is_no_answer() -> None:
    """What cannot be written as JSON again is empty, not an error of this program."""
    deep = b'{"content":[{"type":"tool_use","input":' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}]}"
    assert read(deep).text == ""


def test_thinking_is_kept_apart() -> None:
    """Thinking blocks are reasoning; redacted ones say nothing."""
    blocks = (
        {"type": "thinking", "thinking": "hm, ", "signature": "x"},
        {"type": "redacted_thinking", "data": "zzz"},
        {"type": "thinking", "thinking": "money"},
    )
    answer = read(answered(*blocks, called({"a": "b"})))
    assert (answer.reasoning, answer.text) == ("hm, money", '{"a":"b"}')


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 21, "output_tokens": 393}, Usage(21, 393)),
        ({"input_tokens": 21, "output_tokens": 393, "cache_creation_input_tokens": 188,
          "cache_read_input_tokens": 1000}, Usage(1209, 393, 1000)),
        ({"input_tokens": 21, "output_tokens": 3, "cache_creation_input_tokens": None,
          "cache_read_input_tokens": None}, Usage(21, 3)),
    ],
)  # fmt: skip
def test_usage_counts_what_the_cache_took_part_in(usage: Any, expected: Usage) -> None:
    """`input_tokens` is only what the cache had no part in; the prompt is all three."""
    assert read(answered(said("x"), usage=usage)).usage == expected


@pytest.mark.parametrize(
    "usage", [None, {}, [], {"input_tokens": 5}, {"input_tokens": "5", "output_tokens": 1}]
)
def test_missing_usage_is_estimated_and_says_so(usage: Any) -> None:
    """Half a bill is no bill."""
    answer = read(answered({"type": "thinking", "thinking": "hm"}, said("billing"), usage=usage))
    prompt = len("classify") + len("refund please")
    assert answer.usage == Usage(prompt, len("billing") + len("hm"), is_estimate=True)


@pytest.mark.parametrize("named", [None, "", 5])
def test_the_asked_model_stands_in(named: Any) -> None:
    """A reply that names no model is from the one that was asked."""
    assert read(answered(said("x"), model=named)).model == "asked-model"


FIELDS = [
    "content", "type", "text", "tool_use", "input", "thinking", "stop_reason", "usage",
    "input_tokens", "output_tokens", "error", "model", "stop_details", "explanation",
]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(FIELDS),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_no_reply_breaks_the_reader(body: Any) -> None:
    """Any JSON is an answer or a transient error."""
    for candidate in (body, {"content": body}, {"content": [body], "usage": body}):
        try:
            answer = read(candidate)
        except TransientError:
            continue
        assert isinstance(answer.text, str)
        assert answer.usage.prompt_tokens >= 0

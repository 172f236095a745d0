"""Replies of servers written by others, word for word as `benchmarks/interop` received them."""

from __future__ import annotations

import httpx
import orjson
import pytest

from inference_forge.adapters.providers.any_way import ask_any_way
from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import load_presets
from inference_forge.errors import FatalError, ProviderError, ThrottleError, TicketError
from inference_forge.models import Message, ModelRequest, Usage

PRESETS = load_presets()
REQUEST = ModelRequest(
    texts=("refund please",),
    messages=(Message("system", "classify"), Message("user", "refund please")),
    schema={"type": "object"},
    max_output_tokens=60,
)

# LiteLLM 1.106.2: /chat/completions, then /v1/messages.
NO_MODEL = (
    b'{"error":{"message":"/chat/completions: Invalid model name passed in model=nosuch. Call '
    b'`/v1/models` to view available models for your key.","type":"invalid_request_error","param":'
    b'null,"code":"400","provider_specific_fields":{"error":"/chat/completions: Invalid model name '
    b'passed in model=nosuch. Call `/v1/models` to view available models for your key."}}}'
)
NO_MODEL_FOR_MESSAGES = (
    b'{"type":"error","error":{"type":"invalid_request_error","message":"anthropic_messages: '
    b"Invalid model name passed in model=nosuch. Call `/v1/models` to view available models for "
    b'your key.","provider_specific_fields":{"error":"anthropic_messages: Invalid model name '
    b'passed in model=nosuch. Call `/v1/models` to view available models for your key."}}}'
)
NOT_THE_MASTER_KEY = (
    b'{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}'
)
POLICY = (
    b'{"error":{"message":"litellm.BadRequestError: litellm.ContentPolicyViolationError: '
    b"litellm.MockException: Exception: content_filter_policy\\nmodel=filtered. "
    b"content_policy_fallback=None. fallbacks=None.\\n\\nSet 'content_policy_fallback' - "
    b"https://docs.litellm.ai/docs/routing#fallbacks\\n\\nLiteLLM: model group 'filtered' failed "
    b'with the error above. No fallback was attempted.","type":"invalid_request_error","param":'
    b'null,"code":"400","provider_specific_fields":{"innererror":null,"inner_error":null,'
    b'"azure_error":null}}}'
)
TOO_LONG = (
    b'{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: this is a '
    b"mock context window exceeded error\\nmodel=long. context_window_fallbacks=None. "
    b"fallbacks=None.\\n\\nSet 'context_window_fallback' - https://docs.litellm.ai/docs/routing"
    b"#fallbacks\\n\\nLiteLLM: model group 'long' failed with the error above. No fallback was "
    b'attempted.","type":"invalid_request_error","param":null,"code":"400"}}'
)
THROTTLED = (
    b'{"error":{"message":"litellm.RateLimitError: RateLimitError: OpenAIException - too many '
    b"requests (simulated)\\n\\nLiteLLM: model group 'up' failed with the error above. No fallback "
    b'was attempted.","type":"throttling_error","param":null,"code":"429"}}'
)
# llama-server of llama-cpp-python 0.3.36.
UNREADABLE = (
    b'{"error":{"code":500,"message":"The model produced output that does not match the expected '
    b'peg-native format","type":"server_error"}}'
)
# llama_cpp.server of llama-cpp-python 0.3.36.
FORM_UNKNOWN = (
    b"{\"error\":{\"message\":\"1 validation error:\\n  {'type': 'literal_error', 'loc': "
    b"('body', 'response_format', 'type'), 'msg': \\\"Input should be 'text' or 'json_object'\\\", "
    b"'input': 'json_schema', 'ctx': {'expected': \\\"'text' or 'json_object'\\\"}}\\n\\n  File "
    b'\\"/srv/llama_cpp/server/app.py\\", line 376, in create_chat_completion\\n    POST '
    b'/v1/chat/completions","type":"internal_server_error","param":null,"code":null}}'
)
EMPTY_OBJECT = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1795237323,"model":"random",'
    b'"choices":[{"index":0,"message":{"content":"{} ","role":"assistant"},"logprobs":null,'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":82,"completion_tokens":3,'
    b'"total_tokens":85}}'
)
# transformers serve 5.23.0.
PINNED = b"{\"detail\":\"Server is pinned to '/srv/checkpoint'; requested 'nosuch'.\"}"


async def ask_once(
    name: str, status: int, body: bytes, headers: dict[str, str] | None = None
) -> ProviderError:
    """Return the error that a provider makes of a reply."""
    provider = connect(
        PRESETS[name],
        api_key=ApiKey("k", source="KEY"),
        max_connections=1,
        clock=lambda: 0.0,
        estimate_tokens=len,
        model="m",
        transport=httpx.MockTransport(
            lambda _: httpx.Response(status, content=body, headers=headers)
        ),
    )
    with pytest.raises(ProviderError) as raised:
        await provider.ask(REQUEST)
    await provider.aclose()
    return raised.value


@pytest.mark.parametrize(
    ("name", "status", "body", "kind", "code"),
    [
        ("openai", 400, NO_MODEL, FatalError, "unknown_model"),
        ("anthropic", 400, NO_MODEL_FOR_MESSAGES, FatalError, "unknown_model"),
        ("openai", 400, NOT_THE_MASTER_KEY, FatalError, "unauthorized"),
        ("anthropic", 400, NOT_THE_MASTER_KEY, FatalError, "unauthorized"),
        ("openai", 400, POLICY, TicketError, "filtered"),
        ("openai", 400, TOO_LONG, TicketError, "context_length"),
        ("openai", 429, THROTTLED, ThrottleError, "rate_limited"),
        ("llamacpp", 500, UNREADABLE, TicketError, "invalid_json"),
        ("vllm", 400, PINNED, FatalError, "unknown_model"),
    ],
)
async def test_what_a_server_means(
    name: str, status: int, body: bytes, kind: type[ProviderError], code: str
) -> None:
    """A bad key or model stops the run; a ticket's own trouble stays the ticket's."""
    error = await ask_once(name, status, body)
    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize("said", ["a ", "Ticket: "])
@pytest.mark.parametrize("body", [NO_MODEL, POLICY, PINNED, UNREADABLE, FORM_UNKNOWN])
async def test_only_the_beginning_of_a_message_counts(body: bytes, said: str) -> None:
    """The same words behind a quoted ticket mean nothing."""
    parsed = orjson.loads(body)
    holder, key = (parsed, "detail") if "detail" in parsed else (parsed["error"], "message")
    holder[key] = said + holder[key]
    status = 500 if body in {UNREADABLE, FORM_UNKNOWN} else 400
    error = await ask_once("vllm", status, orjson.dumps(parsed))
    assert error.code == ("server_error" if status == 500 else "rejected")


async def test_a_budget_that_is_spent_stops_the_run() -> None:
    """LiteLLM says so with 429, which elsewhere means to wait."""
    body = (
        b'{"error":{"message":"Budget has been exceeded!","type":"budget_exceeded","code":"429"}}'
    )
    error = await ask_once("openai", 429, body)
    assert (type(error), error.code) == (FatalError, "quota_exhausted")


async def test_a_wait_that_is_passed_on_is_kept() -> None:
    """LiteLLM renames every header of its upstream, retry-after among them."""
    error = await ask_once("openai", 429, THROTTLED, {"llm_provider-retry-after": "7"})
    assert error.wait_s == 7.0


async def test_a_form_refused_by_a_500_is_weakened() -> None:
    """llama-cpp-python answers 500 to a form that it does not know."""
    forms: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        forms.append(orjson.loads(request.content)["response_format"]["type"])
        is_known = forms[-1] == "json_object"
        return httpx.Response(
            200 if is_known else 500, content=EMPTY_OBJECT if is_known else FORM_UNKNOWN
        )

    notes: list[str] = []
    provider = connect(
        PRESETS["llamacpp"],
        api_key=None,
        max_connections=1,
        clock=lambda: 0.0,
        estimate_tokens=len,
        model="random",
        transport=httpx.MockTransport(answer),
        note=lambda code, _said: notes.append(code),
    )
    found = await ask_any_way(provider, REQUEST)
    await provider.aclose()
    assert (found.text, found.usage) == ("{} ", Usage(82, 3))
    assert forms == ["json_schema", "json_object"]
    assert notes == ["form_json_object:random"]

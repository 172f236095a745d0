"""Every preset against the shapes that its provider publishes.

Bodies are written by hand after the pages that `presets.toml` and `verdict.py` name, with the
fields beyond OpenAI's that each provider adds; what is asserted of requests is every field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
import respx

from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import load_presets
from inference_forge.errors import (
    FatalError,
    ProviderError,
    ThrottleError,
    TicketError,
    TransientError,
)
from inference_forge.models import Message, ModelRequest, Usage
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.adapters.providers.http_provider import HttpProvider

KEY = "sk-contract"
PRESETS = load_presets()
SCHEMA = {"type": "object", "properties": {"category": {"enum": ["billing"]}}}
REQUEST = ModelRequest(
    texts=("refund please",),
    messages=(Message("system", "classify as JSON"), Message("user", "refund please")),
    schema=SCHEMA,
    max_output_tokens=60,
)
TEXT = '{"category":"billing"}'
BEARER = {"authorization": f"Bearer {KEY}"}
JSON_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "classification", "strict": True, "schema": SCHEMA},
}
JSON_OBJECT = {"type": "json_object"}
MESSAGES = [
    {"role": "system", "content": "classify as JSON"},
    {"role": "user", "content": "refund please"},
]
SPENT = Usage(30, 9)
COUNTS = {"prompt_tokens": 30, "completion_tokens": 9, "total_tokens": 39}


def chat(response_format: object, cap: str = "max_tokens", **more: object) -> dict[str, object]:
    """Return a whole request in OpenAI's format."""
    body = {"model": "m", "messages": MESSAGES, "temperature": 0.0, cap: 60}
    return {**body, "response_format": response_format, **more}


def success(
    usage: Mapping[str, object] = COUNTS,
    message: Mapping[str, object] | None = None,
    **more: object,
) -> dict[str, object]:
    """Return a whole answer in OpenAI's format; `more` is what this provider adds."""
    said = {"role": "assistant", "content": TEXT, **(message or {})}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": "stop"}
    base = {"id": "x", "object": "chat.completion", "created": 1_795_000_000, "model": "m-1"}
    return {**base, "choices": [choice], "usage": dict(usage), **more}


def failure(message: str, code: object = None, kind: str | None = None) -> dict[str, object]:
    """Return an error in OpenAI's format (developers.openai.com/docs/guides/error-codes)."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


Fault = tuple[int, object, type[ProviderError], str]


@dataclass(frozen=True, slots=True)
class Contract:
    """What is published about one provider.

    Attributes:
        url: where requests go.
        sent: the whole request.
        headers: what identifies the account.
        answer: a successful reply.
        faults: status, body, the error that it is and its code.
        usage: what the answer cost.
    """

    url: str
    sent: dict[str, object]
    answer: dict[str, object]
    faults: tuple[Fault, ...]
    headers: Mapping[str, str] = field(default_factory=lambda: BEARER)
    usage: Usage = SPENT


CONTRACTS = {
    "sarvam": Contract(
        "https://api.sarvam.ai/v1/chat/completions",
        chat(JSON_SCHEMA, reasoning_effort=None),
        success(message={"reasoning_content": None, "tool_calls": None}),
        (
            (403, failure("no", "invalid_api_key_error"), FatalError, "unauthorized"),
            (429, failure("no", "insufficient_quota_error"), FatalError, "quota_exhausted"),
            (429, failure("no", "rate_limit_exceeded_error"), ThrottleError, "rate_limited"),
            (503, failure("no", "rate_limit_exceeded_error"), ThrottleError, "overloaded"),
            (422, failure("no", "unprocessable_entity_error"), TicketError, "rejected"),
            (500, failure("no", "internal_server_error"), TransientError, "server_error"),
        ),
        {"api-subscription-key": KEY},
    ),
    "openai": Contract(
        "https://api.openai.com/v1/chat/completions",
        chat(JSON_SCHEMA, "max_completion_tokens"),
        success(
            {
                **COUNTS,
                "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 0},
            },
            message={"refusal": None, "annotations": []},
            service_tier="default",
            system_fingerprint=None,
        ),
        (
            (401, failure("no", "invalid_api_key"), FatalError, "unauthorized"),
            (429, failure("no", "insufficient_quota", "insufficient_quota"), FatalError,
             "quota_exhausted"),
            (429, failure("no", "rate_limit_exceeded", "tokens"), ThrottleError, "rate_limited"),
            (404, failure("no", "model_not_found"), FatalError, "unknown_model"),
            (400, failure("no", "context_length_exceeded"), TicketError, "context_length"),
            (503, failure("no", None, "service_unavailable_error"), TransientError,
             "server_error"),
        ),
        usage=Usage(30, 9, 20, 4),
    ),
    "anthropic": Contract(
        "https://api.anthropic.com/v1/messages",
        {
            "model": "m",
            "max_tokens": 60,
            "temperature": 0.0,
            "system": "classify as JSON",
            "messages": MESSAGES[1:],
            "tools": [
                {
                    "name": "classification",
                    "description": "Takes the answer, with the keys that were asked for.",
                    "input_schema": SCHEMA,
                }
            ],
            "tool_choice": {"type": "tool", "name": "classification"},
        },
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m-1",
            "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "classification",
                 "input": {"category": "billing"}}
            ],
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 20,
                "output_tokens": 9,
                "service_tier": "standard",
            },
        },
        tuple(
            (status, {"type": "error", "error": {"type": kind, "message": "no"}}, error, code)
            for status, kind, error, code in (
                (401, "authentication_error", FatalError, "unauthorized"),
                (429, "rate_limit_error", ThrottleError, "rate_limited"),
                (529, "overloaded_error", ThrottleError, "overloaded"),
                (500, "api_error", TransientError, "server_error"),
                (413, "request_too_large", TicketError, "too_large"),
            )
        ),
        {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        Usage(30, 9, 20),
    ),
    "groq": Contract(
        "https://api.groq.com/openai/v1/chat/completions",
        chat(JSON_OBJECT, "max_completion_tokens"),
        success({**COUNTS, "queue_time": 0.01, "total_time": 0.1}, x_groq={"id": "req_1"}),
        (
            (401, failure("Invalid API Key", "invalid_api_key"), FatalError, "unauthorized"),
            (429, failure("no", "rate_limit_exceeded", "tokens"), ThrottleError, "rate_limited"),
            (404, failure("no", "model_not_found"), FatalError, "unknown_model"),
            (400, failure("no", "json_validate_failed"), TicketError, "rejected"),
        ),
    ),
    "together": Contract(
        "https://api.together.ai/v1/chat/completions",
        chat(JSON_SCHEMA),
        success({**COUNTS, "cached_tokens": 0}, prompt=[]),
        (
            (401, failure("no", "invalid_api_key"), FatalError, "unauthorized"),
            (402, failure("no"), FatalError, "payment_required"),
            (429, failure("no", None, "model_rate_limit"), ThrottleError, "rate_limited"),
            (404, failure("no", "model_not_available"), FatalError, "unknown_model"),
        ),
    ),
    "mistral": Contract(
        "https://api.mistral.ai/v1/chat/completions",
        chat(JSON_SCHEMA),
        success(message={"tool_calls": None, "prefix": False}),
        (
            (401, {"detail": "Unauthorized"}, FatalError, "unauthorized"),
            (429, {"object": "error", "message": "no", "type": "rate_limited"}, ThrottleError,
             "rate_limited"),
            (400, {"object": "error", "message": "Invalid model: m", "type": "invalid_model"},
             FatalError, "unknown_model"),
            (422, {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "no"}]},
             TicketError, "rejected"),
        ),
    ),
    "openrouter": Contract(
        "https://openrouter.ai/api/v1/chat/completions",
        chat(JSON_OBJECT),
        success({**COUNTS, "cost": 0.0001}, provider="Someone",
                message={"reasoning": None, "refusal": None}),
        (
            (401, {"error": {"code": 401, "message": "no"}}, FatalError, "unauthorized"),
            (402, {"error": {"code": 402, "message": "no"}}, FatalError, "payment_required"),
            (403, {"error": {"code": 403, "message": "no", "metadata": {"flagged_input": "x"}}},
             TicketError, "filtered"),
            (200, {"error": {"code": 429, "message": "no"}}, ThrottleError, "rate_limited"),
            (502, {"error": {"code": 502, "message": "no"}}, TransientError, "server_error"),
        ),
    ),
    "friendli": Contract(
        "https://api.friendli.ai/serverless/v1/chat/completions",
        chat(JSON_SCHEMA),
        success(),
        (
            (401, {"detail": "no"}, FatalError, "unauthorized"),
            (503, {"message": "the endpoint wakes up"}, TransientError, "server_error"),
        ),
    ),
    "ollama": Contract(
        "http://localhost:11434/v1/chat/completions",
        chat(JSON_SCHEMA),
        success(system_fingerprint="fp_ollama"),
        (
            (404, failure('model "m" not found, try pulling it first', None, "api_error"),
             FatalError, "unknown_model"),
            (500, failure("no", None, "api_error"), TransientError, "server_error"),
        ),
    ),
    "vllm": Contract(
        "http://localhost:8000/v1/chat/completions",
        chat(JSON_SCHEMA),
        success(message={"reasoning_content": None, "tool_calls": []}, prompt_logprobs=None),
        (
            (404, {"object": "error", "message": "The model `m` does not exist.", "code": 404,
                   "type": "NotFoundError"}, FatalError, "unknown_model"),
            (404, failure("The model `m` does not exist.", 404, "NotFoundError"), FatalError,
             "unknown_model"),
            (400, failure("This model's maximum context length is 512 tokens.", 400,
                          "BadRequestError"), TicketError, "context_length"),
        ),
    ),
    "llamacpp": Contract(
        "http://localhost:8080/v1/chat/completions",
        chat(JSON_SCHEMA),
        success(timings={"prompt_n": 30}, system_fingerprint="b1"),
        (
            (503, failure("Loading model", 503, "unavailable_error"), TransientError,
             "server_error"),
            (400, failure("no", 400, "exceed_context_size_error"), TicketError,
             "context_length"),
            (401, failure("Invalid API Key", 401, "authentication_error"), FatalError,
             "unauthorized"),
        ),
    ),
}  # fmt: skip


def provider(name: str) -> HttpProvider:
    """Return a provider with a key and a model."""
    return connect(
        PRESETS[name],
        api_key=ApiKey(KEY, source="KEY"),
        max_connections=1,
        clock=lambda: 0.0,
        estimate_tokens=len,
        model="m",
        stack=HttpStack.HTTPX,  # what respx looks through
    )


def test_every_preset_has_a_contract() -> None:
    """A new provider comes with its published shapes."""
    assert list(CONTRACTS) == list(PRESETS)


@pytest.mark.parametrize("name", CONTRACTS)
@respx.mock
async def test_what_is_sent_and_read(name: str) -> None:
    """The address, the account's headers and exactly the published fields; the answer is read."""
    contract = CONTRACTS[name]
    route = respx.post(contract.url).mock(return_value=httpx.Response(200, json=contract.answer))
    asked = provider(name)
    answer = await asked.ask(REQUEST)
    await asked.aclose()
    (call,) = route.calls
    assert orjson.loads(call.request.content) == contract.sent
    identifying = {"authorization", "api-subscription-key", "x-api-key", "anthropic-version"}
    headers = {k: v for k, v in call.request.headers.items() if k in identifying}
    assert headers == contract.headers
    assert call.request.headers["content-type"] == "application/json"
    assert (answer.text, answer.model, answer.usage) == (TEXT, "m-1", contract.usage)


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name, c in CONTRACTS.items() for fault in c.faults]
)
@respx.mock
async def test_what_is_refused(name: str, fault: Fault) -> None:
    """Published errors get their class and code, by one request each."""
    status, body, kind, code = fault
    route = respx.post(CONTRACTS[name].url).mock(return_value=httpx.Response(status, json=body))
    asked = provider(name)
    with pytest.raises(ProviderError) as caught:
        await asked.ask(REQUEST)
    await asked.aclose()
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert route.call_count == 1

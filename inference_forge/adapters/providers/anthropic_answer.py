"""Reading replies in Anthropic's messages format, trusting nothing in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from inference_forge.adapters.providers.reply_body import (
    count_in,
    estimated_usage,
    json_object,
    raise_fault,
    unusable,
)
from inference_forge.adapters.providers.verdict import OPENAI_TABLE, Rule
from inference_forge.errors import FatalError, TicketError
from inference_forge.models import Finish, ModelAnswer, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelRequest

# Statuses and types: platform.claude.com/docs/en/api/errors; 401, 402, 403, 409, 413, 429, 5xx and
# 529 mean what they mean in OpenAI's table, which holds Anthropic's words too. Anthropic's 400 says
# `invalid_request_error` of everything, so these lines read the very beginning of the message,
# where no ticket is quoted. As public reports quote it: github.com/anthropics/claude-code/issues/
# 38035 (a spending limit that the user set), 58367 (a filtered answer). An unknown model is
# answered with `model: its-name`.
_SPENDING_LIMIT: Final = re.compile(r"\AYou have reached your specified API usage limits")
_DISABLED: Final = re.compile(r"\AThis organization has been disabled")
_FILTERED: Final = re.compile(r"\AOutput blocked by content filtering policy")
_MODEL_NAMED: Final = re.compile(r"\Amodel: ")

ANTHROPIC_TABLE: Final[tuple[Rule, ...]] = (
    Rule(
        FatalError,
        "quota_exhausted",
        {400, 403},
        message=_SPENDING_LIMIT,
        hint="the account's own spending limit is reached; raise it, or wait",
    ),
    Rule(FatalError, "unauthorized", {400, 403}, message=_DISABLED, hint="the account is disabled"),
    Rule(TicketError, "filtered", {400}, message=_FILTERED),
    Rule(
        FatalError,
        "unknown_model",
        {404},
        message=_MODEL_NAMED,
        hint="the provider does not serve this model; see --model",
    ),
    *OPENAI_TABLE,
)
"""Anthropic's own lines, then what all have in common."""

# platform.claude.com/docs/en/api/errors. In the middle of a stream an error has no status.
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

# platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
_FINISHES: Final = {
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
}


def read_answer(
    reply: Reply,
    request: ModelRequest,
    *,
    model: str,
    host: str,
    estimate_tokens: Callable[[str], int],
    redact: Callable[[str], str],
    refusal: Callable[[Reply], ProviderError | None] = lambda _: None,
) -> ModelAnswer:
    """Return the answer in a 2xx reply.

    The input of the first tool call, as JSON, is the text; without a call the text blocks are.
    A refusal or a truncated answer is an answer too, told by `finish`.

    Arguments:
        reply: what came back.
        request: what was asked, for estimating usage.
        model: the model asked, in case the reply names none.
        host: shown in details.
        estimate_tokens: tokens of a text, for replies without usable usage.
        redact: replaces secrets, in details and in what the model wrote.
        refusal: returns the error that a reply stands for, None for a success.

    Raises:
        ProviderError: the body holds an error of a known type, told from its usual status.
        TransientError: the body is empty, no JSON object, an error, or has no content.
    """
    body = json_object(reply, host)
    fault = body.get("error")
    if fault:
        kind = str(fault.get("type")) if isinstance(fault, dict) else ""
        status = _STATUSES.get(kind)
        raise_fault(reply, host, fault, status=status, redact=redact, refusal=refusal)
    content = body.get("content")
    if not isinstance(content, list):
        raise unusable(reply, host, "no_content", "sent no content")
    blocks = [block for block in content if isinstance(block, dict)]
    finish = _FINISHES.get(str(body.get("stop_reason")), Finish.STOP)
    text = _tool_input(blocks) or _texts(blocks, "text")
    if finish is Finish.REFUSAL and not text:
        text = _explanation(body.get("stop_details"))
    reasoning = _texts(blocks, "thinking")
    usage = _reported_usage(body.get("usage"))
    named = body.get("model")
    # A server that echoes its request's headers must not get the key into files.
    return ModelAnswer(
        text=redact(text),
        model=named if isinstance(named, str) and named else model,
        usage=usage or estimated_usage(request, text, reasoning, estimate_tokens),
        finish=finish,
        reasoning=redact(reasoning),
    )


def _tool_input(blocks: list[dict[str, Any]]) -> str:
    """Return the first tool call's input as JSON, nothing when no tool was called."""
    inputs = (block.get("input") for block in blocks if block.get("type") == "tool_use")
    called = next((found for found in inputs if isinstance(found, dict)), None)
    if called is None:
        return ""
    try:
        return orjson.dumps(called).decode()
    except orjson.JSONEncodeError:  # nested more deeply than anything that was asked for
        return ""


def _texts(blocks: list[dict[str, Any]], kind: str) -> str:
    """Return what blocks of a kind say: `{"type": "text", "text": ...}`, `thinking` likewise."""
    said = [block.get(kind) for block in blocks if block.get("type") == kind]
    return "".join(part for part in said if isinstance(part, str))


def _explanation(details: Any) -> str:
    said = details.get("explanation") if isinstance(details, dict) else None
    return said if isinstance(said, str) else ""


def _reported_usage(usage: Any) -> Usage | None:
    """Return the usage, None when either total is missing: half a bill is no bill.

    `input_tokens` leaves out what was read from the prompt cache and what was written to it.
    """
    fresh, completion = count_in(usage, "input_tokens"), count_in(usage, "output_tokens")
    if fresh is None or completion is None:
        return None
    cached = count_in(usage, "cache_read_input_tokens") or 0
    written = count_in(usage, "cache_creation_input_tokens") or 0
    return Usage(fresh + cached + written, completion, cached)

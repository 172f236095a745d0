"""Reading a successful reply in OpenAI's chat format, trusting nothing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference_forge.adapters.providers.reply_body import (
    count_in,
    estimated_usage,
    json_object,
    raise_fault,
    unusable,
)
from inference_forge.models import Finish, ModelAnswer, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelRequest

_FINISHES = {
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "content_filter": Finish.FILTER,
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

    A refusal, a filtered, truncated or missing text is an answer too, told by `finish` and an
    empty text; whether it will do is not decided here.

    Arguments:
        reply: what came back.
        request: what was asked, for estimating usage.
        model: the model asked, in case the reply names none.
        host: shown in details.
        estimate_tokens: tokens of a text, for replies without usable usage.
        redact: replaces secrets, in details and in what the model wrote.
        refusal: returns the error that a reply stands for, None for a success.

    Raises:
        ProviderError: the body holds an error with the status that it should have had.
        TransientError: the body is empty, no JSON object, an error, or has no choice.
    """
    body = json_object(reply, host)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    fault = body.get("error") or (choice.get("error") if isinstance(choice, dict) else None)
    if fault:
        status = _status_in(fault)
        raise_fault(reply, host, fault, status=status, redact=redact, refusal=refusal)
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise unusable(reply, host, "no_choice", "sent no choice")
    if choice.get("finish_reason") == "error":
        raise unusable(reply, host, "error_in_body", "broke off its answer with an error")
    return _answer(body, choice, request, model, estimate_tokens, redact)


def _answer(
    body: dict[str, Any],
    choice: dict[str, Any],
    request: ModelRequest,
    model: str,
    estimate_tokens: Callable[[str], int],
    redact: Callable[[str], str],
) -> ModelAnswer:
    message = choice["message"]
    text = text_of(message.get("content"))
    refusal = message.get("refusal")
    finish = _FINISHES.get(str(choice.get("finish_reason")), Finish.STOP)
    if isinstance(refusal, str) and refusal:
        text, finish = text or refusal, Finish.REFUSAL
    reasoning = reasoning_of(message)
    named = body.get("model")
    usage = _reported_usage(body.get("usage"))
    if usage is None:
        usage = estimated_usage(request, text, reasoning, estimate_tokens)
    # A server that echoes its request's headers must not get the key into files.
    return ModelAnswer(
        text=redact(text),
        model=named if isinstance(named, str) and named else model,
        usage=usage,
        finish=finish,
        reasoning=redact(reasoning),
    )


def _status_in(fault: Any) -> int | None:
    """Return the status in an error's code: routers pass on there what their upstream answered.

    OpenRouter does when it had begun to answer (openrouter.ai/docs/api/reference/errors).
    """
    code = fault.get("code") if isinstance(fault, dict) else None
    return code if type(code) is int and 400 <= code < 600 else None  # noqa: PLR2004


def text_of(content: Any) -> str:
    """Return a content's text: a string as it is, of a list of parts those that are text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") if isinstance(part, dict) else part for part in content]
    return "".join(part for part in parts if isinstance(part, str))


def reasoning_of(message: dict[str, Any]) -> str:
    """Return what a message, or a piece of one, thought aloud.

    It stands in a field of its own, in one of two (vLLM has renamed it, docs.vllm.ai/en/v0.26.0/
    features/reasoning_outputs), or in parts of the content (Mistral, docs.mistral.ai/capabilities/
    reasoning/adjustable).
    """
    apart = text_of(message.get("reasoning_content")) or text_of(message.get("reasoning"))
    content = message.get("content")
    if apart or not isinstance(content, list):
        return apart
    thoughts = [part.get("thinking") for part in content if isinstance(part, dict)]
    return "".join(text_of(thought) for thought in thoughts)


def _reported_usage(usage: Any) -> Usage | None:
    """Return the usage, None when either total is missing: half a bill is no bill."""
    prompt, completion = count_in(usage, "prompt_tokens"), count_in(usage, "completion_tokens")
    if prompt is None or completion is None:
        return None
    cached = count_in(usage.get("prompt_tokens_details"), "cached_tokens") or 0
    reasoned = count_in(usage.get("completion_tokens_details"), "reasoning_tokens") or 0
    return Usage(prompt, completion, min(cached, prompt), min(reasoned, completion))

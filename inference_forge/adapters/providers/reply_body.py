"""What every wire format reads alike in a 2xx reply, trusting nothing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import orjson
from msgspec.structs import replace

from inference_forge.adapters.http.wording import one_line
from inference_forge.errors import TransientError
from inference_forge.models import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.errors import ProviderError
    from inference_forge.models import ModelRequest


def json_object(reply: Reply, host: str) -> dict[str, Any]:
    """Return the body's object.

    Arguments:
        reply: what came back.
        host: shown in details.

    Raises:
        TransientError: there is none.
    """
    if not reply.body.strip():
        what = f"answered {reply.status} with an empty body"
        raise unusable(reply, host, "empty_body", what)
    try:
        body: Any = orjson.loads(reply.body)
    except orjson.JSONDecodeError as exc:
        what = f"answered {reply.status} without JSON"
        raise unusable(reply, host, "not_json", what) from exc
    if not isinstance(body, dict):
        what = f"answered {reply.status} without a JSON object"
        raise unusable(reply, host, "not_json", what)
    return body


def parsed(data: bytes) -> Any:
    """Return the JSON value in an event's data, None where there is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def encoded(body: Mapping[str, object]) -> bytes:
    """Return a body put together from events; empty when it is nested beyond all measure."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        return b""


def text_in(holder: Mapping[str, Any], name: str) -> str:
    """Return the text called `name` in an object, an empty one where there is none."""
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def unusable(reply: Reply, host: str, code: str, what: str) -> TransientError:
    """Return the error of a success that holds no answer: worth another try."""
    return TransientError(f"{host} {what}", code=code, status=reply.status)


def raise_fault(
    reply: Reply,
    host: str,
    fault: Any,
    *,
    status: int | None,
    redact: Callable[[str], str],
    refusal: Callable[[Reply], ProviderError | None],
) -> NoReturn:
    """Raise the error that stands in the body of a success.

    Arguments:
        reply: what came back.
        host: shown in details.
        fault: the body's error.
        status: what the reply should have had; None where the body does not say.
        redact: replaces secrets in details.
        refusal: returns the error that a reply stands for, None for a success.

    Raises:
        ProviderError: told from the status.
        TransientError: told from nothing.
    """
    if (error := refusal(replace(reply, status=status or reply.status))) is not None:
        raise error
    said = fault.get("message") if isinstance(fault, dict) else fault
    what = f"reports: {one_line(str(said), redact=redact)}"
    raise unusable(reply, host, "error_in_body", what)


def count_in(holder: Any, name: str) -> int | None:
    """Return the count called `name` in an object, None where there is no usable one."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if type(value) is int and value >= 0 else None  # a truth value is none


def estimated_usage(
    request: ModelRequest, text: str, reasoning: str, estimate_tokens: Callable[[str], int]
) -> Usage:
    """Return what a request probably took, for replies that do not say."""
    prompt = sum(estimate_tokens(m.content) for m in request.messages)
    spent = estimate_tokens(text) + (estimate_tokens(reasoning) if reasoning else 0)
    return Usage(prompt, spent, is_estimate=True)

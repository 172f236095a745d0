"""Which kind of error a reply is: one table per wire format.

The rules are tried from top to bottom and the first that fits decides. A code from the body
beats the bare status, because providers disagree about statuses: Sarvam answers a bad key with
403 and used-up credits with 429. Only codes can make a 400 fatal, never a message: messages may
quote the ticket, and no ticket may stop a run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import orjson
from msgspec import Struct

from inference_forge.adapters.http.wording import one_line
from inference_forge.core.retry_after import server_wait_s
from inference_forge.errors import (
    FatalError,
    ProviderError,
    ThrottleError,
    TicketError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from inference_forge.adapters.http.exchange import Reply
    from inference_forge.adapters.providers.presets import Preset


class Complaint(Struct, frozen=True):
    """What an error body says.

    Attributes:
        codes: every machine word for the error, in lower case.
        message: the provider's words, for people.
        field: the request's field that it is about, as far as it names one.
    """

    codes: frozenset[str]
    message: str
    field: str = ""


class Rule(Struct, frozen=True):
    """A line of the table; None fits anything.

    Attributes:
        error: what to raise.
        code: the stable code to report.
        statuses: statuses it holds for.
        words: body codes of which one must be present.
        message: pattern to be found in the provider's message.
        needs_wait: True when the server must have asked for a wait.
        hint: what to do next, put before the provider's words; may hold `{key_env}`.
    """

    error: type[ProviderError]
    code: str
    statuses: Container[int] | None = None
    words: frozenset[str] | None = None
    message: re.Pattern[str] | None = None
    needs_wait: bool = False
    hint: str = ""

    def fits(self, status: int, complaint: Complaint, *, has_wait: bool) -> bool:
        """Return whether this line decides."""
        return (
            (self.statuses is None or status in self.statuses)
            and (self.words is None or bool(self.words & complaint.codes))
            and (self.message is None or self.message.search(complaint.message) is not None)
            and (has_wait or not self.needs_wait)
        )


# Sarvam's words: docs.sarvam.ai/api/errors-troubleshooting. OpenAI's: developers.openai.com/docs/
# guides/error-codes; its credit codes come with the type insufficient_quota. llama.cpp's:
# tools/server/README.md. Looked up 2026-11-20. The rest are words that compatible servers use
# for the same; one that nobody sends does no harm.
_QUOTA = frozenset({
    "insufficient_quota", "insufficient_quota_error", "billing_hard_limit_reached",
    "billing_not_active", "insufficient_credits", "insufficient_balance", "payment_required",
    "credit_balance_exhausted", "exceeded_current_quota_error", "budget_exceeded",
})  # fmt: skip
_AUTH = frozenset({
    "invalid_api_key", "invalid_api_key_error", "missing_api_key", "authentication_error",
    "permission_error", "permission_denied", "account_deactivated", "unauthorized",
    "invalid_authentication", "insufficient_permissions", "unsupported_country_region_territory",
    "auth_error", "no_db_connection",
})  # fmt: skip
_MODEL = frozenset({
    "model_not_found", "invalid_model", "unknown_model", "model_not_available",
    "model_decommissioned", "model_terms_required",
})  # fmt: skip
_THROTTLE = frozenset({
    "rate_limit_exceeded", "rate_limit_exceeded_error", "rate_limit_error", "rate_limited",
    "too_many_requests", "overloaded", "overloaded_error", "engine_overloaded", "slow_down",
    "server_is_overloaded",
})  # fmt: skip
_CONTEXT = frozenset({
    "context_length_exceeded", "context_window_exceeded", "exceed_context_size_error",
    "string_above_max_length", "string_too_long",
})  # fmt: skip
_FILTER = frozenset({
    "content_filter", "content_policy_violation", "responsibleaipolicyviolation",
    "moderation", "data_inspection_failed",
})  # fmt: skip

_NO_SUCH_MODEL = re.compile(
    r"\bmodel\b.{0,200}(not found|not exist|unknown|not available|not supported)", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"context (length|window|size)|maximum context|prompt is too long|too many tokens",
    re.IGNORECASE,
)

# A 429 never quotes a ticket, so its words may be read. "You exceeded your current quota" is not
# among them: some providers say it of the present minute (Gemini, RESOURCE_EXHAUSTED).
_NO_CREDIT = re.compile(
    r"(insufficient|not enough|out of|no|exhausted) (account |remaining |your )?"
    r"(balance|credits?|funds)|credit balance is too low|please recharge|recharge your",
    re.IGNORECASE,
)
# Anthropic says so with 400 and a code that means anything
# (platform.claude.com/docs/en/api/errors). At the very beginning of a message no ticket is quoted.
_CREDIT_TOO_LOW = re.compile(r"\AYour credit balance is too low")

# As the servers in benchmarks/interop answered; all at the very beginning, too. LiteLLM says of a
# key that is not its master key `no_db_connection`, where keys would be looked up. llama.cpp could
# not read what its model wrote, often because it was cut off; llama-cpp-python dislikes a field.
_NO_SUCH_DEPLOYMENT = re.compile(
    r"\A(\S{1,40}: Invalid model name passed in |Server is pinned to )"
)
_POLICY_VIOLATED = re.compile(r"\A(litellm\.\w+: )*litellm\.ContentPolicyViolationError")
_UNREADABLE = re.compile(r"\AThe model produced output that does not match the expected")
_INVALID_REQUEST = re.compile(r"\A\d+ validation errors?:")
_UNREADABLE_HINT = "the answer is cut off or no JSON; more --max-output-tokens may help"

_CLIENT = range(400, 500)
_ERRORS = range(400, 600)
_TOP_UP = "the account has no credit left; top it up"
_MODEL_HINT = "the provider does not serve this model; see --model"
_KEY_HINT = "the API key is missing or not accepted; check {key_env}"
_FORBIDDEN_HINT = "a firewall may dislike the text, or the key may lack a permission"

OPENAI_TABLE: tuple[Rule, ...] = (
    Rule(FatalError, "redirect_refused", range(300, 400)),
    Rule(FatalError, "quota_exhausted", _ERRORS, _QUOTA, hint=_TOP_UP),
    Rule(FatalError, "quota_exhausted", {429}, message=_NO_CREDIT, hint=_TOP_UP),
    Rule(FatalError, "quota_exhausted", {400}, message=_CREDIT_TOO_LOW, hint=_TOP_UP),
    Rule(FatalError, "payment_required", {402}, hint=_TOP_UP),
    Rule(FatalError, "unauthorized", {401}, hint=_KEY_HINT),
    Rule(FatalError, "unauthorized", {400, 403}, _AUTH, hint=_KEY_HINT),
    Rule(FatalError, "proxy_auth", {407}, hint="the proxy asks for credentials"),
    Rule(FatalError, "unknown_model", {400, 403, 404, 410, 422}, _MODEL, hint=_MODEL_HINT),
    Rule(FatalError, "unknown_model", {404}, message=_NO_SUCH_MODEL, hint=_MODEL_HINT),
    Rule(FatalError, "unknown_model", {400}, message=_NO_SUCH_DEPLOYMENT, hint=_MODEL_HINT),
    Rule(FatalError, "not_found", {404, 405, 410}, hint="is the base URL right?"),
    Rule(ThrottleError, "rate_limited", {429}),
    Rule(ThrottleError, "overloaded", {529}),
    Rule(ThrottleError, "overloaded", {503}, _THROTTLE),
    Rule(ThrottleError, "overloaded", {503}, needs_wait=True),
    Rule(TransientError, "request_timeout", {408}),
    Rule(TransientError, "conflict", {409, 421, 425}),
    Rule(TicketError, "not_implemented", {501, 505}, hint="is the base URL right?"),
    Rule(TicketError, "invalid_json", {500}, message=_UNREADABLE, hint=_UNREADABLE_HINT),
    Rule(TicketError, "rejected", {500}, message=_INVALID_REQUEST),
    Rule(TransientError, "server_error", range(500, 600)),
    Rule(TicketError, "filtered", _CLIENT, _FILTER),
    Rule(TicketError, "filtered", {400}, message=_POLICY_VIOLATED),
    Rule(TicketError, "context_length", {400, 413, 422}, _CONTEXT),
    # Together says it with 403 (docs.together.ai/docs/error-codes).
    Rule(TicketError, "context_length", {400, 403, 413, 422}, message=_TOO_LONG),
    Rule(TicketError, "forbidden", {403}, hint=_FORBIDDEN_HINT),
    Rule(TicketError, "too_large", {413}),
    Rule(TicketError, "rejected", _CLIENT),
    Rule(TransientError, "bad_status"),
)
"""OpenAI's chat format and all that follow it. The last line fits everything."""


def rules_of(preset: Preset) -> tuple[Rule, ...]:
    """Return the lines that a preset's own words make; they go before the wire format's."""
    kinds: tuple[tuple[type[ProviderError], str, frozenset[str], str], ...] = (
        (FatalError, "refused_by_code", preset.fatal_codes, "the provider refuses all requests"),
        (ThrottleError, "rate_limited", preset.throttle_codes, ""),
        (TransientError, "server_error", preset.transient_codes, ""),
        (TicketError, "rejected", preset.ticket_codes, ""),
    )
    return tuple(
        Rule(error, code, _ERRORS, words, hint=hint) for error, code, words, hint in kinds if words
    )


def refusal(
    reply: Reply,
    *,
    table: tuple[Rule, ...],
    host: str,
    key_env: str,
    now_unix: float,
    redact: Callable[[str], str],
) -> ProviderError | None:
    """Return the error that a reply stands for, None for a success (2xx).

    Arguments:
        reply: what came back.
        table: the wire format's rules; the last one fits anything.
        host: shown in the detail.
        key_env: the variable from which the key is taken.
        now_unix: Unix time in seconds, for waits given as a date.
        redact: replaces the key, should the provider echo it.
    """
    status = reply.status
    if 200 <= status < 300:  # noqa: PLR2004 - the range of successes
        return None
    complaint = read_complaint(reply.body)
    asked_s = server_wait_s(reply.headers, now_unix=now_unix)
    rule = next(r for r in table if r.fits(status, complaint, has_wait=asked_s is not None))
    if rule.error is ThrottleError:
        asked_s = server_wait_s(reply.headers, now_unix=now_unix, is_throttle=True)
    said = _redirect_target(reply) if status in range(300, 400) else complaint.message
    hint = rule.hint.format(key_env=key_env or "key_env in its [providers] table")
    parts = [f"{host} answered {status}", hint, one_line(said, redact=redact)]
    detail = ": ".join(part for part in parts if part)
    return rule.error(detail, code=rule.code, status=status, wait_s=asked_s)


def read_complaint(body: bytes) -> Complaint:
    """Return what an error body says, in any of the shapes that are about.

    `{"error": {"message", "code", "type"}}`, `{"error": "text"}`, the same without the wrapper,
    `{"detail": ...}`, or no JSON at all, which gives no codes and no message: a page of HTML
    helps nobody.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Complaint(frozenset(), "")
    if not isinstance(parsed, dict):
        return Complaint(frozenset(), "")
    error = parsed.get("error", parsed)
    if not isinstance(error, dict):
        return Complaint(frozenset(), error if isinstance(error, str) else "")
    words = [error.get(name) for name in ("code", "type", "status")]
    metadata = error.get("metadata")
    if isinstance(metadata, dict):
        # limit_source tells apart OpenRouter's 402s (openrouter.ai/docs/api/errors).
        words += [metadata.get("error_type"), metadata.get("limit_source")]
        # OpenRouter reports a moderated prompt as a 403 with the flagged text beside it.
        words.append("moderation" if "flagged_input" in metadata else None)
    codes = frozenset(word.lower() for word in words if isinstance(word, str))
    said = (error.get(name) for name in ("message", "detail", "error"))
    message = next((text for text in said if isinstance(text, str)), "")
    return _of_one_field(error, codes) or Complaint(codes, message, _text(error.get("param")))


def _of_one_field(error: dict[str, Any], codes: frozenset[str]) -> Complaint | None:
    """Read the first of a list of complaints, each about one field of the request.

    FastAPI answers 422 so, and with it Mistral, which puts the list into the message, and vLLM:
    `{"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "..."}]}`
    (fastapi.tiangolo.com/tutorial/handling-errors).
    """
    holder = error["message"] if isinstance(error.get("message"), dict) else error
    listed = holder.get("detail")
    first = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(first, dict):
        return None
    steps = first.get("loc")
    path = [step for step in steps if isinstance(step, str)] if isinstance(steps, list) else []
    named = ".".join(step for step in path if step != "body")
    said = f"{named}: {_text(first.get('msg'))}".removeprefix(": ")
    return Complaint(codes | {_text(first.get("type"))}, said, named)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _redirect_target(reply: Reply) -> str:
    """Name the host only: a path or query of a redirect may hold anything."""
    try:
        target = httpx.URL(reply.headers.get("location", "")).host
    except httpx.InvalidURL:
        target = ""
    return f"redirects are not followed (to {target or 'the same host'}); correct the base URL"

"""The table of error classes."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.adapters.http.exchange import Reply
from inference_forge.adapters.providers.verdict import OPENAI_TABLE, read_complaint, refusal
from inference_forge.errors import (
    FatalError,
    ProviderError,
    ThrottleError,
    TicketError,
    TransientError,
)

NOW = 1_700_000_000.0


def judge(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> ProviderError:
    """Return the error that a reply stands for."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    error = refusal(
        Reply(status, httpx.Headers(headers or {}), raw),
        table=OPENAI_TABLE,
        host="api.example.com",
        key_env="EXAMPLE_API_KEY",
        now_unix=NOW,
        redact=lambda text: text.replace("sk-secret", "***"),
    )
    assert error is not None
    assert error.status == status
    return error


def coded(code: str | None, message: str = "no") -> dict[str, Any]:
    """Return an OpenAI-shaped error body."""
    return {"error": {"message": message, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "code"),
    [
        # transient
        (408, b"", {}, TransientError, "request_timeout"),
        (409, b"", {}, TransientError, "conflict"),
        (421, b"", {}, TransientError, "conflict"),
        (425, b"", {}, TransientError, "conflict"),
        (500, coded("internal_server_error"), {}, TransientError, "server_error"),
        (502, b"<html>bad gateway</html>", {}, TransientError, "server_error"),
        (504, b"", {}, TransientError, "server_error"),
        (503, b"", {}, TransientError, "server_error"),
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
         {}, TransientError, "server_error"),
        (503, b"", {"retry-after": "0"}, TransientError, "server_error"),
        (503, b"", {"x-ratelimit-reset-requests": "9s"}, TransientError, "server_error"),
        (521, b"", {}, TransientError, "server_error"),
        (600, b"", {}, TransientError, "bad_status"),
        # throttle
        (429, b"", {}, ThrottleError, "rate_limited"),
        (429, coded("rate_limit_exceeded_error"), {}, ThrottleError, "rate_limited"),
        (429, coded("something new"), {}, ThrottleError, "rate_limited"),
        (429, coded("RESOURCE_EXHAUSTED", "You exceeded your current quota, check your plan"), {},
         ThrottleError, "rate_limited"),
        (429, coded(None, "no available capacity"), {}, ThrottleError, "rate_limited"),
        (529, b"", {}, ThrottleError, "overloaded"),
        (503, b"", {"retry-after": "5"}, ThrottleError, "overloaded"),
        (503, b"", {"retry-after-ms": "50"}, ThrottleError, "overloaded"),
        (503, coded("rate_limit_exceeded_error"), {}, ThrottleError, "overloaded"),
        (503, {"error": {"type": "overloaded_error"}}, {}, ThrottleError, "overloaded"),
        # fatal
        (401, b"", {}, FatalError, "unauthorized"),
        (402, b"", {}, FatalError, "payment_required"),
        (403, coded("invalid_api_key_error"), {}, FatalError, "unauthorized"),
        (403, coded("unsupported_country_region_territory"), {}, FatalError, "unauthorized"),
        (407, b"", {}, FatalError, "proxy_auth"),
        (429, coded("insufficient_quota_error"), {}, FatalError, "quota_exhausted"),
        (429, {"error": {"type": "insufficient_quota", "code": "credit_balance_exhausted"}}, {},
         FatalError, "quota_exhausted"),
        (429, coded("insufficient_quota"), {"retry-after": "1"}, FatalError, "quota_exhausted"),
        (500, coded("insufficient_quota"), {}, FatalError, "quota_exhausted"),
        (429, coded("exceeded_current_quota_error"), {}, FatalError, "quota_exhausted"),
        (429, coded("1113", "Insufficient balance or no resource package. Please recharge."), {},
         FatalError, "quota_exhausted"),
        (429, coded(None, "Your credit balance is too low"), {}, FatalError, "quota_exhausted"),
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message":
               "Your credit balance is too low to access the API."}}, {},
         FatalError, "quota_exhausted"),
        (404, coded("model_not_found"), {}, FatalError, "unknown_model"),
        (403, coded("model_not_found"), {}, FatalError, "unknown_model"),
        (400, coded("model_decommissioned"), {}, FatalError, "unknown_model"),
        (404, {"error": "model 'x' not found"}, {}, FatalError, "unknown_model"),
        (404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, {},
         FatalError, "unknown_model"),
        (404, b"404 page not found", {}, FatalError, "not_found"),
        (404, coded("not_found_error"), {}, FatalError, "not_found"),
        (405, {"detail": "Method Not Allowed"}, {}, FatalError, "not_found"),
        (410, b"gone", {}, FatalError, "not_found"),
        (307, b"", {"location": "https://evil.example/v1"}, FatalError, "redirect_refused"),
        (302, b"", {}, FatalError, "redirect_refused"),
        # ticket
        (400, coded("invalid_request_error"), {}, TicketError, "rejected"),
        (400, b"", {}, TicketError, "rejected"),
        (400, coded(None, 'bad text: "Your credit balance is too low"'), {},
         TicketError, "rejected"),
        (400, coded(None, "bad text: insufficient funds, please recharge"), {},
         TicketError, "rejected"),
        (501, b"", {}, TicketError, "not_implemented"),
        (505, b"", {}, TicketError, "not_implemented"),
        (413, b"", {}, TicketError, "too_large"),
        (422, coded("unprocessable_entity_error"), {}, TicketError, "rejected"),
        (422, {"detail": [{"loc": ["body"], "msg": "bad"}]}, {}, TicketError, "rejected"),
        (418, b"", {}, TicketError, "rejected"),
        (403, b"<html>firewall</html>", {}, TicketError, "forbidden"),
        (403, coded(None, "Forbidden"), {}, TicketError, "forbidden"),
        (400, coded("context_length_exceeded"), {}, TicketError, "context_length"),
        (400, coded(None, "This model's maximum context length is 8192 tokens"), {},
         TicketError, "context_length"),
        (413, coded(None, "Prompt is too long"), {}, TicketError, "context_length"),
        (403, coded(None, "Prompt is too long"), {}, TicketError, "context_length"),
        (400, coded("content_filter"), {}, TicketError, "filtered"),
        (400, coded("content_policy_violation"), {}, TicketError, "filtered"),
        (403, {"error": {"code": 403, "message": "flagged", "metadata":
               {"reasons": ["x"], "flagged_input": "the ticket"}}}, {}, TicketError, "filtered"),
    ],
)  # fmt: skip
def test_the_table(
    status: int, body: Any, headers: dict[str, str], kind: type[ProviderError], code: str
) -> None:
    """Status, headers and body code together decide the class."""
    error = judge(status, body, headers)
    assert (type(error), error.code) == (kind, code)


QUOTA = (
    "insufficient_quota insufficient_quota_error billing_hard_limit_reached billing_not_active "
    "insufficient_credits insufficient_balance payment_required credit_balance_exhausted "
    "exceeded_current_quota_error"
)
AUTH = (
    "invalid_api_key invalid_api_key_error missing_api_key authentication_error permission_error "
    "permission_denied account_deactivated unauthorized invalid_authentication "
    "insufficient_permissions unsupported_country_region_territory"
)
MODEL = (
    "model_not_found invalid_model unknown_model model_not_available model_decommissioned "
    "model_terms_required"
)
THROTTLE = (
    "rate_limit_exceeded rate_limit_exceeded_error rate_limit_error rate_limited "
    "too_many_requests overloaded overloaded_error engine_overloaded slow_down "
    "server_is_overloaded"
)
CONTEXT = (
    "context_length_exceeded context_window_exceeded exceed_context_size_error "
    "string_above_max_length string_too_long"
)
FILTER = (
    "content_filter content_policy_violation responsibleaipolicyviolation moderation "
    "data_inspection_failed"
)
BY_CODE: tuple[tuple[str, tuple[int, ...], type[ProviderError], str], ...] = (
    (QUOTA, (400, 402, 403, 429, 500), FatalError, "quota_exhausted"),
    (AUTH, (401, 403), FatalError, "unauthorized"),
    (MODEL, (400, 403, 404, 410, 422), FatalError, "unknown_model"),
    (THROTTLE, (429,), ThrottleError, "rate_limited"),
    (THROTTLE, (503, 529), ThrottleError, "overloaded"),
    (CONTEXT, (400, 413, 422), TicketError, "context_length"),
    (FILTER, (400, 403, 422), TicketError, "filtered"),
)
"""Every code that decides, with the statuses it comes with."""


@pytest.mark.parametrize(
    ("word", "status", "kind", "code"),
    [
        (word, status, kind, code)
        for words, statuses, kind, code in BY_CODE
        for word in words.split()
        for status in statuses
    ],
)
@pytest.mark.parametrize("field", ["code", "type"])
def test_every_code_decides(
    field: str, word: str, status: int, kind: type[ProviderError], code: str
) -> None:
    """In either field, in any case of letters, whatever the message says."""
    error = judge(status, {"error": {"message": "no", field: word.upper()}})
    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize(
    "message",
    [
        "model 'x' not found",
        "The model `x` does not exist",
        "unknown model: this model is unknown",
        "model x is not available for you",
        "the model x is not supported",
    ],
)
def test_a_404_about_a_model_names_it(message: str) -> None:
    """Not the address is wrong then but --model."""
    assert judge(404, coded(None, message)).code == "unknown_model"
    assert judge(404, coded(None, message.replace("model", "page"))).code == "not_found"


@pytest.mark.parametrize(
    "message",
    [
        "context length exceeded",
        "the context window is full",
        "exceeds the context size",
        "maximum context of 8192",
        "Prompt is too long",
        "too many tokens in the request",
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_text_that_is_too_long_is_told_by_its_message(status: int, message: str) -> None:
    """Where the server has no code for it."""
    assert judge(status, coded(None, message)).code == "context_length"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_no_error(status: int) -> None:
    """Any 2xx is for the answer's reader."""
    reply = Reply(status, {}, b"")
    assert (
        refusal(reply, table=OPENAI_TABLE, host="h", key_env="K", now_unix=NOW, redact=str) is None
    )


@pytest.mark.parametrize(
    "message", ["insufficient_quota", "invalid_api_key", "the model is not found", "401"]
)
@pytest.mark.parametrize("status", [400, 422])
def test_no_quoted_ticket_can_stop_a_run(status: int, message: str) -> None:
    """A message may quote the ticket, so only a code makes a 400 fatal."""
    assert type(judge(status, coded("invalid_request_error", message))) is TicketError


def test_waits_are_passed_on() -> None:
    """A transient error keeps Retry-After; a throttle also takes reset headers."""
    assert judge(500, headers={"retry-after": "4"}).wait_s == 4.0
    assert judge(500, headers={"x-ratelimit-reset-tokens": "6m0s"}).wait_s is None
    assert judge(429, headers={"x-ratelimit-reset-tokens": "6m0s"}).wait_s == 360.0
    assert judge(429).wait_s is None


def test_the_redirect_names_the_host_only() -> None:
    """Path and query of a redirect may hold anything."""
    detail = judge(307, headers={"location": "https://evil.example/a?k=sk-secret"}).detail
    assert "evil.example" in detail
    assert "secret" not in detail
    assert "the same host" in judge(308, headers={"location": "/v2"}).detail
    assert "the same host" in judge(308, headers={"location": "http://[zz]/"}).detail


def test_details_say_what_to_do() -> None:
    """Host, status, hint and the provider's words stand in the detail."""
    detail = judge(404, coded(None, "nothing here")).detail
    assert detail == "api.example.com answered 404: is the base URL right?: nothing here"
    assert judge(500).detail == "api.example.com answered 500"


def test_details_are_safe_to_show() -> None:
    """Keys, control characters and length are taken care of."""
    message = "Incorrect key \x1b]8;;http://evil\x07sk-secret\u202e\nnext " + "x" * 500
    detail = judge(401, coded("invalid_api_key", message)).detail
    assert "sk-secret" not in detail
    assert "***" in detail
    assert detail.isprintable()
    assert len(detail) < 400


def test_a_key_split_by_control_characters_is_still_hidden() -> None:
    """Secrets are looked for in the text as it will be shown."""
    assert "***" in judge(401, coded(None, "key sk-\x00secret")).detail


def test_a_key_at_the_cut_is_hidden() -> None:
    """A key is replaced before the text is cut, so that no half of it survives."""
    assert "sk-s" not in judge(401, coded(None, "x" * 295 + "sk-secret")).detail


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", ""),
        (b"<html>", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b'{"error": "text"}', "text"),
        (b'{"error": 5}', ""),
        (b'{"error": {"message": "text"}}', "text"),
        (b'{"error": {"message": 5, "detail": "text"}}', "text"),
        (b'{"message": "text"}', "text"),
        (b'{"detail": "text"}', "text"),
        (b'{"detail": [1]}', ""),
        (b'{"error": null}', ""),
    ],
)
def test_messages_are_found_in_every_shape(body: bytes, message: str) -> None:
    """Errors come wrapped, bare, as text, or not as JSON."""
    assert read_complaint(body).message == message


def test_codes_are_collected() -> None:
    """Code, type, status and OpenRouter's error type all count, in lower case."""
    error = {"code": "A", "type": "B", "status": "C", "metadata": {"error_type": "D"}}
    assert read_complaint(orjson.dumps({"error": error})).codes == {"a", "b", "c", "d"}
    assert read_complaint(b'{"error": {"code": 429, "metadata": []}}').codes == frozenset()


@given(
    status=st.one_of(st.integers(100, 199), st.integers(300, 999)),
    body=st.one_of(
        st.binary(max_size=50),
        st.recursive(
            st.none() | st.text(max_size=5) | st.integers(0, 9),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["error", "code", "type", "message", "metadata"]), inner
                )
            ),
            max_leaves=6,
        ).map(orjson.dumps),
    ),
)
def test_every_reply_has_a_verdict(status: int, body: bytes) -> None:
    """Nothing a server sends escapes the table or breaks it."""
    error = judge(status, body)
    assert isinstance(error, TransientError | ThrottleError | TicketError | FatalError)

"""What to say of a call that was not answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.errors import FatalError, ProviderError, ThrottleError, TransientError
from inference_forge.jobs.doctor.findings import LATER, REFUSED, fail, warn

if TYPE_CHECKING:
    from inference_forge.jobs.doctor.findings import Finding


class Advice(Struct, frozen=True):
    """Under which name an error is reported, and what to do about it."""

    name: str
    fix: str


_BASE_URL = Advice("endpoint", "correct --base-url; most end in /v1")
_KEY = Advice("key", "check the key and that it belongs to this provider")
_CREDIT = Advice("quota", "top up the account, or use another key")
_PROXY = Advice("proxy", "put user and password into the proxy's variable")
_AGAIN = Advice("endpoint", "try again later; see the provider's status page")
_STARTING = Advice(
    "endpoint",
    "try again later; when the endpoint or its model is starting, a run waits with --wake 10m",
)
_UNAVAILABLE: Final = 503

_BY_CODE: Final = {
    "dns_error": Advice("endpoint", "check the host in --base-url, and this machine's DNS"),
    "connect_error": Advice(
        "endpoint",
        "start the server, or correct --base-url; a firewall may be in the way; a run waits for "
        "one that is starting with --wake 10m",
    ),
    "timeout": Advice("endpoint", "check the network and the proxy, or try a longer --timeout"),
    "tls_certificate": Advice(
        "endpoint", "set SSL_CERT_FILE to your own authority's certificates, or correct --base-url"
    ),
    "tls_error": Advice("endpoint", "check that the address speaks TLS: http:// or https://?"),
    "proxy_error": Advice("proxy", "check the proxy, or name the host in NO_PROXY"),
    "proxy_auth": _PROXY,
    "bad_url": _BASE_URL,
    "redirect_refused": _BASE_URL,
    "not_found": _BASE_URL,
    "not_json": _BASE_URL,
    "unauthorized": _KEY,
    "quota_exhausted": _CREDIT,
    "payment_required": _CREDIT,
    "rate_limited": Advice("rate limits", "nothing: forge waits; or wait, and ask doctor again"),
    "overloaded": Advice("endpoint", "nothing: forge waits; or wait, and ask doctor again"),
}

_ABOUT_FORM: Final = re.compile(
    r"response_format|json_schema|json_object|schema|tool_choice", re.IGNORECASE
)


_BELOW_HTTP: Final = frozenset({
    "dns_error", "connect_error", "timeout", "connection_reset", "protocol_error", "tls_error",
})  # fmt: skip


def unanswered(error: ProviderError, key_env: str, *, proxy: str | None = None) -> Finding:
    """Return the finding of a call that ended in `error`; an unknown model has its own.

    A stop at once for a run is one here: exit 4, also for a certificate that is not valid. What
    time may mend is 75, and what a run waits out by itself only a warning.

    Arguments:
        error: what the call ended in.
        key_env: the variable in which the key is.
        proxy: through what the call went, for people; None for no proxy.
    """
    advice = advice_on(error)
    fix = f"{advice.fix} ({key_env})" if advice is _KEY else advice.fix
    if proxy is not None and error.code in _BELOW_HTTP:
        advice = Advice("proxy", f"check the proxy {proxy}, or name the host in NO_PROXY")
        fix = advice.fix
    match error:
        case ThrottleError():
            return warn(advice.name, error.detail, fix)
        case TransientError():
            return fail(advice.name, error.detail, fix, LATER)
        case _:
            return fail(advice.name, error.detail, fix, REFUSED)


def advice_on(error: ProviderError) -> Advice:
    """Return under which name to report `error`, and what to do."""
    known = _BY_CODE.get(error.code)
    if known is not None:
        return known
    if isinstance(error, TransientError):
        return _STARTING if error.status == _UNAVAILABLE else _AGAIN
    if isinstance(error, FatalError):
        return Advice("endpoint", "see what the provider says above")
    if _ABOUT_FORM.search(error.detail):
        return Advice("structured output", "choose another --model: this one takes no such form")
    return Advice("request", "see what the provider says; every ticket would be refused so")

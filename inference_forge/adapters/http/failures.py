"""What went wrong below HTTP, translated once into the project's errors.

`_MEANINGS` names every exception class that httpx has; a test fails when one is missing.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import httpx
from msgspec import Struct

from inference_forge.adapters.http.wording import one_line
from inference_forge.errors import FatalError, ProviderError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Meaning(Struct, frozen=True):
    """How an exception class is reported."""

    error: type[ProviderError]
    code: str
    what: str


_RESET = Meaning(TransientError, "connection_reset", "the connection broke")
_PROTOCOL = Meaning(TransientError, "protocol_error", "the reply was cut short or malformed")
_TIMEOUT = Meaning(TransientError, "timeout", "no answer in time")
_UNKNOWN = Meaning(TransientError, "connection_error", "the exchange failed")
_MISUSE = Meaning(FatalError, "client_misuse", "internal error while talking to the provider")
_BAD_URL = Meaning(FatalError, "bad_url", "the base URL cannot be used")
_CERTIFICATE = Meaning(
    FatalError,
    "tls_certificate",
    "the server's TLS certificate is not valid here (set SSL_CERT_FILE if it is your own)",
)
_TLS = Meaning(TransientError, "tls_error", "TLS could not be set up")
_DNS = Meaning(TransientError, "dns_error", "the host name cannot be resolved")
_PROXY_AUTH = Meaning(FatalError, "proxy_auth", "the proxy asks for credentials")

_MEANINGS: Mapping[type[Exception], Meaning] = {
    httpx.HTTPError: _UNKNOWN,
    httpx.RequestError: _UNKNOWN,
    httpx.TransportError: _UNKNOWN,
    httpx.TimeoutException: _TIMEOUT,
    httpx.ConnectTimeout: Meaning(TransientError, "timeout", "no connection in time"),
    httpx.ReadTimeout: _TIMEOUT,
    httpx.WriteTimeout: Meaning(TransientError, "timeout", "the request could not be sent in time"),
    httpx.PoolTimeout: Meaning(TransientError, "pool_timeout", "no connection was free in time"),
    httpx.NetworkError: _RESET,
    httpx.ReadError: _RESET,
    httpx.WriteError: _RESET,
    httpx.CloseError: _RESET,
    httpx.ConnectError: Meaning(TransientError, "connect_error", "cannot connect"),
    httpx.ProtocolError: _PROTOCOL,
    # Raised too when a server answers and leaves before it has read the request.
    httpx.LocalProtocolError: _PROTOCOL,
    httpx.RemoteProtocolError: _PROTOCOL,
    httpx.ProxyError: Meaning(TransientError, "proxy_error", "the proxy refused"),
    httpx.UnsupportedProtocol: _BAD_URL,
    httpx.InvalidURL: _BAD_URL,
    httpx.DecodingError: Meaning(TransientError, "bad_encoding", "the body cannot be decoded"),
    httpx.TooManyRedirects: Meaning(FatalError, "redirect_refused", "redirects are not followed"),
    httpx.HTTPStatusError: _UNKNOWN,
    httpx.CookieConflict: _MISUSE,
    httpx.StreamError: _MISUSE,
    httpx.StreamConsumed: _MISUSE,
    httpx.StreamClosed: _MISUSE,
    httpx.ResponseNotRead: _MISUSE,
    httpx.RequestNotRead: _MISUSE,
    # httpcore lets an SSL alert in the middle of a connection through as it is.
    OSError: _RESET,
}

TRANSLATED: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    OSError,
)
"""What to catch around an exchange; `provider_error` knows all of them."""


def provider_error(
    exc: Exception, *, host: str, redact: Callable[[str], str] = str
) -> ProviderError:
    """Return the project's error for `exc`; raise it `from exc`.

    Arguments:
        exc: an instance of a class in `TRANSLATED`.
        host: shown in the detail.
        redact: replaces secrets that a server may have echoed.
    """
    meaning, reason = _meaning(exc)
    cause = one_line(str(reason), redact=redact) or type(reason).__name__
    return meaning.error(f"{host}: {meaning.what}: {cause}", code=meaning.code)


def _meaning(exc: Exception) -> tuple[Meaning, BaseException]:
    """Return how to report `exc`, and which exception of its chain says why."""
    for link in _chain(exc):
        if isinstance(link, ssl.SSLCertVerificationError):
            return _CERTIFICATE, link
        if isinstance(link, ssl.SSLError):
            return _TLS, link
        if isinstance(link, socket.gaierror):
            return _DNS, link
    # httpcore reports a refused CONNECT as "407 Proxy Authentication Required".
    if isinstance(exc, httpx.ProxyError) and str(exc).startswith("407"):
        return _PROXY_AUTH, exc
    known = (_MEANINGS[cls] for cls in type(exc).__mro__ if cls in _MEANINGS)
    return next(known, _UNKNOWN), exc


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield `exc` and what led to it; httpcore suppresses causes, so contexts count too."""
    seen: set[int] = set()
    link: BaseException | None = exc
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__

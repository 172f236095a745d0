"""Every failure below HTTP has one meaning."""

from __future__ import annotations

import inspect
import socket
import ssl

import httpx
import pytest

from inference_forge.adapters.http import failures
from inference_forge.adapters.http.failures import TRANSLATED, provider_error
from inference_forge.errors import FatalError, ProviderError, TransientError

EXCEPTIONS = sorted(
    {cls for _, cls in inspect.getmembers(httpx, inspect.isclass) if issubclass(cls, Exception)},
    key=lambda cls: cls.__name__,
)


def instance(cls: type[Exception]) -> Exception:
    """Make an exception of any of httpx's classes."""
    request = httpx.Request("GET", "http://test")
    if cls is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("x", request=request, response=httpx.Response(500))
    parameters = inspect.signature(cls).parameters
    return cls("x") if "message" in parameters else cls()


@pytest.mark.parametrize("cls", EXCEPTIONS)
def test_every_httpx_exception_is_mapped(cls: type[Exception]) -> None:
    """A new exception class in httpx must be given a meaning, and is caught."""
    assert cls in failures._MEANINGS
    assert issubclass(cls, TRANSLATED)
    error = provider_error(instance(cls), host="h")
    assert isinstance(error, TransientError | FatalError)
    assert error.code == error.code.lower().replace(" ", "_")


WORTH_ANOTHER_TRY = {
    "HTTPError": "connection_error",
    "RequestError": "connection_error",
    "TransportError": "connection_error",
    "HTTPStatusError": "connection_error",
    "TimeoutException": "timeout",
    "ConnectTimeout": "timeout",
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "PoolTimeout": "pool_timeout",
    "NetworkError": "connection_reset",
    "ReadError": "connection_reset",
    "WriteError": "connection_reset",
    "CloseError": "connection_reset",
    "ConnectError": "connect_error",
    "ProtocolError": "protocol_error",
    "LocalProtocolError": "protocol_error",
    "RemoteProtocolError": "protocol_error",
    "ProxyError": "proxy_error",
    "DecodingError": "bad_encoding",
}
THE_END = {
    "UnsupportedProtocol": "bad_url",
    "InvalidURL": "bad_url",
    "TooManyRedirects": "redirect_refused",
    "CookieConflict": "client_misuse",
    "StreamError": "client_misuse",
    "StreamConsumed": "client_misuse",
    "StreamClosed": "client_misuse",
    "ResponseNotRead": "client_misuse",
    "RequestNotRead": "client_misuse",
}


@pytest.mark.parametrize("cls", EXCEPTIONS)
def test_every_httpx_exception_has_its_class_and_code(cls: type[Exception]) -> None:
    """What time may mend is tried again; what it cannot stops the run."""
    error = provider_error(instance(cls), host="h")
    if cls.__name__ in THE_END:
        assert (type(error), error.code) == (FatalError, THE_END[cls.__name__])
    else:
        assert (type(error), error.code) == (TransientError, WORTH_ANOTHER_TRY[cls.__name__])


def test_httpx_has_exceptions() -> None:
    """The walk above finds the classes it is about."""
    assert len(EXCEPTIONS) >= 28


@pytest.mark.parametrize(
    ("exc", "kind", "code"),
    [
        (httpx.ConnectError("refused"), TransientError, "connect_error"),
        (httpx.ConnectTimeout("slow"), TransientError, "timeout"),
        (httpx.ReadTimeout("slow"), TransientError, "timeout"),
        (httpx.WriteTimeout("slow"), TransientError, "timeout"),
        (httpx.PoolTimeout("busy"), TransientError, "pool_timeout"),
        (httpx.ReadError("reset"), TransientError, "connection_reset"),
        (httpx.WriteError("reset"), TransientError, "connection_reset"),
        (httpx.RemoteProtocolError("cut"), TransientError, "protocol_error"),
        (httpx.LocalProtocolError("state"), TransientError, "protocol_error"),
        (httpx.DecodingError("gzip"), TransientError, "bad_encoding"),
        (httpx.ProxyError("502 Bad Gateway"), TransientError, "proxy_error"),
        (httpx.ProxyError("407 Proxy Authentication Required"), FatalError, "proxy_auth"),
        (httpx.UnsupportedProtocol("ftp"), FatalError, "bad_url"),
        (httpx.InvalidURL("?"), FatalError, "bad_url"),
        (OSError("broken"), TransientError, "connection_reset"),
        (ssl.SSLError("bad record"), TransientError, "tls_error"),
        (socket.gaierror("no such host"), TransientError, "dns_error"),
    ],
)
def test_codes_are_stable(exc: Exception, kind: type[ProviderError], code: str) -> None:
    """What failures are called does not change."""
    error = provider_error(exc, host="api.example.com")
    assert type(error) is kind
    assert error.code == code
    assert error.status is None
    assert error.detail.startswith("api.example.com: ")


def test_a_subclass_takes_its_parents_meaning() -> None:
    """An exception class nobody has heard of is reported as its parent."""

    class NewError(httpx.ReadError):
        pass

    assert provider_error(NewError("x"), host="h").code == "connection_reset"


def test_an_exception_from_elsewhere_is_transient() -> None:
    """Should something unforeseen be passed in, it is worth another try."""
    assert provider_error(ValueError("x"), host="h").code == "connection_error"


def test_a_certificate_is_found_behind_a_suppressed_cause() -> None:
    """The reason is found even when a library re-raises `from None`."""
    try:
        try:
            raise ssl.SSLCertVerificationError(1, "self-signed certificate")
        except ssl.SSLError as inner:
            raise httpx.ConnectError(str(inner)) from None
    except httpx.ConnectError as exc:
        error = provider_error(exc, host="h")
    assert isinstance(error, FatalError)
    assert error.code == "tls_certificate"
    assert "self-signed certificate" in error.detail


def test_a_circular_chain_ends() -> None:
    """Exceptions that refer to each other do not hang the translation."""
    first, second = httpx.ReadError("a"), httpx.ReadError("b")
    first.__context__, second.__context__ = second, first
    assert provider_error(first, host="h").code == "connection_reset"


def test_details_are_one_clean_line() -> None:
    """Control characters, line breaks and keys do not get into a detail."""
    exc = httpx.RemoteProtocolError("bad\x1b[31m header\r\nx: sk-secret\u202e " + "y" * 1000)
    error = provider_error(exc, host="h", redact=lambda text: text.replace("sk-secret", "***"))
    assert "bad[31m header x: *** yyy" in error.detail
    assert error.detail.isprintable()
    assert len(error.detail) < 400


def test_a_failure_without_words_is_named_by_its_class() -> None:
    """An empty message still says something."""
    assert "ReadTimeout" in provider_error(httpx.ReadTimeout(""), host="h").detail

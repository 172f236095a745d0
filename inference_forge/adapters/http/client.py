"""The one place where HTTP clients are made."""

from __future__ import annotations

import ssl
import urllib.request
from typing import TYPE_CHECKING

import httpx
from msgspec import Struct

from inference_forge.adapters.http.lean_client import LeanClient
from inference_forge.adapters.http.transport import ShardedTransport, shard_factory
from inference_forge.errors import SettingsError
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_AGENT = "inference-forge"

# RFC 9293, section 3.1: 16 bits, of which 0 names no service (RFC 6335, section 6).
_MAX_PORT = 65_535
_PORTS = f"a port is a number from 1 to {_MAX_PORT}"


class Timeouts(Struct, frozen=True):
    """Longest silence per phase of one request, in seconds; the whole try has its own deadline.

    Attributes:
        connect_s: until the connection stands, TLS included.
        read_s: between two reads; a model that thinks sends nothing for long.
        write_s: between two writes.
        pool_s: until a connection is free; None waits, which the engine's limit keeps short.
    """

    connect_s: float = 5.0
    read_s: float = 60.0
    write_s: float = 30.0
    pool_s: float | None = None


def build_client(
    base_url: str,
    headers: Mapping[str, str],
    *,
    max_connections: int,
    timeouts: Timeouts | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    stack: HttpStack = HttpStack.AUTO,
) -> httpx.AsyncClient:
    """Return a client for one provider.

    It verifies TLS always (SSL_CERT_FILE and SSL_CERT_DIR add authorities), follows no redirect,
    and goes through the proxy that the environment names for `base_url`.

    Arguments:
        base_url: for example `https://api.sarvam.ai/v1`.
        headers: sent with every request; credentials belong here.
        max_connections: connections open at once, at least 1.
        timeouts: None for the defaults.
        transport: sends the requests instead of the network; for tests.
        stack: what speaks HTTP.

    Raises:
        SettingsError: the URL or the proxy cannot be used.
    """
    url = parse_base_url(base_url)
    limits = timeouts or Timeouts()
    return LeanClient(
        base_url=url,
        # Only gzip is asked for, because only gzip is decoded in bounded memory.
        headers={"user-agent": USER_AGENT, "accept-encoding": "gzip", **headers},
        timeout=httpx.Timeout(
            connect=limits.connect_s,
            read=limits.read_s,
            write=limits.write_s,
            pool=limits.pool_s,
        ),
        transport=transport or _network(url, max_connections, stack),
        follow_redirects=False,
        trust_env=False,  # the proxy is chosen here, and a .netrc must not add credentials
    )


def parse_base_url(base_url: str) -> httpx.URL:
    """Return `base_url` parsed.

    Raises:
        SettingsError: it is not an http or https URL with a host, or carries credentials, a
            query or a fragment. The message never shows credentials.
    """
    hint = "expected something like https://api.example.com/v1"
    try:
        url = httpx.URL(base_url)
        url.host.encode("idna")  # what the resolver would otherwise stumble over later
    except (httpx.InvalidURL, UnicodeError):
        # The cause quotes a part of the URL, which may be a key in a wrong place.
        raise SettingsError(f"base URL cannot be parsed: {hint}") from None
    if url.userinfo:
        raise SettingsError("base URL contains credentials: pass the key by the environment")
    if "%" in url.host:  # httpx escapes what no host name may hold
        raise SettingsError(f"base URL cannot be parsed: {hint}")
    if url.scheme not in {"http", "https"} or not url.host:
        shown = base_url.partition("?")[0].partition("#")[0]
        raise SettingsError(f"base URL {shown!r} has no http(s) host: {hint}")
    if url.query or url.fragment:
        raise SettingsError(f"base URL for host {url.host} has a query or fragment: {hint}")
    if not _has_usable_port(url):
        raise SettingsError(f"base URL for host {url.host} has port {url.port}: {_PORTS}")
    return url


def _has_usable_port(url: httpx.URL) -> bool:
    return url.port is None or 1 <= url.port <= _MAX_PORT


def environment_proxy(base_url: str) -> httpx.Proxy | None:
    """Return the proxy that the environment names for `base_url`, None for a direct connection.

    HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (upper or lower case) count, as read by the
    standard library. The result's `url` has no credentials in it and can be shown.

    Raises:
        SettingsError: a variable is no proxy URL.
    """
    url = parse_base_url(base_url)
    named = urllib.request.getproxies()
    address = named.get(url.scheme) or named.get("all")
    if not address or urllib.request.proxy_bypass(url.netloc.decode("ascii")):
        return None
    try:
        proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
    except (httpx.InvalidURL, ValueError):
        # The cause may quote the proxy's password.
        raise SettingsError(
            f"the proxy that the environment names for {url.scheme} is no http, https or socks5 "
            "URL: correct or unset the variable"
        ) from None
    if not _has_usable_port(proxy.url):
        raise SettingsError(
            f"the proxy that the environment names for {url.scheme} has port {proxy.url.port}: "
            f"{_PORTS}; correct or unset the variable"
        )
    return proxy


def _tls_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as exc:  # ssl.SSLError is one
        raise SettingsError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR name cannot be read ({exc}); "
            "correct or unset the variable"
        ) from exc


def _network(url: httpx.URL, max_connections: int, stack: HttpStack) -> ShardedTransport:
    proxy = environment_proxy(str(url))
    is_tls_used = url.scheme == "https" or (proxy is not None and proxy.url.scheme == "https")
    # Without TLS nothing is worth the 17 ms; this context would trust nobody.
    context = _tls_context() if is_tls_used else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if proxy is not None and proxy.url.scheme == "https":
        proxy = httpx.Proxy(proxy.url, auth=proxy.auth, ssl_context=context)
    try:
        return ShardedTransport(max_connections, shard_factory(context, proxy, stack))
    except ImportError as exc:
        raise SettingsError(
            "the environment names a SOCKS proxy: pip install 'httpx[socks]', or unset it"
        ) from exc

"""Making clients: URLs, proxies, TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
from http_stacks import anyio_backend, http_stack  # noqa: F401 - fixtures
from servers import Reply, ScriptedServer

from inference_forge.adapters.http.client import (
    Timeouts,
    build_client,
    environment_proxy,
    parse_base_url,
)
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from an environment without proxies."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("base_url", "complaint"),
    [
        ("", "no http"),
        ("api.sarvam.ai/v1", "no http"),
        ("ftp://host/v1", "no http"),
        ("https://", "no http"),
        ("http://[", "cannot be parsed"),
        ("http://host:port/v1", "cannot be parsed"),
        ("http://a..b/v1", "cannot be parsed"),
        ("http://host/v1\n", "cannot be parsed"),
        ("https://me:hunter2@host/v1", "credentials"),
        ("https://host/v1?key=hunter2", "query"),
        ("https://host/v1#hunter2", "fragment"),
    ],
)
def test_an_unusable_base_url_is_refused(base_url: str, complaint: str) -> None:
    """A URL that could not work, or holds secrets, is a settings error that shows none."""
    with pytest.raises(SettingsError, match=complaint) as caught:
        build_client(base_url, {}, max_connections=1)
    assert "hunter2" not in str(caught.value)


async def test_the_client_is_set_up_as_asked() -> None:
    """Headers, timeouts, and no redirects."""
    client = build_client(
        "http://localhost:8000/v1",
        {"authorization": "Bearer k"},
        max_connections=2,
        timeouts=Timeouts(connect_s=1, read_s=2, write_s=3, pool_s=4),
    )
    async with client:
        request = client.build_request("POST", "chat/completions")
        assert request.url == "http://localhost:8000/v1/chat/completions"
        assert request.headers["authorization"] == "Bearer k"
        assert request.headers["accept-encoding"] == "gzip"
        assert client.timeout == httpx.Timeout(connect=1, read=2, write=3, pool=4)
        assert client.follow_redirects is False
        assert client.trust_env is False


async def test_default_timeouts() -> None:
    """Connecting may take 5 s, a silence 60 s."""
    async with build_client("http://localhost/v1", {}, max_connections=1) as client:
        assert client.timeout.connect == 5.0
        assert client.timeout.read == 60.0
        assert client.timeout.pool is None


@pytest.mark.parametrize(
    ("variables", "base_url", "proxy"),
    [
        ({}, "https://api.example.com/v1", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://api.example.com/v1", "http://p:3128"),
        ({"https_proxy": "p:3128"}, "https://api.example.com/v1", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://api.example.com/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://api.example.com/v1", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://a.example.com/v1", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "example.com"}, "http://a.example.com/v1", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "b.example.com"}, "http://a.example.com/v1",
         "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "localhost:11434"}, "http://localhost:11434/v1",
         None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "localhost:11434"}, "http://localhost:8000/v1",
         "http://p:1"),
    ],
)  # fmt: skip
def test_the_environment_names_the_proxy(
    variables: Mapping[str, str],
    base_url: str,
    proxy: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The usual variables count, NO_PROXY with hosts, domains and ports."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = environment_proxy(base_url)
    assert (None if found is None else str(found.url)) == proxy


def test_a_proxy_is_shown_without_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What doctor shows has no password in it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@p:3128")
    proxy = environment_proxy("https://api.example.com/v1")
    assert proxy is not None
    assert str(proxy.url) == "http://p:3128"
    assert proxy.auth == ("me", "hunter2")
    assert "hunter2" not in repr(proxy)


@pytest.mark.parametrize(
    ("proxy", "complaint"),
    [
        ("gopher://me:hunter2@p:70", "no http, https or socks5 URL"),
        ("http://me:hunter2@p:port", "no http, https or socks5 URL"),
        ("socks5://me:hunter2@p:1080", "SOCKS proxy"),
    ],
)
def test_an_unusable_proxy_is_refused(
    proxy: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that cannot work is named before anything is sent, without its password."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(SettingsError, match=complaint) as caught:
        build_client("http://api.example.com/v1", {}, max_connections=1)
    assert "hunter2" not in str(caught.value)


async def test_requests_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets the whole URL and its own credentials; the provider is not resolved."""
    async with ScriptedServer(lambda _number, _body: Reply(body={"by": "proxy"})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        async with build_client("http://provider.invalid/v1", {}, max_connections=2) as client:
            response = await client.post("chat/completions", json={})
        assert response.json() == {"by": "proxy"}
        assert proxy.requests[0].target == "http://provider.invalid/v1/chat/completions"
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")


async def test_tls_tunnels_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """For https the proxy is asked for a tunnel, and sees no key."""
    async with ScriptedServer(lambda _number, _body: Reply(status=502, closes=True)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        headers = {"authorization": "Bearer key"}
        async with build_client("https://provider.invalid/v1", headers, max_connections=1) as c:
            with pytest.raises(httpx.ProxyError):
                await c.post("chat/completions", json={})
        assert proxy.requests[0].method == "CONNECT"
        assert "authorization" not in proxy.requests[0].headers


async def test_no_proxy_goes_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY keeps a local server out of the proxy."""
    async with ScriptedServer(lambda _number, _body: Reply(body={})) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with build_client(server.url, {}, max_connections=1) as client:
            assert (await client.get("models")).status_code == 200


async def test_one_tls_context_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are loaded once, for all connections and a TLS proxy."""
    made: list[ssl.SSLContext] = []
    create = httpx.create_ssl_context

    def counted() -> ssl.SSLContext:
        made.append(create())
        return made[-1]

    monkeypatch.setattr(httpx, "create_ssl_context", counted)
    monkeypatch.setenv("ALL_PROXY", "https://p:3128")
    async with build_client("http://provider.invalid/v1", {}, max_connections=4):
        assert len(made) == 1
        assert made[0].verify_mode is ssl.CERT_REQUIRED
        assert made[0].check_hostname


def test_a_parsed_url_is_returned() -> None:
    """A good URL comes back parsed, international hosts included."""
    assert parse_base_url("https://bücher.example/v1").raw_host == b"xn--bcher-kva.example"


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_unreadable_certificates_are_a_settings_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """SSL_CERT_FILE names a file that is missing, or is none."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        build_client("https://api.example.com/v1", {}, max_connections=1)

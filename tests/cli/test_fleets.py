"""Several servers or keys for one provider, from the command line."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from running import CANARY, always_good, finish, forge, forge_process, spawn, tickets
from servers import Reply, ScriptedServer, error

if TYPE_CHECKING:
    from pathlib import Path

MODEL = ("--provider", "openai", "--model", "m")
IMPATIENT = ("--outage-budget", "0.5", "--breaker-recovery", "0.1")
STARTING = Reply(status=503, body={"error": {"message": "the model is loading"}})


@pytest.fixture(autouse=True)
def _rows(isolated: Path) -> None:
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(40)))


def host(server: ScriptedServer) -> str:
    """Return how a server is named in messages."""
    return server.url.removeprefix("http://").removesuffix("/v1")


def nobody() -> str:
    """Return an address where nobody listens."""
    with ScriptedServer(always_good) as server:
        return server.url


def test_two_servers_share_the_work() -> None:
    """The flag is repeated; the summary names what each got."""
    with ScriptedServer(always_good) as one, ScriptedServer(always_good) as other:
        done = forge("classify", "in.csv", *MODEL, "--base-url", one.url, "--base-url", other.url)
        counts = (len(one.requests), len(other.requests))
    assert done.code == 0, done.err
    assert sum(counts) == 40
    assert min(counts) >= 10
    shares = {f"{host(one)} {counts[0]}", f"{host(other)} {counts[1]}"}
    assert set(done.summary["endpoints"].split(", ")) == shares


@pytest.mark.parametrize("place", ["file", "variable", "flag"])
def test_addresses_from_settings(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A list in a file, commas in a variable; one answer serves all in the next run."""
    with ScriptedServer(always_good) as one, ScriptedServer(always_good) as other:
        flags: tuple[str, ...] = ()
        match place:
            case "file":
                text = f'base_urls = ["{one.url}", "{other.url}"]\n'
                (isolated / "forge.toml").write_text(text)
            case "variable":
                monkeypatch.setenv("FORGE_BASE_URLS", f"{one.url}, {other.url}")
            case _:
                flags = ("--base-urls", one.url, "--base-url", other.url)
        assert forge("classify", "in.csv", *MODEL, *flags).code == 0
        assert min(len(one.requests), len(other.requests)) > 0
        before = len(one.requests) + len(other.requests)
        again = forge("classify", "in.csv", *MODEL, "--base-url", other.url)
        assert again.summary["cache hits"] == "40"
        assert len(one.requests) + len(other.requests) == before
        assert "endpoints" not in again.summary


def test_a_server_that_is_not_there() -> None:
    """The others do its work; it costs no ticket."""
    dead = nobody()
    with ScriptedServer(always_good) as server:
        done = forge(
            "classify", "in.csv", *MODEL, "--base-url", dead, "--base-url", server.url, *IMPATIENT
        )
    assert done.code == 0, done.err
    assert len(server.requests) == 40


def test_a_command_for_the_key_does_not_eat_the_tickets() -> None:
    """Standard input is theirs."""
    with ScriptedServer(always_good) as server:
        flags = ("--base-url", server.url, "--api-key-command", "sh -c 'cat >&2; echo sk-1'")
        done = forge_process("classify", "-", *MODEL, *flags, stdin=b'{"text": "hello"}\n')
    assert done.code == 0, done.err
    assert done.out.startswith(b'{"text": "hello"')


def test_a_bad_key_among_good_ones(isolated: Path) -> None:
    """One warning, and the run goes on with the others; none left is exit 4."""
    (isolated / "key").write_text(f"{CANARY}-1\n{CANARY}-2\n{CANARY}-3\n")
    (isolated / "key").chmod(0o600)
    bad = {f"Bearer {CANARY}-2"}

    def script(number: int, body: Any) -> Reply:
        is_bad = server.requests[number].headers["authorization"] in bad
        return error(401, "invalid_api_key", "no") if is_bad else always_good(number, body)

    with ScriptedServer(script) as server:
        flags = (*MODEL, "--base-url", server.url, "--api-key-file", "key")
        done = forge("classify", "in.csv", *flags)
        assert done.code == 0, done.err
        warned = [line for line in done.lines if line.startswith("warning")]
        assert len(warned) == 1
        assert warned[0].startswith("warning: key 2 refuses the request (unauthorized): ")
        assert warned[0].endswith("; going on with 2 others")
        assert done.summary["endpoints"].startswith("key ")
        bad |= {f"Bearer {CANARY}-{n}" for n in (1, 2, 3)}
        done = forge("classify", "in.csv", *flags, "--refresh")
    assert done.code == 4
    assert CANARY not in done.err


def test_a_server_that_starts_is_waited_for() -> None:
    """`--wake` says whom it waits for, and that it woke."""
    with ScriptedServer(lambda n, body: STARTING if n == 0 else always_good(n, body)) as server:
        done = forge("classify", "in.csv", *MODEL, "--base-url", server.url, "--wake", "1m")
    assert done.code == 0, done.err
    assert any(
        line.startswith(f"{host(server)} does not answer yet ({host(server)} answered 503")
        and line.endswith("waiting for it to wake, 1 min 00 s at most")
        for line in done.lines
    )
    assert any(line.startswith(f"{host(server)} is awake after ") for line in done.lines)
    assert len(server.requests) == 41


def test_a_server_that_does_not_wake() -> None:
    """Exit 75, and the same command resumes."""
    with ScriptedServer(lambda *_: STARTING) as server:
        done = forge("classify", "in.csv", *MODEL, "--base-url", server.url, "--wake", "1")
    assert done.code == 75
    assert f"{host(server)} did not wake within 1 s (--wake)" in done.last
    assert done.last.endswith("the same command resumes")


@pytest.mark.parametrize("reply", [STARTING, Reply(hangs=True)], ids=["503", "hangs"])
def test_a_stop_while_a_server_starts(reply: Reply) -> None:
    """Ctrl-C exits with 130 without waiting for the grace period, or for the knock under way."""
    with ScriptedServer(lambda *_: reply) as server:
        process = spawn("classify", "in.csv", *MODEL, "--base-url", server.url, "--wake", "10m")
        assert server.wait_until(lambda s: len(s.requests) >= 1, timeout_s=20)
        os.kill(process.pid, signal.SIGINT)
        done = finish(process)
        assert done.code == 130
        assert len(server.requests) <= 2


def test_doctor_looks_at_each_server(isolated: Path) -> None:
    """One call to each, and findings that say which."""
    dead = nobody()
    with ScriptedServer(always_good) as server:
        urls = ("--base-url", server.url, "--base-url", dead)
        done = forge("doctor", *MODEL, *urls)
        assert len(server.requests) == 1
    shown = done.out.decode()
    assert done.code == 75
    assert f"ok    endpoint: http://{host(server)} answered\n" in shown
    assert f"fail  endpoint: {dead[:-3]}: " in shown
    assert "--wake 10m" in shown
    (isolated / "key").write_text(f"{CANARY}-1\n{CANARY}-2\n")
    with ScriptedServer(always_good) as server:
        flags = ("--base-url", server.url, "--api-key-file", "key")
        done = forge("doctor", *MODEL, *flags)
        sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer {CANARY}-1", f"Bearer {CANARY}-2"]
    shown = done.out.decode()
    assert "ok    key: key 2: from key, line 2" in shown or "key 2: from key, accepted" in shown
    assert "warn  key file: the key file key can be read by every user" in shown
    assert CANARY not in shown
    done = forge("doctor", *MODEL, "--base-url", dead, "--base-urls", dead)
    assert done.code == 2
    assert b"names an address twice; fix: name each server once" in done.out

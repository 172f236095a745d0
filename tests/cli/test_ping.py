"""`--ping`: a dead man's switch hears of the start and of every end."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from running import CANARY, forge, tickets

from inference_forge.adapters.pinging import Pinger
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UUID = "0f9d4c5b-check-uuid"


@dataclass
class Switch:
    """A server that notes pings.

    Attributes:
        statuses: of its answers, the last for all further ones.
        seen: path and body of each ping.
        late_s: how long a start is kept waiting, unless an end comes.
        hangs: never answer.
        trickles: never come to the end of an answer.
        answered: where the pings went that were answered, in this order.
    """

    statuses: list[int] = field(default_factory=lambda: [200])
    seen: list[tuple[str, str]] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    late: threading.Event = field(default_factory=threading.Event)
    late_s: float = 0.0
    answered: list[str] = field(default_factory=list)
    hangs: bool = False
    trickles: bool = False
    url: str = ""

    def paths(self) -> list[str]:
        """Return where the pings went, below the check's own address."""
        return [path.removeprefix(f"/{UUID}") for path, _ in self.seen]


@contextmanager
def switch(**options: Any) -> Iterator[Switch]:
    """Serve a switch on loopback."""
    state = Switch(**options)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            state.seen.append((self.path, body))
            if self.path.endswith("/start"):
                # Answered late: an end that does not wait for it would be answered first.
                state.late.wait(state.late_s)
            else:
                state.late.set()
            state.answered.append(self.path.removeprefix(f"/{UUID}"))
            if state.hangs:
                state.held.wait(20)
                return
            while state.trickles and not state.held.wait(0.01):
                with suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            several = len(state.statuses) > 1
            self.send_response(state.statuses.pop(0) if several else state.statuses[0])
            self.send_header("Content-Length", "0")
            # Where a redirect goes is seen, if it is followed.
            self.send_header("Location", f"{state.url}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/{UUID}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        yield state
    finally:
        state.held.set()
        server.shutdown()
        server.server_close()


def test_a_good_run(isolated: Path) -> None:
    """Start, then success with a line for people; the address is shown nowhere."""
    tickets(isolated / "in.csv", "one", "two")
    with switch() as heard:
        done = forge(
            "classify", "in.csv", "--ping", heard.url, "--events", "e", "--summary-json", "s.json"
        )
    assert done.code == 0
    assert heard.paths() == ["/start", ""]
    body = heard.seen[1][1]
    assert body.startswith("exit 0: 2 rows, 2 classified, 0 failed, 0 pending, cost 0, ")
    shown = done.err + (isolated / "e").read_text() + (isolated / "s.json").read_text()
    assert UUID not in shown + forge("runs", "--json").out.decode()


@pytest.mark.parametrize(
    ("texts", "flags", "code"),
    [
        (("one", ""), (), 3),
        (("one", ""), ("--max-failure-rate", "0.5"), 0),
        (("one", "two"), ("--provider", "simulated", "--max-requests", "1"), 6),
        (("one",), ("--provider", "nobody"), 2),
        (("one",), ("--concurrency", "0"), 2),
        (("one",), ("--events", "no/e"), 2),
    ],
)
def test_how_it_ends(
    isolated: Path, texts: tuple[str, ...], flags: tuple[str, ...], code: int
) -> None:
    """Success is the bare address, all else the exit code below it."""
    tickets(isolated / "in.csv", *texts)
    with switch() as heard:
        done = forge("classify", "in.csv", *flags, "--ping", heard.url)
    assert done.code == code
    assert heard.paths()[-1] == (f"/{code}" if code else "")
    assert heard.seen[-1][1].startswith(f"exit {code}: ")


def test_the_end_comes_after_the_start() -> None:
    """A start that is still under way is waited for, or the check would count the run as open."""
    with switch(late_s=0.3) as heard:
        pinger = Pinger(heard.url, warn=pytest.fail, agent="test")
        pinger.start()
        pinger.end(0, "done")
    assert heard.answered == ["/start", ""]


def test_a_query_stays_behind_the_path(isolated: Path) -> None:
    """As healthchecks.io has it for run ids."""
    tickets(isolated / "in.csv", "one")
    with switch() as heard:
        assert forge("classify", "in.csv", "--ping", f"{heard.url}?rid=7#x").code == 0
    assert [path for path, _ in heard.seen] == [f"/{UUID}/start?rid=7", f"/{UUID}?rid=7"]


def test_no_secret_is_in_the_body(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts only: neither names of files nor what a provider said."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    tickets(isolated / f"{CANARY}.csv", "one")
    with switch() as heard:
        forge("classify", f"{CANARY}.csv", "--ping", heard.url)
    assert CANARY not in str(heard.seen)


@pytest.mark.parametrize("status", [404, 301])
def test_a_refused_ping_is_one_warning(isolated: Path, status: int) -> None:
    """Naming the host only; the exit code is the run's."""
    tickets(isolated / "in.csv", "one")
    with switch(statuses=[status]) as heard:
        done = forge("classify", "in.csv", "--ping", heard.url)
    told = f"warning: --ping: 127.0.0.1 was not told how the run goes: it answers with {status}"
    assert (done.code, done.lines.count(told)) == (0, 1)
    assert heard.paths() == ["/start", ""]


def test_an_end_that_is_not_taken_is_told_again(isolated: Path) -> None:
    """Once: a lost success is an alarm at night."""
    tickets(isolated / "in.csv", "one")
    with switch(statuses=[200, 503, 200]) as heard:
        done = forge("classify", "in.csv", "--ping", heard.url)
    assert heard.paths() == ["/start", "", ""]
    assert "ping" not in done.err


def test_nobody_there_is_one_warning(isolated: Path) -> None:
    """Also on stderr of a run that stopped, before its last line."""
    tickets(isolated / "in.csv", "one", "two")
    with switch() as heard:
        pass
    done = forge(
        "classify", "in.csv", "--provider", "simulated", "--max-requests", "1", "--ping", heard.url
    )
    assert done.code == 6
    told = "--ping: 127.0.0.1 was not told how the run goes: it cannot be reached"
    assert done.err.count(told) == 1
    assert done.last.startswith("forge: stopped: ")


@pytest.mark.parametrize("manner", ["hangs", "trickles"])
def test_a_server_that_does_not_finish_does_not_keep_the_run(manner: str) -> None:
    """Start returns at once, the end after its timeouts; one between bytes is none for all."""
    told: list[str] = []
    with switch(hangs=manner == "hangs", trickles=manner == "trickles") as heard:
        pinger = Pinger(heard.url, warn=told.append, agent="test", timeout_s=0.1)
        pinger.start()
        pinger.end(0, "done")
        assert told == ["--ping: 127.0.0.1 was not told how the run goes: it does not answer"]


@pytest.mark.parametrize(
    "url", ["", "hc-ping.com/x", "ftp://x/y", "http://", "http://a b/", "http://x:y/"]
)
def test_what_is_no_address(isolated: Path, url: str) -> None:
    """Exit 2 before anything is sent; the value is not repeated, it may be a secret."""
    tickets(isolated / "in.csv", "one")
    done = forge("classify", "in.csv", "--ping", url)
    assert done.code == 2
    told = "--ping: give the whole address, such as https://hc-ping.com/UUID"
    assert done.err == f"forge: error: {told}\n"
    assert not (isolated / "in.results.csv").exists()
    assert issubclass(SettingsError, Exception)


def test_a_dry_run_pings_nobody(isolated: Path) -> None:
    """Nothing was run."""
    tickets(isolated / "in.csv", "one")
    with switch() as heard:
        forge("classify", "in.csv", "--dry-run", "--ping", heard.url)
    assert heard.seen == []

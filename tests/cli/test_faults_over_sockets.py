"""`forge classify` against servers that fail in every way, over real sockets and in real time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from running import CANARY, GOOD, Done, always_good, forge, read_csv, ticket_in, tickets
from servers import Reply, Script, ScriptedServer, completion, error

from inference_forge.core.breaker import Breaker

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ("--breaker-recovery", "50ms")
"""The breaker's first pause; it grows to 20 s all the same."""


def classify(server: ScriptedServer | str, *more: object) -> Done:
    """Classify in.csv by a server, or by whoever is at an address."""
    url = server if isinstance(server, str) else server.url
    where = ("--provider", "openai", "--base-url", url, "--model", "m")
    return forge("classify", "in.csv", *where, *more)


def many(path: Path, count: int) -> None:
    """Write distinct tickets."""
    tickets(path / "in.csv", *(f"ticket number {n}" for n in range(count)))


def results(path: Path) -> list[dict[str, str]]:
    """Return the rows that were classified."""
    return read_csv(path / "in.results.csv")


def openings(done: Done) -> int:
    """Return how often the breaker opened, as the summary tells."""
    return int(done.summary.get("provider", "0").rpartition(" ")[2])


class Once:
    """A script with one bad reply to each ticket that is named in it, and good ones after."""

    def __init__(self, faults: dict[str, Reply]) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self.asked: Counter[str] = Counter()

    def __call__(self, _number: int, body: Any) -> Reply:
        """Answer."""
        text = ticket_in(body)
        with self._lock:
            self.asked[text] += 1
            is_first = self.asked[text] == 1
        return self._faults[text] if is_first and text in self._faults else completion(GOOD)


TRANSIENT = {
    "reset in the body": completion(GOOD, resets=True),
    "never answered": Reply(hangs=True),
    "a byte at a time": completion(GOOD, dribble_s=0.02),
    "cut short": completion(GOOD, sent_bytes=40),
    "cut where it is JSON": Reply(body=b'{"choices": []}' + b" " * 50, sent_bytes=15),
    "a page": Reply(body=b"<html>Just a moment</html>"),
    "empty": Reply(body=b""),
    "an error in a 200": Reply(body={"error": {"message": "overloaded", "code": 502}}),
    "no choice": Reply(body={"choices": []}),
    "request timeout": error(408),
    "conflict": error(409),
    "internal": error(500),
    "bad gateway": Reply(status=502, body=b"<html>bad gateway</html>"),
    "unavailable": error(503),
    "gateway timeout": error(504),
}


def test_whatever_breaks_on_the_way_is_tried_again(isolated: Path) -> None:
    """Each ticket at least once more, and none is lost; a whole try has one deadline."""
    tickets(isolated / "in.csv", *TRANSIENT, *(f"plain {n}" for n in range(60)))
    script = Once(TRANSIENT)
    # The breaker has tests of its own: here so many faults are meant to come together.
    flags = ("--timeout", "700ms", "--breaker-failures", "99", "--concurrency", "48", *QUICK)
    with ScriptedServer(script) as server:
        done = classify(server, *flags)
    assert (done.code, done.summary["failed"]) == (0, "0")
    assert len(results(isolated)) == len(TRANSIENT) + 60
    assert min(script.asked[text] for text in TRANSIENT) == 2


def test_a_server_that_is_not_there_yet_is_waited_for(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused connections open the breaker; when somebody listens, all tickets are answered."""
    many(isolated, 30)
    refused = threading.Semaphore(0)
    on_failure = Breaker.on_failure

    def counted(*args: Any, **options: Any) -> None:
        refused.release()
        on_failure(*args, **options)

    monkeypatch.setattr(Breaker, "on_failure", counted)
    servers: list[ScriptedServer] = []
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"

        def listen() -> None:
            for _ in range(10):
                refused.acquire(timeout=20)
            servers.append(ScriptedServer(always_good, listener=bound))

        later = threading.Thread(target=listen)
        later.start()
        done = classify(url, *QUICK)
        later.join()
        with servers[0] as server:
            assert (done.code, len(server.requests)) == (0, 30)
    assert openings(done) == 1
    assert len(results(isolated)) == 30


def test_a_bad_certificate_stops_the_run_before_anything_is_sent(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4 with the reason; the key is not sent, and there is no second way."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    many(isolated, 100)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(always_good, tls=context) as server:
        done = classify(server, "--concurrency", "4")
        assert server.requests == []
        assert 1 <= server.connections <= 4
    assert done.code == 4
    assert "tls_certificate" in done.last
    assert "SSL_CERT_FILE" in done.last
    assert not (isolated / "in.failures.csv").exists()


def test_a_burst_of_500s_opens_the_breaker_and_loses_nothing(isolated: Path) -> None:
    """Eight are under way when it begins, two probes meet the rest of it."""
    many(isolated, 200)

    def script(number: int, _body: object) -> Reply:
        return error(500) if 8 <= number < 18 else completion(GOOD)

    with ScriptedServer(script) as server:
        done = classify(server, "--concurrency", "8", *QUICK)
        assert len(server.requests) == 200 + 10
    assert (done.code, done.summary["failed"]) == (0, "0")
    assert openings(done) == 1
    assert len(results(isolated)) == 200


def test_an_overloaded_server_slows_the_run_and_leaves_the_breaker_alone(isolated: Path) -> None:
    """503 with a wait and 529, more in a row than would open it."""
    many(isolated, 40)
    busy = [error(503, headers={"retry-after-ms": "30"}), error(529)]

    def script(number: int, _body: object) -> Reply:
        return busy[number % 2] if 8 <= number < 18 else completion(GOOD)

    with ScriptedServer(script) as server:
        done = classify(server, "--concurrency", "8", *QUICK)
        assert len(server.requests) == 50
    assert (done.code, done.summary["failed"]) == (0, "0")
    assert done.summary["provider"] == "throttled 10, breaker opened 0"


RETRY_AFTERS = {
    "negative": {"Retry-After": "-5"},
    "not a number": {"Retry-After": "NaN"},
    "infinite": {"Retry-After": "inf"},
    "junk": {"Retry-After": "soon", "Retry-After-Ms": "\x01"},
    "past": {"Retry-After": "Tue, 14 Nov 2023 22:13:20 GMT"},
    "overflow": {"Retry-After": "Tue, 14 Nov 99999999999999999999 22:13:20 GMT"},
    "milliseconds": {"Retry-After-Ms": "20", "Retry-After": "3000"},
    "a date": {
        "Date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "Retry-After": "Tue, 14 Nov 2023 22:13:22 GMT",
    },
}
"""Headers that ask for no wait, for one that nobody can tell, or for a short one."""


@pytest.mark.parametrize("name", RETRY_AFTERS)
def test_no_retry_after_breaks_or_hangs_a_run(isolated: Path, name: str) -> None:
    """What is not understood counts as not said; a date is measured by the server's clock."""
    tickets(isolated / "in.csv", name, "plain")
    script = Once({name: error(429, headers=RETRY_AFTERS[name])})
    began_s = time.monotonic()
    with ScriptedServer(script) as server:
        done = classify(server)
    assert (done.code, script.asked[name]) == (0, 2)
    assert (2.0 if name == "a date" else 0.8) <= time.monotonic() - began_s < 5


def test_thirty_years_are_not_waited_for(isolated: Path) -> None:
    """The run stops at once, with the way to go on, and nothing failed."""
    many(isolated, 5)
    with ScriptedServer(lambda *_: error(429, headers={"Retry-After": "1e9"})) as server:
        done = classify(server)
        assert len(server.requests) <= 5
    assert done.code == 75
    assert "asks to wait 1000000000 s" in done.last
    assert not (isolated / "in.failures.csv").exists()


REFUSALS = {
    "unauthorized": error(401, "invalid_api_key", "no", delay_s=0.2),
    "quota_exhausted": error(429, "insufficient_quota", "no", delay_s=0.2),
    "payment_required": error(402, None, "no", delay_s=0.2),
    "unknown_model": error(404, "model_not_found", "no", delay_s=0.2),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_costs_at_most_as_many_requests_as_are_under_way(
    isolated: Path, reason: str
) -> None:
    """2,000 tickets: exit 4 within 5 s, nothing is marked failed that was not tried."""
    many(isolated, 2000)
    began_s = time.monotonic()
    with ScriptedServer(lambda *_: REFUSALS[reason]) as server:
        done = classify(server)
        assert 1 <= len(server.requests) <= 32
    assert time.monotonic() - began_s < 5
    assert done.code == 4
    assert f"({reason})" in done.last
    assert done.summary["failed"] == "0"
    assert not (isolated / "in.failures.csv").exists()


@pytest.mark.parametrize("status", [400, 422])
def test_when_every_request_is_rejected_twenty_are_enough(isolated: Path, status: int) -> None:
    """Then the request is wrong, and 1,980 tickets are not tried."""
    many(isolated, 2000)
    with ScriptedServer(lambda *_: error(status, "bad", "no", delay_s=0.05)) as server:
        done = classify(server)
        assert len(server.requests) == 20
    assert done.code == 4
    assert "none of the first tickets got an answer" in done.last


@pytest.mark.parametrize("refusal", [error(401), error(403, "invalid_api_key_error", "no")])
def test_a_key_that_is_withdrawn_stops_the_run_in_its_middle(
    isolated: Path, refusal: Reply
) -> None:
    """What was answered is kept, the rest is asked by the same command with a good key."""
    many(isolated, 300)

    def script(number: int, _body: object) -> Reply:
        return refusal if number >= 100 else completion(GOOD, delay_s=0.005)

    with ScriptedServer(script) as server:
        done = classify(server, "--concurrency", "8")
        assert 101 <= len(server.requests) <= 108
    assert (done.code, done.summary["classified"], done.summary["failed"]) == (4, "100", "0")
    assert "(unauthorized)" in done.last
    assert not (isolated / "in.failures.csv").exists()
    with ScriptedServer(always_good) as server:
        assert classify(server).code == 0
        assert len(server.requests) == 200
    assert len(results(isolated)) == 300


HOSTILE = {
    "<script>": (Reply(status=403, body=b"<html>blocked</html>"), "forbidden"),
    "odd": (error(400, "invalid_request_error", "no"), "rejected"),
    "huge": (Reply(status=413), "too_large"),
    "unprocessable": (error(422, None, "no"), "rejected"),
    "too long": (error(400, "context_length_exceeded", "no"), "context_length"),
    "spicy": (error(400, "content_filter", "no"), "filtered"),
}


def test_a_ticket_that_is_refused_fails_alone(isolated: Path) -> None:
    """By a firewall or by the provider, each with its code; all others are classified."""
    tickets(isolated / "in.csv", *(f"plain {n}" for n in range(60)), *HOSTILE)
    asked: Counter[str] = Counter()

    def script(_number: int, body: Any) -> Reply:
        text = ticket_in(body)
        asked[text] += 1
        return HOSTILE[text][0] if text in HOSTILE else completion(GOOD)

    with ScriptedServer(script) as server:
        done = classify(server, "--concurrency", "1")
    assert done.code == 3
    failures = {row["text"]: row["error"] for row in read_csv(isolated / "in.failures.csv")}
    assert failures == {text: code for text, (_, code) in HOSTILE.items()}
    assert {asked[text] for text in HOSTILE} == {1}
    assert len(results(isolated)) == 60


def out_for(duration_s: float, after: int, *, delay_s: float = 0.0) -> Script:
    """Answer `after` requests, then 500 for a while, then well again."""
    ends_s: list[float] = []

    def script(number: int, _body: object) -> Reply:
        if number < after:
            return completion(GOOD, delay_s=0.005)
        if not ends_s:
            ends_s.append(time.monotonic() + duration_s)
        is_out = time.monotonic() < ends_s[0]
        return error(500, delay_s=delay_s) if is_out else completion(GOOD, delay_s=0.005)

    return script


@pytest.mark.parametrize(("concurrency", "delay_s"), [(16, 0.0), (2, 0.2), (1, 0.2)])
def test_an_outage_in_the_middle_fails_no_ticket(
    isolated: Path, concurrency: int, delay_s: float
) -> None:
    """Not every ticket meets it, and the run ends soon after it."""
    many(isolated, 100)
    began_s = time.monotonic()
    with ScriptedServer(out_for(1.0, 50, delay_s=delay_s)) as server:
        done = classify(server, "--concurrency", concurrency, *QUICK)
        met = len(server.requests) - 100
    assert (done.code, done.summary["failed"]) == (0, "0")
    assert len(results(isolated)) == 100
    assert openings(done) == 1
    assert 5 <= met <= 40
    assert time.monotonic() - began_s < 7


@pytest.mark.parametrize("leap_s", [-3600.0, 3600.0])
def test_setting_the_clock_changes_nothing(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, leap_s: float
) -> None:
    """An hour back or forth in the middle of an outage: breaker, limiter, backoff, deadlines."""
    many(isolated, 60)
    real = time.time  # noqa: TID251 - what is set here
    busy = error(429, headers={"Retry-After-Ms": "200"})
    outage = out_for(1.0, 20)
    statuses: list[int] = []

    def script(number: int, body: object) -> Reply:
        reply = outage(number, body)
        is_back = 500 in statuses and reply.status == 200
        if is_back and statuses.count(429) < 3 and statuses[-1] == 200:
            # After a good probe, so that the breaker closes; each 429 is followed by an answer.
            reply = busy
        statuses.append(reply.status)
        return reply

    with ScriptedServer(script) as server:

        def leaping() -> float:
            is_out, is_throttled = statuses.count(500) > 3, 429 in statuses
            return real() + (2 * leap_s if is_throttled else leap_s if is_out else 0.0)

        monkeypatch.setattr(time, "time", leaping)
        began_s = time.monotonic()
        done = classify(server, "--concurrency", "8", "--deadline", "10s", *QUICK)
    assert (done.code, done.summary["failed"]) == (0, "0")
    assert statuses.count(429) == 3
    assert openings(done) == 1
    assert len(results(isolated)) == 60
    assert 1.0 < time.monotonic() - began_s < 6

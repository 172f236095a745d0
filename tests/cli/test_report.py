"""`forge report`: pages about runs, good, torn and hostile."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import tracemalloc
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import orjson
import pytest
from running import GOOD, Done, always_good, forge, tickets
from servers import ScriptedServer, completion, error

from inference_forge.jobs.report.choosing import Choice
from inference_forge.observe.report.charts import charts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium")
SIMULATED = ("--provider", "simulated", "--price-in", "1", "--price-out", "2", "--no-cache")
EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=x>"


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.policy = ""
        self.text = ""
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note tag and attributes."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found.get("content") or ""
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        """Separate texts."""
        self._in_style = False
        self.text += "" if tag == "style" else "|"

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += "" if self._in_style else data


def page(path: str = "page.html") -> Page:
    """Return a page; it runs nothing and asks for nothing, whoever's words are in it."""
    html = Path(path).read_text(encoding="utf-8")
    seen = Page(html)
    assert not seen.tags & {"script", "img", "iframe", "link", "object", "form", "a", "image"}
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert not seen.attributes & {"href", "src", "style", "xlink:href"}
    assert seen.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in seen.policy
    assert "url(" not in html
    assert "@import" not in html
    return seen


def report(*arguments: object) -> Done:
    """Make a page, which must work."""
    done = forge("report", *arguments, "-o", "page.html")
    assert done.code == 0, done.err
    return done


def event(name: str, t_s: float = 0.0, /, **more: Any) -> dict[str, Any]:
    """Return a line of a run named `r-1`."""
    time = "2026-11-21T03:00:00.000+00:00"
    head = {"v": 1, "run_id": "r-1", "seq": 0, "time": time, "t_s": t_s, "event": name, "input": 1}
    return {**head, **more}


def attempt(t_s: float, kind: str = "ok", /, **more: Any) -> dict[str, Any]:
    """Return the end of a request."""
    usual = {"rows": [0], "complexity": "simple", "code": kind, "status": 200, "latency_s": 0.2}
    limits = {"in_flight": 3, "limit": 8, "rate_limit_per_s": None, "endpoint": ""}
    return event("attempt", t_s, kind=kind, **(usual | limits | more))


def ticket(row: int, **more: Any) -> dict[str, Any]:
    """Return the outcome of a row."""
    usual = {
        "row": row, "outcome": "done", "code": "ok", "complexity": "simple", "labels": {},
        "queue_s": 0.1, "took_s": 1.0, "tries": 1,
    }  # fmt: skip
    return event("ticket", 1.0, **(usual | more))


def write(*lines: dict[str, Any], name: str = "e.ndjson") -> None:
    """Write a file of events."""
    Path(name).write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


STARTED = event(
    "run_started", version="0.1.0", provider="p", model="m", fallback=None, inputs=["in.csv"],
    settings={}, fields={"category": ["billing"]},
)  # fmt: skip


@pytest.fixture
def ran(isolated: Path) -> Path:
    """Run with failures, hits and text, and leave its events."""
    texts = [f"my invoice number {n} is wrong" for n in range(8)]
    tickets(isolated / "in.csv", *texts, "", texts[0], "laptop <b>broken</b> & gone")
    done = forge("classify", "in.csv", *SIMULATED, "--events", "e.ndjson", "--events-text")
    assert done.code == 3, done.err
    return isolated


@pytest.mark.usefixtures("ran")
def test_a_page_about_a_run() -> None:
    """Outcome, labels, latency, throughput, cost, failures, slow tickets, inputs, settings."""
    done = report("e.ndjson")
    assert done.err == "forge: report      page.html\n"
    assert done.out == b""
    seen = page().text
    for words in (
        "exit 3 some failed", "simulated/simulated", "in.csv", "|11|rows", "Category", "Priority",
        "Latency of answers", "Requests a second", "Requests under way", "Tokens and cost by lever",
        "saved: coalescing", "empty_text", "row 9", "Slowest tickets",
        "laptop <b>broken</b> & gone", "Settings", "price_in", "at their defaults",
    ):  # fmt: skip
        assert words in seen, words


@pytest.mark.usefixtures("isolated")
def test_without_texts_there_are_row_numbers() -> None:
    """A page holds no more of tickets than the events do."""
    tickets(Path("in.csv"), "xylophone invoice wrong", "")
    forge("classify", "in.csv", *SIMULATED, "--events", "e.ndjson")
    report("e.ndjson")
    seen = page().text
    assert "row 2" in seen
    assert "xylophone" not in Path("page.html").read_text(encoding="utf-8")
    assert "T-2" not in seen
    assert "own words" not in seen


@pytest.mark.usefixtures("isolated")
def test_the_embedded_classifier_sends_nothing() -> None:
    """Its rows a second are shown instead of requests."""
    tickets(Path("in.csv"), *(f"invoice {n} wrong" for n in range(50)))
    forge("classify", "in.csv", "--events", "e.ndjson")
    report("e.ndjson")
    seen = page().text
    assert "Rows a second" in seen
    assert "Requests under way" not in seen
    assert "exit 0: all classified" in seen


@pytest.mark.usefixtures("ran")
def test_a_run_of_the_history(isolated: Path) -> None:
    """Its events are found from any directory, by the beginning of its name."""
    (run,) = [json.loads(line) for line in forge("runs", "--json").out.splitlines()]
    assert run["events"] == str(isolated / "e.ndjson")
    assert f"events      {isolated}/e.ndjson" in forge("runs", run["run_id"]).out.decode()
    assert forge("report", run["run_id"][:12]).code == 0
    page(f"report-{run['run_id']}.html")
    assert run["run_id"] in page(f"report-{run['run_id']}.html").text


def test_a_run_that_left_no_events(isolated: Path) -> None:
    """Is told so, also when its events went elsewhere or are gone."""
    tickets(isolated / "in.csv", "hello")
    for more in ((), ("--events", "-"), ("--events", "/dev/null"), ("--events", "e.ndjson")):
        forge("classify", "in.csv", *more)
    (isolated / "e.ndjson").unlink()
    runs = [json.loads(line)["run_id"] for line in forge("runs", "--json").out.splitlines()]
    for run in runs[:3]:
        done = forge("report", run)
        assert done.code == 2
        assert f"run {run} left no file of events: a report is made of what --events" in done.err
    done = forge("report", runs[3])
    assert done.code == 2
    assert "e.ndjson, which is not there any more; name the file if it was moved" in done.err
    done = forge("report", "nosuchrun")
    assert (done.code, done.err) == (
        2,
        "forge: error: there is no run 'nosuchrun': forge runs lists them\n",
    )


@pytest.mark.usefixtures("isolated")
def test_of_several_runs_the_last() -> None:
    """Or the one that is named, by its beginning too; an ambiguous name is an error."""
    other = {**STARTED, "run_id": "r-2", "model": "other"}
    later = {**attempt(1.0), "run_id": "r-1"}
    write(STARTED, other, later)
    report("e.ndjson")
    assert "Run r-2" in page().text
    report("e.ndjson", "--run", "r-1")
    assert "p/m" in page().text
    done = forge("report", "e.ndjson", "--run", "r")
    assert done.code == 2
    assert "several runs in e.ndjson begin with 'r': r-1, r-2" in done.err
    done = forge("report", "e.ndjson", "--run", "x")
    assert "e.ndjson holds no events of a run 'x'" in done.err
    write(STARTED, {**other, "run_id": "r-12"})
    report("e.ndjson", "--run", "r-1")
    assert "p/m" in page().text


@pytest.mark.usefixtures("ran")
def test_a_torn_stream_is_read_as_far_as_it_goes() -> None:
    """A run that was killed has a page, which says that; figures are those seen so far."""
    whole = Path("e.ndjson").read_bytes()
    lines = whole.splitlines(keepends=True)
    Path("torn.ndjson").write_bytes(b"".join(lines[:-3]) + lines[-1][:50])
    report("torn.ndjson")
    seen = page().text
    assert "no end" in seen
    assert "The events have no end: the run was killed, or goes on" in seen
    assert "1 line was torn or no event, and is left out" in seen
    assert "Of rows that needed a call" in seen
    for size in range(0, len(whole), 997):
        Path("torn.ndjson").write_bytes(whole[:size])
        assert forge("report", "torn.ndjson", "-o", "page.html").code == (
            0 if size >= len(lines[0]) - 1 else 2
        )


@pytest.mark.usefixtures("isolated")
def test_tickets_count_before_progress_tells_of_them() -> None:
    """A run that was killed early has labels, and rows that they belong to."""
    broken = {**ticket(3), "outcome": "failed", "code": "truncated"}
    write(STARTED, ticket(0), ticket(1), ticket(2), broken)
    report("e.ndjson")
    seen = page().text
    for figure in ("4||rows", "3||classified", "1||failed"):
        assert figure in re.sub(r"\|+", "||", seen)
    assert "pending" not in seen.partition("What was found")[0]
    assert "|Failures|" in seen
    told = {"classified": 3, "failed": 1, "cache_hits": 0, "coalesced": 0}
    rows = event("rows", 2.0, input=1, **told, failures={"truncated": 1}, by_complexity={})
    late = event("late_failures", 2.0, input=1, failures={"output": 1})
    write(STARTED, ticket(0), ticket(1), ticket(2), broken, rows, late)
    report("e.ndjson")
    seen = re.sub(r"\|+", "||", page().text)
    for figure in ("4||rows", "2||classified", "2||failed"):
        assert figure in seen


@pytest.mark.usefixtures("isolated")
def test_a_run_without_rows_has_no_empty_heading() -> None:
    """There is nothing to draw of it."""
    write(STARTED)
    report("e.ndjson")
    assert "|Outcome|" not in page().text


@pytest.mark.usefixtures("ran")
def test_names_that_no_file_can_have() -> None:
    """They are told like others that are wrong."""
    long = "x" * 300
    for name in (long, f"{long}.ndjson", f"/{long}"):
        done = forge("report", name)
        assert done.code == 2
        assert "internal error" not in done.err
    done = forge("report", "e.ndjson", "-o", long)
    assert done.code == 5
    assert f"-o {long}: cannot be written: File name too long" in done.err


@pytest.mark.usefixtures("isolated")
def test_a_run_chooses_no_place_for_its_page() -> None:
    """The page is named after the run: what is no run id makes no event."""
    for name in ("x/../../page", "/tmp/page", "a b", "", "x" * 65):  # noqa: S108 - never written
        write({**STARTED, "run_id": name})
        done = forge("report", "e.ndjson")
        assert done.code == 2
        assert "holds no events" in done.err


def test_a_history_that_cannot_be_read(isolated: Path) -> None:
    """It is told like `forge runs` tells it."""
    tickets(isolated / "in.csv", "hello")
    forge("classify", "in.csv", "--events", "e.ndjson")
    path = isolated.parent / "home/.local/state/inference-forge/runs.jsonl"
    path.unlink()
    path.mkdir()
    done = forge("report", "2026")
    assert done.code == 5
    assert "the run history cannot be read: Is a directory" in done.err


@pytest.mark.usefixtures("isolated")
def test_a_file_that_holds_none() -> None:
    """Nothing, other JSON, no JSON, a directory, nothing there: each says what it is."""
    for data in (b"", b"\n\n", b"a,b\n1,2\n", b'{"v": "1"}\n[1]\n3\n', b"\xff\xfe\n"):
        Path("e.ndjson").write_bytes(data)
        done = forge("report", "e.ndjson")
        assert done.code == 2
        assert "holds no events: forge classify --events FILE writes them" in done.err
    assert "cannot be read: Is a directory" in forge("report", ".").err
    assert "cannot be read: No such file" in forge("report", "none.ndjson").err
    assert not list(Path().glob("*.html"))


@pytest.mark.usefixtures("isolated")
def test_a_later_version_is_an_error() -> None:
    """Unless it is that of another run in the file."""
    write(STARTED, {**STARTED, "run_id": "r-2", "v": 2})
    done = forge("report", "e.ndjson")
    assert done.code == 2
    assert "e.ndjson, line 2: events of version 2; this forge reads version 1: update" in done.err
    report("e.ndjson", "--run", "r-1")
    write({**STARTED, "run_id": "r-2", "v": 2}, STARTED, event("of_a_later_release", x=[1]))
    report("e.ndjson")


@pytest.mark.usefixtures("isolated")
def test_hostile_words_stay_words() -> None:
    """Wherever they stand: labels, columns, errors, names, settings, currencies, warnings."""
    failed = ticket(
        1, outcome="failed", code=EVIL, complexity=EVIL, id=EVIL, text=EVIL, detail=EVIL,
        labels={EVIL: EVIL},
    )  # fmt: skip
    stats = {
        "rows": 2, "classified": 1, "failed": 1, "requests": 1, "prompt_tokens": 5,
        "failures": {EVIL: 1}, "labels": {EVIL: {EVIL: 1}}, "calls": {EVIL: 1}, "cost": {EVIL: "1"},
        "endpoints": {EVIL: 1}, "by_complexity": {EVIL: 1},
        "saved": {"cache": {"tokens": 5, "cost": {EVIL: "1"}}},
    }  # fmt: skip
    started = {
        **STARTED, "provider": EVIL, "model": EVIL, "inputs": [EVIL], "fallback": EVIL,
        "version": EVIL, "time": EVIL, "settings": {EVIL: EVIL, "x": [EVIL]}, "fields": {EVIL: []},
    }  # fmt: skip
    write(
        started,
        event("input_started", name=EVIL),
        event("columns", reading=EVIL),
        attempt(0.5, EVIL, status=None),
        event("throttle", 0.6, reason=EVIL, wait_s=3),
        event("breaker", 0.7, before="closed", after=EVIL, wait_s=1, cause=EVIL),
        event("endpoint", 0.8, name=EVIL, state="out", wait_s=1, cause=EVIL),
        event("endpoint", 0.9, name=EVIL, state="paused", wait_s=1, cause=None),
        event("waking", 0.9, name=EVIL, state="waiting", seconds=1),
        event("warning", 0.9, code=EVIL, message=EVIL, is_note=False),
        failed,
        event("input_finished", 2, name=EVIL, results=EVIL, failures=EVIL, pending=EVIL,
              is_stopped=True, stop=EVIL, stats=stats),
        event("run_finished", 3, exit_code=4, stop=EVIL, stats=stats),
    )  # fmt: skip
    report("e.ndjson", "--charts", "charts")
    seen = page()
    assert seen.text.count("alert(1)") > 20
    for path in Path("charts").glob("*.svg"):
        tags = {item.tag.partition("}")[2] for item in ET.parse(path).iter()}  # noqa: S314
        assert tags <= {"svg", "style", "rect", "title", "text", "path", "line"}


WRONG = (None, True, -1, 1e300, "x", [1], {"a": 1}, 10**18)


@pytest.mark.usefixtures("isolated")
def test_lines_that_are_not_as_the_schema_wants_are_left_out(ran: Path) -> None:
    """One field after another wrong, in every kind of line and every way: no internal error."""
    kinds = {}
    for line in (ran / "e.ndjson").read_bytes().splitlines():
        found = orjson.loads(line)
        kinds[found["event"]] = found
    lines = [STARTED]
    for found in kinds.values():
        for name in found:
            if name not in {"v", "run_id"}:
                lines += [{**found, "run_id": "r-1", name: wrong} for wrong in WRONG]
                lines.append({k: v for k, v in {**found, "run_id": "r-1"}.items() if k != name})
    for name in kinds["run_finished"]["stats"]:
        stats = kinds["run_finished"]["stats"]
        for wrong in WRONG:
            broken = {**kinds["run_finished"], "run_id": "r-1", "stats": {**stats, name: wrong}}
            lines.append(broken)
    write(*lines)
    report("e.ndjson")
    assert re.search(r"\d+ lines? (was|were) torn or no event", page().text)


def test_memory_does_not_grow_with_the_run() -> None:
    """Six thousand tickets take what a thousand do; the page is small."""

    def lines(tickets: int) -> Iterator[bytes]:
        yield orjson.dumps(STARTED)
        for n in range(tickets):
            t_s = n / 40
            yield orjson.dumps(attempt(t_s, "ok" if n % 9 else "throttle", latency_s=0.1 + n % 7))
            failed = {"outcome": "failed", "code": f"c{n}"} if n % 3 == 0 else {}
            labels = {"category": f"label {n}"}
            yield orjson.dumps(ticket(n, took_s=float(n % 1000), labels=labels, **failed))
            yield orjson.dumps(event("rows", t_s, classified=1, failed=0, failures={f"c{n}": 1}))
            yield orjson.dumps(event("throttle", t_s, reason="x", wait_s=0.01))
            yield orjson.dumps(event("warning", t_s, code="c", message="m" * 200, is_note=False))
            yield orjson.dumps(event("endpoint", t_s, name=f"e{n}", state="out", wait_s=1))

    def peak(tickets: int) -> int:
        tracemalloc.start()
        run = Choice("x", None).read(lines(tickets))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert run.course.requests == tickets
        assert sum(len(ET.tostring(chart.drawing)) for chart in charts_of(run)) < 150_000
        return found

    small, large = peak(1_000), peak(6_000)
    assert large < small * 1.5


@pytest.mark.usefixtures("isolated")
def test_a_line_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is passed over in pieces."""
    monkeypatch.setattr("inference_forge.adapters.event_lines.MAX_LINE", 1000)
    write(STARTED, event("columns", reading="x" * 5000), attempt(0.5))
    report("e.ndjson")
    assert "1 line was torn or no event" in page().text


@pytest.mark.usefixtures("ran")
def test_where_the_page_goes() -> None:
    """To standard output, or a file; never over the events; what cannot be written is said."""
    before = Path("e.ndjson").read_bytes()
    done = forge("report", "-", "-o", "-", stdin=before)
    assert done.out.startswith(b"<!doctype html>\n<html")
    assert done.err == ""
    done = forge("report", "e.ndjson", "-o", "e.ndjson")
    assert done.code == 2
    assert "-o e.ndjson: these are the events; name another file" in done.err
    assert Path("e.ndjson").read_bytes() == before
    done = forge("report", "e.ndjson", "-o", "none/page.html")
    assert (done.code, "cannot be written: No such file" in done.err) == (5, True)
    done = forge("report", "e.ndjson", "-o", "page.html", "--charts", "in.csv")
    assert (done.code, "--charts in.csv: cannot be written" in done.err) == (5, True)


@pytest.mark.usefixtures("ran")
def test_each_chart_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SVG, and with the extra as PNG; without it a line says how to get that."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    done = report("e.ndjson", "--charts", "a/b")
    assert "SVG only; for PNG too: pip install 'inference-forge[report]'" in done.err
    names = {path.name for path in Path("a/b").iterdir()}
    assert names >= {"outcome.svg", "labels-1.svg", "latency.svg", "throughput.svg", "cost.svg"}
    assert all(name.endswith(".svg") for name in names)


@pytest.mark.usefixtures("ran")
def test_charts_are_pictures_with_the_extra() -> None:
    """As many as drawings."""
    pytest.importorskip("vl_convert")
    done = report("e.ndjson", "--charts", "charts")
    assert "SVG only" not in done.err
    pictures = list(Path("charts").glob("*.png"))
    assert len(pictures) == len(list(Path("charts").glob("*.svg"))) > 5
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


@pytest.mark.usefixtures("isolated")
def test_waits_are_drawn() -> None:
    """Breaker, throttles and several servers, also those that last until the end."""
    script = iter([error(503, "x", "down")] * 6)

    def answer(_number: int, _body: Any) -> Any:
        return next(script, None) or completion(GOOD)

    tickets(Path("in.csv"), *(f"invoice {n} wrong" for n in range(12)))
    with ScriptedServer(answer) as server:
        ask = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        forge("classify", "in.csv", *ask, "--events", "e.ndjson")
    report("e.ndjson")
    seen = page().text
    assert "Breaker and throttle" in seen
    assert "open or out: nothing is sent" in seen
    assert re.search(r"Waits over time: breaker open [1-9] times", seen)


@contextmanager
def canary() -> Iterator[tuple[int, list[str]]]:
    """Serve on loopback and yield port and paths that were asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.timeout(180)
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian package chromium)")
@pytest.mark.usefixtures("isolated")
def test_a_browser_shows_it_without_a_word_or_a_request(isolated: Path) -> None:
    """No message on its console, nothing asked for, nothing run."""
    assert CHROMIUM is not None
    with canary() as (port, asked):
        evil = (
            f"<img src=http://127.0.0.1:{port}/img><script src=http://127.0.0.1:{port}/js></script>"
        )
        tickets(isolated / "in.csv", *(f"invoice {n} {evil}" for n in range(9)), evil, "")
        with ScriptedServer(always_good) as server:
            ask = ("--provider", "openai", "--base-url", server.url, "--model", "m")
            forge("classify", "in.csv", *ask, "--events", "e.ndjson", "--events-text")
        report("e.ndjson")
        dumped = subprocess.run(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                "--no-first-run", "--disable-background-networking", "--log-net-log=net.json",
                f"--user-data-dir={isolated.parent / 'profile'}", "--dump-dom",
                (isolated / "page.html").as_uri(),
            ],
            capture_output=True, check=True, timeout=150,
        )  # fmt: skip
    assert b"CONSOLE" not in dumped.stderr
    assert asked == []
    dom = dumped.stdout.decode()
    assert "Slowest tickets" in dom
    assert "<script" not in dom
    assert "<img" not in dom
    net = (isolated / "net.json").read_text(encoding="utf-8", errors="replace")
    assert f"127.0.0.1:{port}" not in net


def test_what_may_be_billed_too_is_told_everywhere(isolated: Path) -> None:
    """A connection that breaks: summary, figures, events, page and history agree."""
    tickets(isolated / "in.csv", *(f"invoice {n} is wrong" for n in range(40)))
    plan = ("--simulation", "latency=0,reset_rate=0.1,seed=3")
    outlets = ("--events", "e.ndjson", "--summary-json", "s.json")
    done = forge("classify", "in.csv", *SIMULATED, *plan, *outlets)
    lines = [orjson.loads(line) for line in Path("e.ndjson").read_bytes().splitlines()]
    tries = [line for line in lines if line["event"] == "attempt"]
    lost = [line["unsettled_tokens"] for line in tries if line["kind"] != "ok"]
    assert 1 < len(lost) < len(tries)
    assert all(tokens > 0 for tokens in lost)
    told = {"unsettled_requests": len(lost), "unsettled_tokens": sum(lost)}
    for stats in (orjson.loads(Path("s.json").read_bytes())["stats"], lines[-1]["stats"]):
        assert told.items() <= stats.items()
    words = f"{len(lost)} requests without an answer may be billed too: ~{sum(lost):,} tokens in"
    assert done.summary["unsettled"] == words
    assert words in forge("runs", "show", lines[0]["run_id"]).out.decode()
    for stream in ("e.ndjson", "torn.ndjson"):
        Path("torn.ndjson").write_bytes(b"".join(orjson.dumps(ln) + b"\n" for ln in lines[:-2]))
        report(stream)
        assert words in page().text
        assert f"{len(lost)} (~{sum(lost):,} tokens)" in page().text

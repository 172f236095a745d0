"""Progress on stderr: plain lines off a terminal, a bar on one."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from running import GOOD, forge, tickets
from servers import Reply, ScriptedServer, completion, error
from terminal import on_terminal

from inference_forge.cli.display import NoticeLines, PlainLines, notice_of
from inference_forge.events import (
    BreakerChanged,
    ColumnsRecognised,
    DispatchPaused,
    RowsRead,
    RowsResolved,
    TicketsQueued,
    TryFinished,
    Warned,
)
from inference_forge.models import Complexity
from inference_forge.observe.tally import Tally

if TYPE_CHECKING:
    from pathlib import Path

CSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    """A clock that a test turns."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def running_tally(clock: Clock) -> Tally:
    """Return the tally of a run that has read 40 of about 400 rows and resolved 30."""
    tally = Tally(clock, began_s=clock.now_s)
    tally.on_event(RowsRead(40, is_end=False, bytes_read=100, bytes_total=1000))
    tally.on_event(TicketsQueued({Complexity.SIMPLE: 20}))
    tally.on_event(
        TryFinished(Complexity.SIMPLE, "ok", "ok", latency_s=0.5, status=200, in_flight=1, limit=8)
    )
    tally.on_event(
        RowsResolved(
            classified=28,
            failed=2,
            cache_hits=15,
            coalesced=5,
            by_complexity={Complexity.SIMPLE: 30},
            failures={"rejected": 2},
        )
    )
    return tally


def test_a_plain_line_comes_every_10_s() -> None:
    """Ticks in between print nothing; the line has count, rate, cached, failed and ETA."""
    clock, out = Clock(), io.StringIO()
    lines = PlainLines(out, running_tally(clock))
    for _ in range(40):
        clock.now_s += 0.5
        lines.tick()
    first, second = out.getvalue().splitlines()
    assert first == "forge: 30/~400 rows, 3/s, 20 cached, 2 failed, ETA 15.8 s"
    assert second.startswith("forge: 30/~400 rows, 2/s, ")


def test_an_open_breaker_shows_in_the_line() -> None:
    """Who wonders why nothing moves finds the reason."""
    clock, out = Clock(), io.StringIO()
    tally = running_tally(clock)
    tally.on_event(BreakerChanged("closed", "half_open", 0))
    lines = PlainLines(out, tally)
    clock.now_s += 10
    lines.tick()
    assert "breaker half-open" in out.getvalue()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Warned("c", "careful"), "warning: careful"),
        (Warned("c", "by the way", is_note=True), "by the way"),
        (ColumnsRecognised("text = A"), "text = A"),
        (ColumnsRecognised(""), None),
        (
            BreakerChanged("closed", "open", 7.5),
            "the provider fails; pausing 7.5 s before a probe",
        ),
        (
            BreakerChanged("closed", "open", 5, "down", 900),
            (
                "the provider fails (down); pausing 5.0 s before a probe; "
                "ending after 15 min 00 s without an answer (--outage-budget)"
            ),
        ),
        (
            BreakerChanged("half_open", "open", 7.5, "down", 900),
            "the provider fails (down); pausing 7.5 s before a probe",
        ),
        (BreakerChanged("half_open", "closed", 0), "the provider answers again; going on"),
        (BreakerChanged("open", "half_open", 0), None),
        (DispatchPaused("rate", 90), "the provider asks to wait 1 min 30 s (rate)"),
        (DispatchPaused("rate", 2), None),
        (RowsResolved(), None),
    ],
)
def test_what_deserves_a_line(event: object, line: str | None) -> None:
    """Notices are few: warnings, the columns, and what makes the run stand still."""
    assert notice_of(event) == line  # type: ignore[arg-type]


def test_quiet_lines_are_warnings_only() -> None:
    """Notes and pauses are left out, and there is no progress."""
    out = io.StringIO()
    lines = NoticeLines(out)
    lines.on_event(Warned("a", "note", is_note=True))
    lines.on_event(BreakerChanged("closed", "open", 5))
    lines.on_event(Warned("b", "evil\x1b[2J\nline"))
    lines.tick()
    assert out.getvalue() == "forge: warning: evil\ufffd[2J line\n"


def test_a_stderr_that_breaks_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing fails, the run does not."""

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("inference_forge.cli.streams.silence_stderr", lambda: None)
    NoticeLines(Full()).on_event(Warned("a", "b"))


def test_quiet_and_progress_none(isolated: Path) -> None:
    """--quiet says nothing in a good run; --progress none keeps the summary."""
    tickets(isolated / "in.csv", "hello")
    done = forge("classify", "in.csv", "--quiet")
    assert (done.code, done.err) == (0, "")
    done = forge("classify", "in.csv", "--progress", "none")
    assert done.lines[0].startswith("rows ")
    done = forge("classify", "in.csv", "-q", "--failures", isolated)
    assert done.err.startswith("forge: error: ")


def test_rich_can_be_asked_for_off_a_terminal(isolated: Path) -> None:
    """--progress rich into a file draws no bar, because there is nothing to redraw."""
    tickets(isolated / "in.csv", "hello")
    done = forge("classify", "in.csv", "--progress", "rich")
    assert done.code == 0
    assert "\x1b" not in done.err
    assert "text = text; id = id" in done.lines


def test_the_bar_shows_the_run_and_nothing_of_the_tickets(isolated: Path) -> None:
    """Done and total, rate, cached, failed, ETA; a hostile ticket cannot reach the terminal."""
    hostile = "\x1b]52;c;ZXZpbA==\x07\x9b2J[/red][bold]\u202e"
    tickets(isolated / "in.csv", *(f"{hostile} {n % 70}" for n in range(90)), "refused")

    def script(n: int, body: object) -> Reply:
        if "refused" in str(body):
            return error(400, "bad", hostile)
        return completion({**GOOD, "summary": hostile}, delay_s=0.0 if n < 20 else 0.15)

    with ScriptedServer(script) as server:
        where = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        code, shown = on_terminal("classify", "in.csv", *where)
    assert code == 3
    text = CSI.sub("", shown)
    assert re.search(r"[1-9]\d*/91 rows  \d+/s  ETA [\d.]+ m?s", text)
    assert re.search(r"1 failed  \d+/\d+ in flight  \d+ cached", text)
    assert re.search(r"simple [1-9]\d*/\d\d", text)
    assert re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text) is None
    assert "\x1b]" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "forge: failures    in.failures.csv\r\n" in shown


def test_a_narrow_terminal_without_colour(isolated: Path) -> None:
    """NO_COLOR draws without colour; at 30 columns no redrawn line wraps; Ctrl-C tidies up."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(200)))
    with ScriptedServer(lambda *_: completion(GOOD, delay_s=0.1)) as server:
        where = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        code, shown = on_terminal(
            "classify",
            "in.csv",
            *where,
            columns=30,
            stop_after=r"[1-9]\d*/200 rows",
            environ={"NO_COLOR": "1"},
        )
    assert code == 130
    assert re.search(r"\x1b\[[0-9;]*3[0-7]m", shown) is None
    bars = [line for line in re.split(r"[\r\n]+", CSI.sub("", shown)) if "/200 rows" in line]
    assert bars
    assert max(map(len, bars)) <= 30
    assert "\x1b[?25h" in shown
    assert "forge: stopped by SIGINT; " in shown


def test_the_cursor_comes_back_after_an_error(isolated: Path) -> None:
    """A run that cannot begin leaves the terminal as it was."""
    tickets(isolated / "in.csv", "hello")
    code, shown = on_terminal("classify", "in.csv", "--text-column", "nope")
    assert code == 2
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert shown.rstrip().endswith("The input has: 'id', 'text'.")


def test_a_dumb_terminal_gets_plain_lines(isolated: Path) -> None:
    """TERM=dumb: no control characters but line ends."""
    tickets(isolated / "in.csv", "hello")
    code, shown = on_terminal("classify", "in.csv", environ={"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in shown

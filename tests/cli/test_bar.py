"""The lines at the end of a terminal, on terminals that are not there."""

from __future__ import annotations

import io
import re
from decimal import Decimal

import pytest
from rich.cells import cell_len

from inference_forge.cli import bar
from inference_forge.cli.bar import RichBar, bar_lines, fitted
from inference_forge.events import (
    BatchStarted,
    BreakerChanged,
    CallSpared,
    RowsRead,
    RowsResolved,
    RunFinished,
    TicketFinished,
    TicketsQueued,
    TryFinished,
    WakingBegan,
    Warned,
)
from inference_forge.models import Complexity, Money, Spending, Usage
from inference_forge.observe.tally import Tally

MANY = 1_234_567


def busy() -> Tally:
    """Return the tally of a large run in which everything is going on at once."""
    now_s = 100.0
    tally = Tally(lambda: now_s, began_s=0.0)
    tally.on_event(RowsRead(9 * MANY, is_end=True, bytes_read=9, bytes_total=9))
    tally.on_event(TicketsQueued({Complexity.SIMPLE: 70, Complexity.COMPLEX: 30}))
    tally.on_event(BatchStarted(1, Complexity.SIMPLE, 50))
    tally.on_event(
        TryFinished(Complexity.SIMPLE, "ok", "ok", 0.5, 200, in_flight=1_023, limit=1_024)
    )
    spent = Spending(Usage(1_000, 100), Money(Decimal("1234.5678"), "USD"))
    tally.on_event(TicketFinished(Complexity.SIMPLE, "ok", spent))
    tally.on_event(CallSpared(Complexity.SIMPLE))
    tally.on_event(
        RowsResolved(
            classified=MANY,
            failed=MANY,
            cache_hits=MANY,
            coalesced=MANY,
            by_complexity={Complexity.SIMPLE: MANY},
        )
    )
    tally.on_event(BreakerChanged("closed", "half_open", 0))
    return tally


@pytest.mark.parametrize("columns", [1, 2, 10, 20, 30, 40, 60, 79, 80, 81, 120, 300])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(columns: int) -> None:
    """What does not fit is left out whole, the least important first."""
    tally = busy()
    whole = {text for line in bar_lines(tally, "", 10_000) for text in line.plain.split("  ")}
    for line in bar_lines(tally, "", columns):
        assert line.cell_len < max(columns, 2)
        assert {text for text in line.plain.split("  ") if "─" not in text} <= whole


def test_all_figures_at_80_columns() -> None:
    """Done of all, rate, time left; failures, breaker, requests, cache, money; by complexity."""
    tally = busy()
    tally.breaker = "closed"
    first, second, third = (line.plain for line in bar_lines(tally, "", 80))
    assert first.endswith("  2,469,134/11,111,103 rows  24,691/s") or "ETA" in first
    assert second == (
        "1,234,567 failed  1,023/1,024 in flight  1,234,567 cached  1,234,567 coalesced"
    )
    assert third == "simple 1,234,567/1,234,635  complex 0/30"
    assert "1,234.57 USD" in bar_lines(tally, "", 120)[1].plain


def test_an_open_breaker_and_a_sleeping_server_come_early() -> None:
    """They say why nothing moves."""
    tally = busy()
    tally.on_event(WakingBegan("api.example", 60, "503"))
    shown = bar_lines(tally, "", 120)[1].plain
    assert shown.startswith(
        "1,234,567 failed  breaker half-open  waiting for api.example to wake, 0 ms of 1 min"
    )
    assert "breaker half-open" in bar_lines(tally, "", 40)[1].plain


def test_wide_names_are_cut_by_cells() -> None:
    """A character of two cells counts as two; nothing of the name acts on the terminal."""
    lines = bar_lines(busy(), "チケット一覧\x1b[2J.csv" * 9, 40)
    assert cell_len(lines[0].plain) <= 39
    assert lines[0].plain.endswith("…")
    assert "\x1b" not in lines[0].plain
    assert fitted(["チケット", "x"], 8) == "チケット"
    assert fitted(["チケット", "x"], 7) == "x"


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Give Rich a terminal of 80 columns."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


def test_lines_are_redrawn_in_place(screen: Terminal) -> None:
    """Each row that was drawn is erased first; the cursor is hidden until the end."""
    shown = RichBar(busy(), stream=screen)
    shown.tick()
    before = screen.tell()
    shown.tick()
    again = screen.getvalue()[before:]
    assert again.startswith("\r\x1b[2K" + "\x1b[1A\x1b[2K" * 3)
    assert again.count("\x1b[1A") == 3
    shown.close()
    shown.close()
    text = screen.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert text.endswith("\x1b[?25h")
    shown.tick()
    shown.on_event(Warned("c", "late"))
    assert screen.getvalue()[len(text) :].count("rows") == 0


def test_a_narrower_terminal_has_wrapped_what_was_drawn(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows that the lines take by now are erased, and the new lines fit."""
    shown = RichBar(busy(), stream=screen)
    shown.tick()
    drawn = [line.cell_len for line in bar_lines(busy(), "", 80)]
    before = screen.tell()
    monkeypatch.setattr(type(shown._console), "width", 40)
    shown.tick()
    rows = sum(-(-cells // 40) for cells in drawn)
    assert screen.getvalue()[before:].count("\x1b[1A") == rows > 3


def test_a_notice_stands_above(screen: Terminal) -> None:
    """The lines follow it, in one write; a run's end removes them."""
    shown = RichBar(busy(), stream=screen)
    shown.tick()
    before = screen.tell()
    shown.on_event(Warned("c", "careful"))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()[before:])
    assert text.index("forge: warning: careful\n") < text.index("rows")
    shown.on_event(RunFinished(1.0, 1, 1, 0, None))
    assert screen.getvalue().endswith("\x1b[?25h")


def test_an_echoed_ctrl_c_is_wiped_away(screen: Terminal) -> None:
    """What the terminal wrote behind the lines neither stays nor moves what comes next."""
    shown = RichBar(busy(), stream=screen)
    shown.tick()
    before = screen.tell()
    shown.on_event(Warned("c", "SIGINT"))
    assert screen.getvalue()[before:].startswith("\r\x1b[2K\x1b[1A")


def test_each_redraw_is_one_write(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be seen half drawn: that would flicker."""
    shown = RichBar(busy(), stream=screen)
    shown.tick()
    writes: list[str] = []
    monkeypatch.setattr(screen, "write", writes.append)
    shown.tick()
    assert len([text for text in writes if text]) == 1
    assert bar.GAP in writes[0]

"""The bar on a terminal: a few lines at its end that are redrawn in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TextIO

from inference_forge.cli.display import notice_of
from inference_forge.cli.streams import tolerated
from inference_forge.cli.wording import cost_in_words
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration
from inference_forge.events import RunFinished, Warned
from inference_forge.models import Complexity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from inference_forge.events import Event
    from inference_forge.observe.tally import Tally

WIDE: Final = 60
"""Columns from which there is room for a long bar."""

BAR_CELLS: Final = (10, 24)
GAP: Final = "  "
_FULL: Final = "━"
_EMPTY: Final = "─"


def first_parts(tally: Tally) -> list[str]:
    """Return what is beside the bar, most important first."""
    total = "" if tally.total is None else f"/{'' if tally.is_total_exact else '~'}{tally.total:,}"
    parts = [f"{tally.done:,}{total} rows", f"{tally.rate_per_s:,.0f}/s"]
    left_s = tally.left_s()
    if left_s is not None and tally.total != tally.done:
        parts.append(f"ETA {duration(left_s)}")
    return parts


def second_parts(tally: Tally) -> list[str]:
    """Return what is below, most important first; the breaker only when it is not closed."""
    parts = [f"{tally.failed:,} failed"]
    if tally.breaker != "closed":
        parts.append(f"breaker {tally.breaker.replace('_', '-')}")
    for name, (waking, began_s) in tally.waking.items():
        waited = duration(tally.clock() - began_s)
        parts.append(f"waiting for {name} to wake, {waited} of {duration(waking.budget_s)}")
    if tally.limit:
        parts.append(f"{tally.in_flight:,}/{tally.limit:,} in flight")
    parts.append(f"{tally.cache_hits:,} cached")
    if tally.coalesced:
        parts.append(f"{tally.coalesced:,} coalesced")
    if tally.cost:
        parts.append(cost_in_words(tally))
    return parts


def third_parts(tally: Tally) -> list[str]:
    """Return how many rows of each complexity are done, of those that were seen."""
    parts = []
    for complexity in Complexity:
        done = tally.by_complexity[complexity]
        seen = done + max(0, tally.waiting[complexity] + tally.under_way[complexity])
        if seen:
            parts.append(f"{complexity.value} {done:,}/{seen:,}")
    return parts


def bar_lines(tally: Tally, heading: str, columns: int) -> list[Text]:
    """Return the lines to draw; none is wider than the terminal, none cuts a figure.

    Arguments:
        tally: what to show.
        heading: stands above; empty for none.
        columns: of the terminal.
    """
    from rich.text import Text  # noqa: PLC0415 - only a terminal pays for it

    # The last column stays free: some terminals wrap as soon as it is filled.
    room = max(1, columns - 1)
    lines = []
    if heading:
        above = Text(safe_line(heading), "bold")
        above.truncate(room, overflow="ellipsis")
        lines.append(above)
    first = first_parts(tally)
    cells = BAR_CELLS[columns >= WIDE]
    bar = _bar(tally, cells)
    words = fitted(first, room - cells - len(GAP))
    if words and words == fitted(first, room):
        lines.append(Text.assemble(*bar, GAP, words))
    elif figures := fitted(first, room):
        # They say more than a bar does.
        lines.append(Text(figures))
    lines += [
        Text(words) for parts in (second_parts(tally), third_parts(tally))
        if (words := fitted(parts, room))
    ]  # fmt: skip
    return lines


def fitted(parts: Sequence[str], room: int) -> str:
    """Return the parts that fit into so many cells; one that does not is left out whole."""
    from rich.cells import cell_len  # noqa: PLC0415 - only a terminal pays for it

    line = ""
    for part in parts:
        longer = f"{line}{GAP}{part}" if line else part
        if cell_len(longer) <= room:
            line = longer
    return line


def _bar(tally: Tally, cells: int) -> tuple[tuple[str, str], tuple[str, str]]:
    share = min(1.0, tally.done / tally.total) if tally.total else 0.0
    full = int(share * cells)
    return (_FULL * full, "green"), (_EMPTY * (cells - full), "bright_black")


class RichBar:
    """Lines that are redrawn in place, notices above them.

    Arguments:
        tally: what to show.
        heading: shown above the figures.
        stream: the terminal; None for stderr.
    """

    def __init__(self, tally: Tally, heading: str = "", stream: TextIO | None = None) -> None:
        # Rich takes a while to load: only a terminal pays for it.
        from rich.console import Console  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        self._text = Text
        self._tally = tally
        self._heading = heading
        self._console = Console(
            file=stream, stderr=True, markup=False, highlight=False, emoji=False
        )
        self._drawn: list[int] = []
        self._is_closed = not self._console.is_terminal
        if not self._is_closed:
            with tolerated():
                self._console.show_cursor(show=False)

    def on_event(self, event: Event) -> None:
        """Print a notice above the lines when `event` deserves one; end with the run."""
        if isinstance(event, RunFinished):
            self.close()
        elif (line := notice_of(event)) is not None:
            style = "yellow" if isinstance(event, Warned) and not event.is_note else "dim"
            with tolerated(), self._console:
                self._erase()
                # Wrapped by the terminal, so that a copied line is whole.
                notice = self._text(f"forge: {safe_line(line)}", style)
                self._console.print(notice, soft_wrap=True)
                self._draw()

    def tick(self) -> None:
        """Redraw, in one write."""
        with tolerated(), self._console:
            self._erase()
            self._draw()

    def close(self) -> None:
        """Remove the lines and show the cursor again; idempotent."""
        if self._is_closed:
            return
        with tolerated(), self._console:
            self._erase()
            self._console.show_cursor()
        self._is_closed = True

    def _draw(self) -> None:
        if self._is_closed:
            return
        lines = bar_lines(self._tally, self._heading, self._console.width)
        for line in lines:
            self._console.print(line, soft_wrap=True)
        self._drawn = [line.cell_len for line in lines]

    def _erase(self) -> None:
        """Remove what was drawn; a terminal that is narrower by now has wrapped it."""
        from rich.control import Control  # noqa: PLC0415
        from rich.segment import ControlType  # noqa: PLC0415

        columns = max(1, self._console.width)
        rows = sum(max(1, -(-cells // columns)) for cells in self._drawn)
        if self._drawn:
            # The terminal echoes ^C behind the last line: what comes next would begin beside it.
            back = ControlType.CARRIAGE_RETURN
            self._console.control(Control(back, (ControlType.ERASE_IN_LINE, 2)))
        self._drawn = []
        for _ in range(rows):
            up, erase = (ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)
            self._console.control(Control(up, erase))

"""Two past runs side by side."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from inference_forge.cli.runs_details import cost_of, ending_of, inputs_of, local_time
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app import PastRun

_WIDTH: Final = 40


class Change(NamedTuple):
    """A fact of both runs, and how it changed; empty for not, or where that says nothing."""

    name: str
    before: str
    after: str
    change: str


def changes(one: PastRun, other: PastRun) -> list[Change]:
    """Return the facts of two runs."""
    texts = [
        _text(name, *pair) for name, *pair in zip(_NAMES, _texts(one), _texts(other), strict=True)
    ]
    return texts + _figures(one, other)


_NAMES: Final = ("run", "started", "input", "model", "version", "exit")


def _texts(run: PastRun) -> tuple[str, ...]:
    record = run.record
    model = f"{record.provider}/{record.model}"
    started = local_time(record.started_at)
    return record.run_id, started, inputs_of(record), model, record.version, ending_of(run)


def _text(name: str, before: str, after: str) -> Change:
    is_told = name not in {"run", "started"} and before != after
    return Change(name, before, after, "changed" if is_told else "")


def _figures(one: PastRun, other: PastRun) -> list[Change]:
    first, second = one.record.counts, other.record.counts
    found = [
        _figure("rows", first.read, second.read),
        _figure("classified", first.classified, second.classified),
        _figure("failed", first.failed, second.failed),
        _figure("pending", first.pending, second.pending),
        _figure("cache hits", first.cache_hits, second.cache_hits),
        _figure("coalesced", first.coalesced, second.coalesced),
        _figure("requests", first.requests, second.requests),
        _figure("tokens in", first.prompt_tokens, second.prompt_tokens),
        _figure("tokens out", first.completion_tokens, second.completion_tokens),
    ]
    currencies = sorted({*first.cost, *second.cost})
    is_one = len(currencies) == 1 and not (first.has_unknown_cost or second.has_unknown_cost)
    amounts = [
        Decimal(counts.cost.get(c, "0")) for counts in (first, second) for c in currencies[:1]
    ]
    change = _change(float(amounts[0]), float(amounts[1])) if is_one else ""
    found.append(Change("cost", cost_of(first), cost_of(second), change))
    before, after = one.record.duration_s, other.record.duration_s
    if before is not None and after is not None:
        found.append(Change("time", duration(before), duration(after), _change(before, after)))
        rates = [
            _rate(counts.classified + counts.failed, s)
            for counts, s in ((first, before), (second, after))
        ]
        words = [f"{rate:,.1f}" for rate in rates]
        found.append(Change("rows/s", words[0], words[1], _change(*rates)))
    return found


def _rate(done: int, seconds: float) -> float:
    return done / seconds if seconds else 0.0


def _figure(name: str, before: int, after: int) -> Change:
    return Change(name, f"{before:,}", f"{after:,}", _change(before, after))


def _change(before: float, after: float) -> str:
    """Return by how much a figure changed, in per cent of what it was."""
    if before == after:
        return ""
    return f"{(after - before) / before:+.1%}" if before else "new"


def table(found: Sequence[Change]) -> list[str]:
    """Return the facts as lines."""
    rows = [Change("", "BEFORE", "AFTER", "CHANGE"), *found]
    cells = [tuple(safe_line(cell, _WIDTH) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]

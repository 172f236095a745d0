"""What several inputs came to together: the last words of a run over more than one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.cli.runs_details import cost_of
from inference_forge.cli.streams import tell_people, used_log
from inference_forge.core.wording import duration
from inference_forge.levels import LogLevel
from inference_forge.observe.history import Counts, counts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app import InputResult


def tell_total(results: Sequence[InputResult]) -> None:
    """Print what several inputs came to; of one its summary says it all.

    Arguments:
        results: of all inputs that were begun, in their order.
    """
    if len(results) == 1:
        return
    rows = total_rows(results)
    tell_people(f"--- {len(results):,} inputs together")
    for name, value in rows:
        tell_people(f"{name:<10}  {value}")
    if (log := used_log()) is not None:
        facts = {name.replace(" ", "_"): value for name, value in rows}
        log.tell(LogLevel.INFO, "total", inputs=len(results), **facts)


def total_rows(results: Sequence[InputResult]) -> list[tuple[str, str]]:
    """Return the facts of the total, by name."""
    total = Counts()
    for result in results:
        total += counts_of(result.tally, pending=result.counts.pending, saved=result.savings)
    seconds = sum(_seconds(result) for result in results)
    done = total.classified + total.failed
    failing = sum(result.tally.failed > 0 for result in results)
    where = f" (in {failing:,} of {len(results):,} inputs)" if total.failed else ""
    tokens = total.prompt_tokens + total.completion_tokens
    return [
        ("rows", f"{total.read:,}"),
        ("classified", f"{total.classified:,}"),
        ("failed", f"{total.failed:,}{where}"),
        *([("pending", f"{total.pending:,}")] if total.pending else []),
        ("cache hits", f"{total.cache_hits:,}"),
        ("requests", f"{total.requests:,}"),
        ("tokens", f"{tokens:,} ({total.prompt_tokens:,} in)"),
        ("cost", cost_of(total)),
        ("time", f"{duration(seconds)}, {done / seconds if seconds else 0.0:,.0f} rows/s"),
    ]


def _seconds(result: InputResult) -> float:
    """Return how long an input took; one comes after the other."""
    tally = result.tally
    return tally.finished.duration_s if tally.finished else tally.elapsed_s

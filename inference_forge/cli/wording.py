"""Numbers and summaries in words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from inference_forge.core.wording import duration, money, unsettled
from inference_forge.errors import Interrupted, TryLater
from inference_forge.models import Complexity
from inference_forge.settings import Cleaning, Redaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.app import InputResult
    from inference_forge.core.savings import Savings, Spared
    from inference_forge.models import Money, Usage
    from inference_forge.observe.tally import Tally

MAX_ENDPOINTS: Final = 8
"""So many servers or keys are named in the summary."""

MAX_CODES: Final = 5
"""So many codes of failures are named there."""

LINE: Final = 80 - len("forge: ") - 12
"""Cells for a fact of the summary on a terminal of 80 columns: so it fits a screen."""

WORTH_PACKING: Final = 0.3
"""Share of the bill from which a hint is worth a line."""


def progress_parts(tally: Tally) -> list[str]:
    """Return what a progress line shows, most important first."""
    total = "" if tally.total is None else f"/{'' if tally.is_total_exact else '~'}{tally.total:,}"
    parts = [f"{tally.done:,}{total} rows", f"{tally.rate_per_s:,.0f}/s"]
    if tally.cache_hits + tally.coalesced:
        parts.append(f"{tally.cache_hits + tally.coalesced:,} cached")
    parts.append(f"{tally.failed:,} failed")
    if tally.breaker != "closed":
        parts.append(f"breaker {tally.breaker.replace('_', '-')}")
    for name, (waking, began_s) in tally.waking.items():
        waited = duration(tally.clock() - began_s)
        parts.append(f"waiting for {name} to wake, {waited} of {duration(waking.budget_s)}")
    left_s = tally.left_s()
    if left_s is not None and tally.total != tally.done:
        parts.append(f"ETA {duration(left_s)}")
    return parts


def cost_in_words(tally: Tally) -> str:
    """Return the bill, saying so when a part of it is unknown or estimated."""
    if not tally.tries or not tally.usage.total_tokens:
        return "0"
    known = " + ".join(money(amount, currency) for currency, amount in tally.cost.items())
    if not known:
        return "unknown (no price for this model)"
    if tally.has_unknown_cost:
        known += " + unknown"
    return f"{known} (estimate)" if tally.usage.is_estimate else known


def tokens_in_words(usage: Usage) -> str:
    """Return the tokens that answers took, saying so when a part of them was not reported."""
    estimate = ", in part an estimate" if usage.is_estimate else ""
    return f"{usage.total_tokens:,} ({usage.prompt_tokens:,} in{estimate})"


def failed_in_words(tally: Tally) -> str:
    """Return how many rows failed, and the most frequent codes that fit a line of 80 columns."""
    codes = [f"{code} {number:,}" for code, number in tally.failures.most_common(MAX_CODES)]
    while codes:
        more = len(tally.failures) - len(codes)
        shown = ", ".join([*codes, *([f"{more} more"] if more else [])])
        words = f"{tally.failed:,} ({shown})"
        if len(words) <= LINE:
            return words
        codes.pop()
    return f"{tally.failed:,}"


def endpoints_in_words(requests: Mapping[str, int]) -> str:
    """Return how many requests each of several servers or keys got."""
    names = list(requests)
    words = ""
    for number in range(min(len(names), MAX_ENDPOINTS), 0, -1):
        shown = ", ".join(f"{name} {requests[name]:,}" for name in names[:number])
        more = len(names) - number
        words = f"{shown} and {more} more" if more else shown
        if len(words) <= LINE or number == 1:
            break
    return words


def changes_in_words(changes: Mapping[str, int]) -> str:
    """Return what was done to texts before they were sent, from `events.TextsChanged`."""
    parts = []
    for total, kinds in _CHANGES.items():
        if changes.get(total):
            found = ", ".join(f"{kind} {changes[kind]:,}" for kind in kinds if changes.get(kind))
            parts.append(f"{changes[total]:,} {total}" + (f" ({found})" if found else ""))
    number, _, rest = ", ".join(parts).partition(" ")
    return f"{number} text{'' if number == '1' else 's'} {rest}"


_CHANGES: Final = {"cleaned": tuple(Cleaning), "redacted": tuple(Redaction), "cut": ()}


def summary_lines(result: InputResult) -> list[str]:
    """Return the final summary, one line a fact."""
    rows = _summary_rows(result.tally)
    place = len(rows)
    published = result.published
    if published is not None:
        rows.append(("results", str(published.results or "standard output")))
        if published.failures is not None:
            rows.append(("failures", str(published.failures)))
        if published.pending is not None:
            rows.append(("pending", str(published.pending)))
    if result.savings is not None:
        rows[place:place] = saved_rows(result.savings)
    if result.stop is None and published is not None and published.failures is not None:
        rows.append(("next", "the same command asks about the failed rows again"))
    rows += [("partial", f"{path}, replaced by the next run") for path in result.partials]
    return [f"{name:<10}  {value}" for name, value in rows]


def saved_rows(savings: Savings) -> list[tuple[str, str]]:
    """Return what was saved, and what more could be."""
    levers = (
        ("cache", savings.cache),
        ("coalescing", savings.coalescing),
        ("packing", savings.packing),
    )
    parts = [(name, spared) for name, spared in levers if spared.tokens]
    rows = [("saved", _saved_in_words(parts))] if parts else []
    if savings.packing_share > WORTH_PACKING:
        rows.append(("next", packing_hint(savings.packing_share)))
    return rows


def _saved_in_words(parts: Sequence[tuple[str, Spared]]) -> str:
    """Return what each lever saved, as much of it as fits a line of 80 columns."""
    full = ", ".join(f"{name} {_spared(spared)}" for name, spared in parts)
    short = ", ".join(f"{name} ~{spared.tokens:,}" for name, spared in parts) + " tokens"
    costs = [spared.cost for _, spared in parts if spared.cost is not None]
    for words in (f"{full}, against one call a row", full, short + _together(costs), short):
        if len(words) <= LINE:
            break
    return words


def _together(costs: Sequence[Money]) -> str:
    """Return a sum in words; nothing when there is none in one currency."""
    currencies = {cost.currency for cost in costs}
    if len(currencies) != 1:
        return ""
    return f" (~{money(sum((cost.amount for cost in costs), Decimal()), *currencies)})"


def packing_hint(share: float) -> str:
    """Return what packing would save."""
    return f"--pack would save about {share:.0%} of such a run"


def _spared(spared: Spared) -> str:
    tokens = f"~{spared.tokens:,} tokens"
    if spared.cost is None or not spared.cost.amount:
        return tokens
    return f"{tokens} (~{money(spared.cost.amount, spared.cost.currency)})"


def stop_line(result: InputResult, *, keeps_answers: bool) -> str:
    """Return the last line of a run that stopped: why, where the rows are, and what to do."""
    stop, counts = result.stop, result.counts
    reason = str(stop).rstrip(".")
    if not isinstance(stop, Interrupted):
        reason = f"stopped: {reason}"
    again = "resumes" if keeps_answers else "starts anew (--no-cache keeps no answers)"
    is_mended_by_time = isinstance(stop, Interrupted | TryLater)
    condition = "" if is_mended_by_time else "when that is mended, "
    is_set_aside = result.published is not None and result.published.pending is not None
    pending = "pending and set aside" if is_set_aside else "read and pending"
    failed = f" ({result.tally.failed:,} of them failed)" if result.tally.failed else ""
    if result.not_begun:
        more = "input" if result.not_begun == 1 else "inputs"
        pending += f", {result.not_begun:,} more {more} not begun"
    return (
        f"{reason}; {counts.written:,} rows done{failed}, {counts.pending:,} {pending}; "
        f"{condition}the same command {again}"
    )


def _requests(tally: Tally) -> str:
    """Return how many requests were made, and how many tickets shared one."""
    if not tally.packs:
        return f"{tally.tries:,}"
    return f"{tally.tries:,} ({tally.packs:,} packs of {tally.packed / tally.packs:.1f} tickets)"


def _summary_rows(tally: Tally) -> list[tuple[str, str]]:
    usage = tally.usage
    rows = [
        ("rows", f"{tally.read:,}"),
        ("classified", f"{tally.classified:,}"),
        ("failed", failed_in_words(tally)),
        ("cache hits", f"{tally.cache_hits:,}"),
        ("coalesced", f"{tally.coalesced:,}"),
        (
            "complexity",
            ", ".join(f"{name.value} {tally.by_complexity[name]:,}" for name in Complexity),
        ),
        *([("prepared", changes_in_words(tally.changes))] if tally.changes else []),
        ("requests", _requests(tally)),
        *([("endpoints", endpoints_in_words(tally.by_endpoint))] if tally.by_endpoint else []),
        ("tokens", tokens_in_words(usage)),
        ("cost", cost_in_words(tally)),
        *(
            [("unsettled", unsettled(tally.unsettled, tally.unsettled_tokens))]
            if tally.unsettled
            else []
        ),
    ]
    p50, p95 = tally.latency_s.quantile(0.5), tally.latency_s.quantile(0.95)
    if p50 is not None and p95 is not None:
        first = tally.first_token_s.quantile(0.5)
        told = "" if first is None else f"; to the first token p50 {duration(first)}"
        rows.append(("latency", f"p50 {duration(p50)}, p95 {duration(p95)}{told}"))
    if tally.throttled or tally.breaker_openings:
        rows.append(
            ("provider", f"throttled {tally.throttled:,}, breaker opened {tally.breaker_openings}")
        )
    seconds = tally.finished.duration_s if tally.finished else tally.elapsed_s
    rate = tally.done / seconds if seconds else 0.0
    rows.append(("time", f"{duration(seconds)}, {rate:,.0f} rows/s"))
    return rows

"""What a run would do, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference_forge.cli.wording import WORTH_PACKING, packing_hint
from inference_forge.core.wording import duration, money
from inference_forge.models import Complexity

if TYPE_CHECKING:
    from inference_forge.app import Outlook
    from inference_forge.core.forecast import Forecast

_BOUNDS: Final = {
    "rpm": "{rpm:,.0f} requests a minute",
    "tpm": "{tpm:,.0f} tokens a minute",
    "interval": "one request every {interval:,.0f} ms",
}


def outlook_lines(outlook: Outlook) -> list[str]:
    """Return what a run would do, one line a fact."""
    survey, total = outlook.survey, outlook.total
    rejected = f"{survey.rejected.total():,}"
    if survey.rejected:
        codes = ", ".join(f"{code} {n:,}" for code, n in survey.rejected.most_common(5))
        rejected += f" ({codes}): they fail without a call"
    rows = [
        ("model", f"{outlook.provider}/{outlook.model}"),
        ("rows", f"{survey.rows:,}"),
        ("rejected", rejected),
        ("cached", f"{survey.cached:,}"),
        ("duplicates", f"{survey.duplicates:,}"),
        ("calls", _calls(outlook)),
        ("complexity", _by_complexity(outlook)),
    ]
    if outlook.models is None:
        rows.append(("cost", "0 (the built-in baseline is free)"))
    else:
        rows += [
            ("tokens", _tokens(total)),
            ("cost", _cost(outlook)),
            ("time", _time(outlook)),
            ("basis", _basis(outlook)),
        ]
    if outlook.packing_share > WORTH_PACKING:
        rows.append(("next", packing_hint(outlook.packing_share)))
    return [f"{name:<10}  {value}" for name, value in rows]


def _calls(outlook: Outlook) -> str:
    calls = outlook.survey.calls
    packs = sum(load.requests for load in calls.packed.values())
    alone = sum(load.requests for load in calls.single.values())
    if not packs:
        return f"{alone:,}"
    packed = sum(load.tickets for load in calls.packed.values())
    return f"{packs + alone:,} ({packs:,} packs of {packed / packs:.1f} tickets, {alone:,} alone)"


def _by_complexity(outlook: Outlook) -> str:
    parts = []
    for complexity in Complexity:
        part = f"{complexity.value} {outlook.survey.to_ask[complexity]:,}"
        expected = outlook.by_complexity.get(complexity)
        if expected is not None:
            part += f" ({_about(expected.usage.total_tokens)} tokens"
            if outlook.rates is not None and outlook.rates.currency:
                cost = outlook.rates.cost(expected.usage)
                part += f", ~{money(cost, outlook.rates.currency)}"
            part += ")"
        parts.append(part)
    return ", ".join(parts)


def _tokens(total: Forecast) -> str:
    usage, low, high = total.usage, total.low, total.high
    return (
        f"{_about(usage.total_tokens)} ({_about(usage.prompt_tokens)} in), likely "
        f"{low.total_tokens:,} to {high.total_tokens:,}"
    )


def _cost(outlook: Outlook) -> str:
    rates, total = outlook.rates, outlook.total
    if rates is None:
        return "unknown (no price for this model: see --price-in and --price-out)"
    low, mean, high = (rates.cost(usage) for usage in (total.low, total.usage, total.high))
    if not high:
        return "0"
    currency = rates.currency
    return f"~{money(mean, currency)}, likely {money(low, '')} to {money(high, currency)}"


def _time(outlook: Outlook) -> str:
    took = outlook.duration
    if took is None or not outlook.total.requests:
        return "0"
    limits = outlook.limits
    if took.bound in _BOUNDS:
        why = _BOUNDS[took.bound].format(
            rpm=limits.rpm or 0, tpm=limits.tpm or 0, interval=1000 * limits.min_interval_s
        )
    else:
        known = "as seen before" if took.is_seen else "assumed"
        why = f"{took.latency_s:.2g} s a request ({known}), {outlook.concurrency} at once"
        if not (limits.rpm or limits.tpm):
            why += ", no rate limit known"
    return f"~{duration(took.seconds)}: {why}"


def _basis(outlook: Outlook) -> str:
    models = outlook.models
    if models is None:
        return ""
    model = models.packed if outlook.is_packed else models.single
    if not model.answers:
        return "no answer of this model was seen yet: tokens may be off by a quarter"
    if not model.is_exact:
        return "answers of this model to other prompts"
    return f"{model.answers:,.0f} answers of this model to the same prompt"


def _about(number: int) -> str:
    return f"~{number:,}"

"""One past run in words."""

from __future__ import annotations

import shlex
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from inference_forge.core.command_line import HIDDEN
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration, exit_in_words, money, unsettled

if TYPE_CHECKING:
    from inference_forge.app import PastRun
    from inference_forge.observe.history import Counts, InputRecord, RunRecord

NAME_WIDTH: Final = 28
_NO_LIMIT: Final = 1 << 20


def inputs_of(record: RunRecord) -> str:
    """Return the first input, and how many more there are."""
    first = safe_line(record.inputs[0], NAME_WIDTH) if record.inputs else "-"
    more = record.inputs_total - 1
    kind = f" ({record.kind})" if record.kind else ""
    return (f"{first} +{more:,}" if more > 0 else first) + kind


def ending_of(run: PastRun) -> str:
    """Return the exit code and its meaning; of a run without one its state."""
    code = run.record.exit_code
    return run.state.value if code is None else exit_in_words(code)


def details_of(run: PastRun) -> list[str]:
    """Return all that is known of a run, one line a fact."""
    record, counts = run.record, run.record.counts
    ended = None if record.ended_at is None else local_time(record.ended_at)
    rows = [
        ("run", record.run_id),
        ("version", record.version),
        ("model", f"{record.provider}/{record.model}"),
        ("started", local_time(record.started_at)),
        ("ended", ended),
        ("exit", ending_of(run)),
        ("stopped", record.stop),
    ]
    if record.duration_s is not None:
        rows += [*_figures(counts), ("time", duration(record.duration_s))]
    if record.kind or not record.by_input:
        rows.append(("input", inputs_of(record)))
    name = "pass" if record.kind else "input"
    for item in record.by_input:
        rows += _of_input(item, name, is_alone=not record.kind and record.inputs_total == 1)
    rows += [
        ("events", record.events),
        ("directory", record.cwd),
        ("command", " ".join(map(_word, record.command))),
    ]
    if any(HIDDEN in word for word in record.command):
        rows.append(("", f"({HIDDEN} stands for a secret, which is not kept)"))
    return [f"{name:<10}  {value}" for name, value in rows if value is not None]


def _figures(counts: Counts) -> list[tuple[str, str]]:
    tokens = counts.prompt_tokens + counts.completion_tokens
    return [
        ("rows", f"{counts.read:,}"),
        ("classified", f"{counts.classified:,}"),
        ("failed", f"{counts.failed:,}"),
        ("pending", f"{counts.pending:,}"),
        ("cache hits", f"{counts.cache_hits:,}"),
        ("coalesced", f"{counts.coalesced:,}"),
        ("requests", f"{counts.requests:,}"),
        ("tokens", f"{tokens:,} ({counts.prompt_tokens:,} in)"),
        ("cost", cost_of(counts)),
        *(
            [("unsettled", unsettled(counts.unsettled, counts.unsettled_tokens))]
            if counts.unsettled
            else []
        ),
        *([("saved", saved)] if (saved := _saved(counts)) else []),
    ]


def _of_input(item: InputRecord, name: str, *, is_alone: bool) -> list[tuple[str, str | None]]:
    counts = item.counts
    figures = (
        f"{counts.read:,} rows, {counts.classified:,} classified, {counts.failed:,} failed, "
        f"{counts.pending:,} pending, cost {cost_of(counts)}, {duration(item.duration_s)}"
    )
    return [
        (name, item.name if is_alone else f"{item.name}: {figures}"),
        ("results", "standard output" if item.results == "-" else item.results),
        ("failures", item.failures),
        ("set aside", item.pending),
        ("stopped", None if is_alone else item.stop),
    ]


def cost_of(counts: Counts) -> str:
    """Return the bill as the summary of a run does."""
    if not counts.requests or not counts.prompt_tokens + counts.completion_tokens:
        return "0"
    parts = [money(Decimal(amount), currency) for currency, amount in counts.cost.items()]
    if counts.has_unknown_cost:
        parts.append("unknown")
    known = " + ".join(parts) or "0"
    return f"{known} (estimate)" if counts.is_estimate and counts.cost else known


def _saved(counts: Counts) -> str:
    """Return what was saved, empty when nothing was."""
    levers = {
        "cache": counts.saved_by_cache,
        "coalescing": counts.saved_by_coalescing,
        "packing": counts.saved_by_packing,
    }
    parts = [f"{name} ~{tokens:,} tokens" for name, tokens in levers.items() if tokens]
    costs = [f"~{money(Decimal(a), currency)}" for currency, a in counts.saved_cost.items()]
    return ", ".join(parts) + (f" ({' + '.join(costs)})" if costs else "")


def local_time(moment: str) -> str:
    """Return a moment in local time, with its offset: clocks are set back."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (OverflowError, ValueError, OSError):
        return moment  # a year that no calendar has


def _word(word: str) -> str:
    """Quote a word for a shell; one that a terminal would act on with escapes (bash, zsh, ksh)."""
    if safe_line(word, _NO_LIMIT) == word:
        return shlex.quote(word)
    escaped = ""
    try:
        raw = word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = word.encode("utf-8", "replace")  # no command line holds it
    for byte in raw:
        is_plain = chr(byte).isascii() and chr(byte).isprintable() and byte not in b"'\\"
        escaped += chr(byte) if is_plain else f"\\x{byte:02x}"
    return f"$'{escaped}'"

"""`forge runs`: what was run, when, and how it ended."""

from __future__ import annotations

import json
import os
import shlex
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.loading import say_warning
from inference_forge.cli.streams import say, show
from inference_forge.core.command_line import HIDDEN
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration, exit_in_words, money
from inference_forge.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app import PastRun, PastRuns
    from inference_forge.observe.history import Counts, InputRecord, RunRecord

_HEADINGS: Final = (
    "RUN", "STARTED", "INPUT", "MODEL", "ROWS", "CLASSIFIED", "FAILED", "PENDING", "COST", "TIME",
    "EXIT",
)  # fmt: skip
_NUMBERS: Final = frozenset({"ROWS", "CLASSIFIED", "FAILED", "PENDING", "COST", "TIME"})
_NAME_WIDTH: Final = 28
_NO_LIMIT: Final = 1 << 20


@reports_errors
def runs(
    *,
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Show one run in full; the beginning of its name will do.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", metavar="N", min=0, help="Newest runs shown; 0 for all."),
    ] = 20,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print a JSON object a line, all fields.", show_default=False),
    ] = False,
) -> None:
    """List past runs, the newest last, and how they ended.

    EXIT is the exit code and what it means, `running`, or `killed` when a run left no end.
    """
    found = _past_runs()
    chosen = found.runs[-limit:] if limit else found.runs
    if run_id is not None:
        chosen = (_one(found, run_id),)
    if as_json:
        _show_json(chosen)
    elif run_id is not None:
        _show_lines(_details(chosen[0]))
    elif chosen:
        _show_lines(_table(chosen))
    else:
        say(f"no runs yet in {found.path}")
    if found.broken and not as_json:
        say(
            f"torn lines of {found.path} that are left out: {found.broken:,} (a run was killed, or "
            "the disk was full)"
        )


def _past_runs() -> PastRuns:
    from inference_forge.app import past_runs, user_places  # noqa: PLC0415

    places = user_places(os.environ, say_warning)
    try:
        return past_runs(places.state)
    except OSError as exc:
        raise OutputError(
            f"{places.state}: the run history cannot be read: {exc.strerror}"
        ) from exc


def _one(found: PastRuns, name: str) -> PastRun:
    from inference_forge.app import one_run  # noqa: PLC0415 - not for --help

    return one_run(found.runs, name)


def _show_json(past: Sequence[PastRun]) -> None:
    from inference_forge.observe.event_stream import unicode_only  # noqa: PLC0415
    from inference_forge.observe.history_lines import as_json  # noqa: PLC0415

    for run in past:
        # ASCII with escapes: whatever a file is called, it is safe to show.
        data = {**as_json(run.record), "state": run.state.value}
        show(json.dumps(unicode_only(data)))


def _show_lines(lines: Sequence[str]) -> None:
    for line in lines:
        show(line)


def _table(past: Sequence[PastRun]) -> list[str]:
    rows = [_HEADINGS, *(tuple(safe_line(cell) for cell in _cells(run)) for run in past)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_aligned(row, widths)).rstrip() for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if heading in _NUMBERS else cell.ljust(width)
        for heading, cell, width in zip(_HEADINGS, row, widths, strict=True)
    ]


def _cells(run: PastRun) -> tuple[str, ...]:
    record, counts = run.record, run.record.counts
    figures: tuple[str, ...] = ("-",) * 6
    if record.duration_s is not None:
        numbers = (counts.read, counts.classified, counts.failed, counts.pending)
        figures = (*(f"{n:,}" for n in numbers), _cost(counts), duration(record.duration_s))
    return (
        record.run_id,
        _local(record.started_at),
        _inputs(record),
        safe_line(f"{record.provider}/{record.model}", _NAME_WIDTH),
        *figures,
        _ending(run),
    )


def _inputs(record: RunRecord) -> str:
    first = safe_line(record.inputs[0], _NAME_WIDTH) if record.inputs else "-"
    more = record.inputs_total - 1
    kind = f" ({record.kind})" if record.kind else ""
    return (f"{first} +{more:,}" if more > 0 else first) + kind


def _ending(run: PastRun) -> str:
    code = run.record.exit_code
    return run.state.value if code is None else exit_in_words(code)


def _details(run: PastRun) -> list[str]:
    record, counts = run.record, run.record.counts
    ended = None if record.ended_at is None else _local(record.ended_at)
    rows = [
        ("run", record.run_id),
        ("version", record.version),
        ("model", f"{record.provider}/{record.model}"),
        ("started", _local(record.started_at)),
        ("ended", ended),
        ("exit", _ending(run)),
        ("stopped", record.stop),
    ]
    if record.duration_s is not None:
        rows += [*_figures(counts), ("time", duration(record.duration_s))]
    if record.kind or not record.by_input:
        rows.append(("input", _inputs(record)))
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
        ("cost", _cost(counts)),
        *([("saved", saved)] if (saved := _saved(counts)) else []),
    ]


def _of_input(item: InputRecord, name: str, *, is_alone: bool) -> list[tuple[str, str | None]]:
    counts = item.counts
    figures = (
        f"{counts.read:,} rows, {counts.classified:,} classified, {counts.failed:,} failed, "
        f"{counts.pending:,} pending, cost {_cost(counts)}, {duration(item.duration_s)}"
    )
    return [
        (name, item.name if is_alone else f"{item.name}: {figures}"),
        ("results", "standard output" if item.results == "-" else item.results),
        ("failures", item.failures),
        ("set aside", item.pending),
        ("stopped", None if is_alone else item.stop),
    ]


def _cost(counts: Counts) -> str:
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


def _local(moment: str) -> str:
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

"""`forge runs`: what was run, when, and how it ended."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.help_pages import Group
from inference_forge.cli.loading import say_warning
from inference_forge.cli.runs_details import (
    NAME_WIDTH,
    cost_of,
    details_of,
    ending_of,
    inputs_of,
    local_time,
)
from inference_forge.cli.streams import say, show
from inference_forge.core.terminal import safe_line
from inference_forge.core.wording import duration
from inference_forge.errors import OutputError, UsageError
from inference_forge.settings import parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app import PastRun, PastRuns

_HEADINGS: Final = (
    "RUN", "STARTED", "INPUT", "MODEL", "ROWS", "CLASSIFIED", "FAILED", "PENDING", "COST", "TIME",
    "EXIT",
)  # fmt: skip
_NUMBERS: Final = frozenset({"ROWS", "CLASSIFIED", "FAILED", "PENDING", "COST", "TIME"})


Limit = Annotated[
    int, typer.Option("--limit", "-n", metavar="N", min=0, help="Newest runs shown; 0 for all.")
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print a JSON object a line, all fields.", show_default=False),
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run; the beginning of its name will do.", show_default=False
    ),
]


class RunsGroup(Group):
    """Takes what is no command for a run to be shown: `forge runs RUN`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the words name, and the rest of them."""
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=RunsGroup, invoke_without_command=True, rich_markup_mode=None)


@app.callback()
@reports_errors
def runs(ctx: typer.Context, *, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List past runs, the newest last, and how they ended; forge runs RUN shows one in full.

    EXIT is the exit code and what it means, `running`, or `killed` when a run left no end.
    """
    if ctx.invoked_subcommand is None:
        _list(limit, as_json=as_json)


@app.command(name="list", short_help="List past runs, the newest last.")
@reports_errors
def list_(*, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List past runs, the newest last, and how they ended."""
    _list(limit, as_json=as_json)


@app.command(name="show", short_help="Show one run in full.")
@reports_errors
def show_(ctx: typer.Context, *, run_id: Run, as_json: AsJson = False) -> None:
    """Show one run in full, with the command line to repeat it."""
    run = _one(past_runs_or_fail(), run_id)
    if as_json or (ctx.parent is not None and ctx.parent.params.get("as_json")):
        _show_json((run,))
    else:
        _show_lines(details_of(run))


@app.command(name="diff", short_help="Show what two runs have apart.")
@reports_errors
def diff(*, before: Run, after: Run, as_json: AsJson = False) -> None:
    """Show two runs side by side, and what changed from the first to the second."""
    from inference_forge.cli.runs_diff import changes, table  # noqa: PLC0415 - not for --help

    found = past_runs_or_fail()
    one, other = _one(found, before), _one(found, after)
    if as_json:
        _show_json((one, other))
        return
    _show_lines(table(changes(one, other)))


@app.command(name="prune", short_help="Forget old runs.")
@reports_errors
def prune(
    *,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=0, help="Keep the newest.", show_default=False),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="TIME",
            help="Forget those that began longer ago: 30d.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Forget old runs; with both options those that both mean. Results and failures stay.

    A run that goes on is never forgotten. Without this the newest 1,000 are kept.
    """
    from inference_forge.app import forget_runs, user_places  # noqa: PLC0415 - not for --help

    if keep is None and older_than is None:
        raise UsageError("nothing is said about which runs: --keep N, --older-than TIME, or both")
    age_s = None if older_than is None else _seconds(older_than)
    places = user_places(os.environ, say_warning)
    try:
        forgotten = forget_runs(places.state, keep=keep, older_than_s=age_s)
    except OSError as exc:
        raise OutputError(
            f"{places.state}: the run history cannot be written: {exc.strerror}"
        ) from exc
    say(f"runs forgotten: {forgotten:,}")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise UsageError(f"--older-than {text}: {exc}") from exc


def _list(limit: int, *, as_json: bool) -> None:
    found = past_runs_or_fail()
    chosen = found.runs[-limit:] if limit else found.runs
    if as_json:
        _show_json(chosen)
    elif chosen:
        _show_lines(_table(chosen))
    else:
        say(f"no runs yet in {found.path}")
    if found.broken and not as_json:
        say(
            f"torn lines of {found.path} that are left out: {found.broken:,} (a run was killed, or "
            "the disk was full)"
        )


def past_runs_or_fail() -> PastRuns:
    """Return the run history."""
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
        figures = (*(f"{n:,}" for n in numbers), cost_of(counts), duration(record.duration_s))
    return (
        record.run_id,
        local_time(record.started_at),
        inputs_of(record),
        safe_line(f"{record.provider}/{record.model}", NAME_WIDTH),
        *figures,
        ending_of(run),
    )

"""The run history: what each `forge classify` leaves behind, and what is left of past runs."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.adapters.run_locks import is_alive, remove_dead
from inference_forge.app.places import STDOUT
from inference_forge.app.recording import history_file, locks_of, recording
from inference_forge.errors import UsageError
from inference_forge.observe.history import InputRecord, RunRecord, counts_of
from inference_forge.observe.history_lines import merged, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from inference_forge.app.answering import Answering
    from inference_forge.app.job import ClassifyJob, InputResult, Watcher
    from inference_forge.app.outlets import RunOutlets
    from inference_forge.observe.tally import Tally


class RunState(StrEnum):
    """What became of a run."""

    ENDED = "ended"
    RUNNING = "running"
    KILLED = "killed"


class PastRun(Struct, frozen=True):
    """A run of the history; one without an end runs or was killed."""

    record: RunRecord
    state: RunState


class PastRuns(Struct, frozen=True):
    """The run history.

    Attributes:
        path: the file.
        runs: the oldest first.
        broken: lines of the file that hold no record.
    """

    path: Path
    runs: tuple[PastRun, ...]
    broken: int


@contextmanager
def recorded(
    job: ClassifyJob, answering: Answering, outlets: RunOutlets | None = None
) -> Iterator[ClassifyJob]:
    """Keep a record of what happens inside; yields the job to run, which is watched.

    A job without a command line is kept out of the history. Trouble with the history is noted,
    and the run goes on.

    Arguments:
        job: what was asked for.
        answering: who is asked first.
        outlets: told of the same as the history; also of a job that is kept out of it.
    """
    with recording(job, answering, outlets=outlets) as found:
        if found is None:
            yield job
            return

        def watch(name: str, tally: Tally) -> Watcher:
            found.begin(name, tally)
            watcher = job.watch(name, tally)
            return watcher if outlets is None else outlets.watched(name, tally, watcher)

        def report(result: InputResult) -> None:
            exit_code = result.exit_code(job.loaded.settings.max_failure_rate)
            item = _item(result)
            found.add(item, stop=result.stop, exit_code=exit_code, saved=result.savings)
            job.report(result)

        yield replace(job, watch=watch, report=report)


def _item(result: InputResult) -> InputRecord:
    counts = counts_of(result.tally, pending=result.counts.pending, saved=result.savings)
    item = InputRecord(result.name, counts)
    if (published := result.published) is None:
        return item
    return replace(
        item,
        results=_text(published.results) or STDOUT,
        failures=_text(published.failures),
        pending=_text(published.pending),
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def past_runs(state_dir: Path) -> PastRuns:
    """Return the run history, and remove the locks of runs that were killed.

    Raises:
        OSError: there is a history, and it cannot be read.
    """
    history, locks = history_file(state_dir), locks_of(state_dir)
    before = [run.run_id for run in merged(history.lines()).runs if not run.has_ended]
    dead = frozenset(run_id for run_id in before if not is_alive(locks, run_id))
    # Who ended in between has left its record before its lock: hence the second look.
    found = merged(history.lines())
    remove_dead(locks)
    runs = tuple(PastRun(run, _state(run, dead)) for run in found.runs)
    return PastRuns(history.path, runs, found.broken)


def one_run(past: Sequence[PastRun], name: str) -> PastRun:
    """Return the run of this id, or of an id that begins so.

    Raises:
        UsageError: there is none, or more than one.
    """
    found = [run for run in past if run.record.run_id.startswith(name)]
    exact = [run for run in found if run.record.run_id == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    problem = f"{len(found)} runs begin with {name!r}" if found else f"there is no run {name!r}"
    raise UsageError(f"{problem}: forge runs lists them")


def forget_runs(state_dir: Path, *, keep: int | None, older_than_s: float | None) -> int:
    """Remove runs from the history, and return how many; one that goes on stays.

    Arguments:
        state_dir: where the history is.
        keep: so many of the newest stay; None for no such bound.
        older_than_s: younger ones stay; None for no such bound.

    Raises:
        OSError: the history cannot be read or written.
    """
    runs = past_runs(state_dir).runs
    old = runs if keep is None else runs[: max(len(runs) - keep, 0)]
    now = datetime.now(UTC)
    forgotten = {
        run.record.run_id
        for run in old
        if run.state is not RunState.RUNNING
        and (older_than_s is None or _age_s(run.record, now) > older_than_s)
    }
    if forgotten:
        history_file(state_dir).rewrite(partial(without, run_ids=forgotten))
    return len(forgotten)


def _age_s(record: RunRecord, now: datetime) -> float:
    return (now - datetime.fromisoformat(record.started_at)).total_seconds()


def _state(run: RunRecord, dead: frozenset[str]) -> RunState:
    if run.has_ended:
        return RunState.ENDED
    return RunState.KILLED if run.run_id in dead else RunState.RUNNING

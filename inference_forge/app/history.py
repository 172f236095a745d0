"""The run history: what each `forge classify` leaves behind, and what is left of past ones."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.run_history import HistoryFile
from inference_forge.adapters.run_locks import RunLock, is_alive, remove_dead
from inference_forge.app.endings import exit_code_of, reason_of
from inference_forge.app.places import STDIN, STDOUT, is_own_output
from inference_forge.app.secrets import key_names, secrets_of
from inference_forge.observe.history import (
    MAX_WORDS,
    InputRecord,
    RunRecord,
    counts_of,
    utc_text,
)
from inference_forge.observe.history_lines import merged, newest, to_line
from inference_forge.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.app.answering import Answering
    from inference_forge.app.job import ClassifyJob, InputResult, Watcher
    from inference_forge.app.outlets import RunOutlets
    from inference_forge.core.command_line import Redactor
    from inference_forge.core.savings import Savings
    from inference_forge.observe.tally import Tally

KEEP_RUNS: Final = 1000
MAX_LINES: Final = 2500
"""Two lines a run: the file is shortened to `KEEP_RUNS` every 250 runs, not at each."""


class RunState(StrEnum):
    """What became of a run."""

    ENDED = "ended"
    RUNNING = "running"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of the history; one without an end runs or was killed."""

    record: RunRecord
    state: RunState


@dataclass(frozen=True, slots=True)
class PastRuns:
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
    if not job.command and outlets is None:
        yield job
        return
    recording = _Recording(job, answering, outlets)
    recording.start()
    try:
        yield recording.watched_job()
    except BaseException as error:
        recording.end(error)
        raise
    recording.end(None)


def past_runs(state_dir: Path) -> PastRuns:
    """Return the run history, and remove the locks of runs that were killed.

    Raises:
        OSError: there is a history, and it cannot be read.
    """
    history, locks = _history_file(state_dir), _locks(state_dir)
    before = [run.run_id for run in merged(history.lines()).runs if not run.has_ended]
    dead = frozenset(run_id for run_id in before if not is_alive(locks, run_id))
    # Who ended in between has left its record before its lock: hence the second look.
    found = merged(history.lines())
    remove_dead(locks)
    runs = tuple(PastRun(run, _state(run, dead)) for run in found.runs)
    return PastRuns(history.path, runs, found.broken)


def _state(run: RunRecord, dead: frozenset[str]) -> RunState:
    if run.has_ended:
        return RunState.ENDED
    return RunState.KILLED if run.run_id in dead else RunState.RUNNING


def _history_file(state_dir: Path) -> HistoryFile:
    return HistoryFile(state_dir, shorten=partial(newest, keep=KEEP_RUNS), max_lines=MAX_LINES)


def _locks(state_dir: Path) -> Path:
    return state_dir / "runs"


class _Recording:
    """Watches one run and writes its two records."""

    def __init__(self, job: ClassifyJob, answering: Answering, outlets: RunOutlets | None) -> None:
        # Of several inputs those that forge wrote itself are not read.
        names = [
            name
            for name in job.inputs
            if len(job.inputs) == 1 or name == STDIN or not is_own_output(Path(name))
        ]
        self._job = job
        self._outlets = outlets
        self._in_environment = secrets_of(job.environ, key_names(job.loaded.providers))
        self._history = _history_file(job.places.state)
        self._lock: RunLock | None = None
        self._began_s = time.monotonic()
        self._input_began_s = self._began_s
        self._current: tuple[str, Tally] | None = None
        self._exit_codes: list[int] = []
        self._by_input: list[InputRecord] = []
        self._record = RunRecord(
            run_id=job.run_id,
            started_at=utc_text(datetime.now(UTC)),
            version=version(),
            provider=self._redactor.text(answering.name),
            model=self._redactor.text(answering.provider.model),
            cwd=self._redactor.text(_cwd()),
            command=self._redactor.command(job.command[:MAX_WORDS]),
            inputs=tuple(self._redactor.text(name) for name in names[:MAX_WORDS]),
            inputs_total=len(names),
        )

    @property
    def _redactor(self) -> Redactor:
        """Return what hides all secrets that are known by now."""
        return self._in_environment.knowing(self._job.secrets.all())

    def start(self) -> None:
        """Write that the run started; without a lock nobody could tell whether it lives."""
        if self._outlets is not None:
            self._outlets.run_started(self._record)
        if not self._job.command:
            return
        locks = _locks(self._job.places.state)
        try:
            remove_dead(locks)
            self._lock = RunLock(locks, self._job.run_id)
            self._history.append(to_line(self._record), is_last=False)
        except OSError as exc:
            self._note(exc)

    def watched_job(self) -> ClassifyJob:
        """Return the job, its inputs and results seen on their way."""
        return replace(self._job, watch=self._watch, report=self._report)

    def end(self, error: BaseException | None) -> None:
        """Write what came of the run; `error` is what ended it, None when all was reported."""
        if error is not None:
            self._record = replace(self._record, stop=self._redactor.text(reason_of(error)))
            self._exit_codes = [exit_code_of(error)]
            if self._current is not None:
                name, tally = self._current
                pending = tally.read - tally.done
                item = InputRecord(name, counts_of(tally, pending=pending))
                self._add(item, self._record.stop, None)
        record = replace(
            self._record,
            ended_at=utc_text(datetime.now(UTC)),
            duration_s=round(time.monotonic() - self._began_s, 3),
            exit_code=max(self._exit_codes, default=0),
            by_input=tuple(self._by_input),
        )
        if self._outlets is not None:
            self._outlets.run_ended(record)
        if not self._job.command:
            return
        try:
            self._history.append(to_line(record), is_last=True)
        except OSError as exc:
            self._note(exc)
        finally:
            if self._lock is not None:
                self._lock.release()

    def _watch(self, name: str, tally: Tally) -> Watcher:
        self._current = (name, tally)
        self._input_began_s = time.monotonic()
        watcher = self._job.watch(name, tally)
        return watcher if self._outlets is None else self._outlets.watched(name, tally, watcher)

    def _report(self, result: InputResult) -> None:
        counts = counts_of(result.tally, pending=result.counts.pending, saved=result.savings)
        item = InputRecord(result.name, counts)
        if (published := result.published) is not None:
            item = replace(
                item,
                results=self._path(published.results) or STDOUT,
                failures=self._path(published.failures),
                pending=self._path(published.pending),
            )
        self._add(item, None if result.stop is None else str(result.stop), result.savings)
        self._exit_codes.append(result.exit_code(self._job.loaded.settings.max_failure_rate))
        self._job.report(result)

    def _path(self, path: Path | None) -> str | None:
        return None if path is None else self._redactor.text(str(path))

    def _add(self, item: InputRecord, stop: str | None, saved: Savings | None) -> None:
        """Add what came of the current input, and go on to none."""
        stop = None if stop is None else self._redactor.text(stop)
        duration_s = round(time.monotonic() - self._input_began_s, 3)
        name = self._redactor.text(item.name)
        item = replace(item, name=name, duration_s=duration_s, stop=stop)
        self._by_input.append(item)
        if self._outlets is not None:
            self._outlets.input_ended(item, saved)
        self._record = replace(
            self._record, counts=self._record.counts + item.counts, stop=stop or self._record.stop
        )
        self._current = None

    def _note(self, exc: OSError) -> None:
        self._job.notices.note(
            "no_history",
            f"{self._history.path}: cannot be written ({exc.strerror}), so `forge runs` will not "
            "tell of this run as it was",
        )


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text is wanted
    except OSError:
        return ""  # it was removed

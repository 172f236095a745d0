"""Writing what one command did into the run history."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from inference_forge.adapters.run_history import HistoryFile
from inference_forge.adapters.run_locks import RunLock, remove_dead
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
from inference_forge.observe.history_lines import newest, to_line
from inference_forge.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inference_forge.app.answering import Answering
    from inference_forge.app.notices import Notices
    from inference_forge.app.outlets import RunOutlets
    from inference_forge.app.places import Places
    from inference_forge.app.secrets import LearnedSecrets
    from inference_forge.core.command_line import Redactor
    from inference_forge.core.savings import Savings
    from inference_forge.errors import ForgeError
    from inference_forge.observe.tally import Tally
    from inference_forge.settings import Loaded

KEEP_RUNS: Final = 1000
MAX_LINES: Final = 2500
"""Two lines a run: the file is shortened to `KEEP_RUNS` every 250 runs, not at each."""


class RecordedJob(Protocol):
    """What a command tells of itself; see `ClassifyJob` for what each is."""

    @property
    def inputs(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def loaded(self) -> Loaded: ...  # noqa: D102
    @property
    def environ(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def places(self) -> Places: ...  # noqa: D102
    @property
    def notices(self) -> Notices: ...  # noqa: D102
    @property
    def secrets(self) -> LearnedSecrets: ...  # noqa: D102
    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def command(self) -> Sequence[str]: ...  # noqa: D102


@contextmanager
def recording(
    job: RecordedJob, answering: Answering, kind: str = "", outlets: RunOutlets | None = None
) -> Iterator[Recording | None]:
    """Keep a record of what happens inside; yields what is to be told of it.

    A job without a command line is kept out of the history; None is yielded when nobody else is to
    be told either. Trouble with the history is noted, and the run goes on.

    Arguments:
        job: what was asked for.
        answering: who is asked first.
        kind: the command, when it is not `classify`.
        outlets: told of the same as the history; also of a job that is kept out of it.
    """
    if not job.command and outlets is None:
        yield None
        return
    found = Recording(job, answering, kind, outlets)
    found.start()
    try:
        yield found
    except BaseException as error:
        found.end(error)
        raise
    found.end(None)


def history_file(state_dir: Path) -> HistoryFile:
    """Return the file of the run history."""
    return HistoryFile(state_dir, shorten=partial(newest, keep=KEEP_RUNS), max_lines=MAX_LINES)


def locks_of(state_dir: Path) -> Path:
    """Return the directory with a lock for each run under way."""
    return state_dir / "runs"


class Recording:
    """Writes the two records of one command; use `recording`."""

    def __init__(
        self, job: RecordedJob, answering: Answering, kind: str, outlets: RunOutlets | None
    ) -> None:
        # Of several inputs those that forge wrote itself are not read.
        names = [
            name
            for name in job.inputs
            if len(job.inputs) == 1 or name == STDIN or not is_own_output(Path(name))
        ]
        self._job = job
        self._outlets = outlets
        self._in_environment = secrets_of(job.environ, key_names(job.loaded.providers))
        self._history = history_file(job.places.state)
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
            kind=kind,
            events=None if outlets is None else self._events_file(),
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
        locks = locks_of(self._job.places.state)
        try:
            remove_dead(locks)
            self._lock = RunLock(locks, self._job.run_id)
            self._history.append(to_line(self._record), is_last=False)
        except OSError as exc:
            self._note(exc)

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

    def _events_file(self) -> str | None:
        """Return the file that events are written to; none of a descriptor, pipe or device."""
        target = self._job.loaded.settings.events
        if target is None or target == STDOUT or target.isdigit() or not Path(target).is_file():
            return None
        return self._redactor.text(str(Path(target).absolute()))

    def begin(self, name: str, tally: Tally) -> None:
        """Take note that an input, or a part of the work, begins."""
        self._current = (name, tally)
        self._input_began_s = time.monotonic()

    def add(
        self,
        item: InputRecord,
        *,
        stop: ForgeError | None,
        exit_code: int,
        saved: Savings | None = None,
    ) -> None:
        """Add what came of what began last, and go on to none.

        Arguments:
            item: its counts and files; without a duration it lasted since `begin`.
            stop: why it stopped early, None when it did not.
            exit_code: the exit code that this alone would give.
            saved: what it saved against a request for each row; None where nobody counted.
        """
        item = replace(
            item,
            results=self._hidden(item.results),
            failures=self._hidden(item.failures),
            pending=self._hidden(item.pending),
        )
        self._add(item, None if stop is None else str(stop), saved)
        self._exit_codes.append(exit_code)

    def stop(self, reason: ForgeError) -> None:
        """Take note of what ended the command early."""
        self._record = replace(self._record, stop=self._redactor.text(str(reason)))
        self._exit_codes.append(reason.exit_code)

    def _hidden(self, name: str | None) -> str | None:
        return None if name is None else self._redactor.text(name)

    def _add(self, item: InputRecord, stop: str | None, saved: Savings | None) -> None:
        stop = None if stop is None else self._redactor.text(stop)
        duration_s = item.duration_s or round(time.monotonic() - self._input_began_s, 3)
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

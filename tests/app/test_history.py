"""What a run leaves in the history, whatever becomes of it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from running import CANARY, tickets

from inference_forge.adapters.run_locks import RunLock, is_alive
from inference_forge.app import ClassifyJob, Places, RunState, Watcher, past_runs, run_classify
from inference_forge.app.answering import open_answering
from inference_forge.app.history import recorded
from inference_forge.app.taxonomy_file import load_taxonomy
from inference_forge.errors import InputError, SettingsError
from inference_forge.events import Event, RowsRead, RowsResolved, Warned
from inference_forge.observe.history import RunRecord
from inference_forge.observe.history_lines import to_line
from inference_forge.observe.tally import Tally
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Seen:
    """An observer that keeps notices."""

    def __init__(self) -> None:
        self.notices: list[Warned] = []

    def on_event(self, event: Event) -> None:
        """Keep a notice."""
        if isinstance(event, Warned):
            self.notices.append(event)


def job_of(
    base: Path, inputs: Sequence[str], seen: Seen | None = None, **flags: object
) -> ClassifyJob:
    """Return a job over the embedded classifier."""

    def watch(_name: str, _tally: Tally) -> Watcher:
        return Watcher(seen or Seen(), lambda: None, 1.0)

    return ClassifyJob(
        inputs=inputs,
        loaded=load_settings(flags, environ={}),
        environ={"OPENAI_API_KEY": CANARY},
        places=Places(base / "cache", base / "state", base / "config"),
        stdin=None,
        stdout=io.BytesIO(),
        watch=watch,
        command=("forge", "classify", *inputs),
    )


def only(base: Path) -> RunRecord:
    """Return the one run of the history, which has ended and left no lock."""
    (past,) = past_runs(base / "state").runs
    assert past.state is RunState.ENDED
    assert list((base / "state/runs").iterdir()) == []
    return past.record


def test_a_run_leaves_its_counts(isolated: Path) -> None:
    """Totals over the inputs, and each input for itself."""
    tickets(isolated / "a.csv", "hello", "", "hello")
    tickets(isolated / "b.csv", "hello", "more")
    job = job_of(isolated, ["a.csv", "b.csv"])
    run_classify(job)
    record = only(isolated)
    assert (record.run_id, record.exit_code, record.stop) == (job.run_id, 3, None)
    assert (record.provider, record.model) == ("local", "local-baseline")
    assert (record.inputs, record.inputs_total) == (("a.csv", "b.csv"), 2)
    assert (record.cwd, record.command) == (os.getcwd(), job.command)  # noqa: PTH109
    first, second = record.by_input
    assert (first.results, first.failures) == ("a.results.csv", "a.failures.csv")
    assert (first.counts.read, first.counts.classified, first.counts.failed) == (3, 2, 1)
    assert (second.results, second.failures, second.counts.cache_hits) == ("b.results.csv", None, 1)
    assert record.counts == first.counts + second.counts
    assert record.duration_s is not None
    assert record.duration_s >= first.duration_s > 0
    assert record.ended_at is not None
    assert record.ended_at > record.started_at


def test_a_start_is_there_while_the_run_lives(isolated: Path) -> None:
    """Shown as running; after a kill as killed, and its lock is removed."""
    job = job_of(isolated, ["in.csv"])
    with recorded(job, open_answering(job.loaded, load_taxonomy(None), {})):
        (past,) = past_runs(isolated / "state").runs
        assert past.state is RunState.RUNNING
    assert only(isolated).exit_code == 0
    start = RunRecord("killed-1", "2026-09-01T07:04:34+00:00")
    path = isolated / "state/runs.jsonl"
    path.write_bytes(to_line(start) + b"\n")
    (isolated / "state/runs/killed-1.lock").touch()
    (past,) = past_runs(isolated / "state").runs
    assert past.state is RunState.KILLED
    assert list((isolated / "state/runs").iterdir()) == []


def test_a_run_that_ends_or_starts_while_we_look_was_not_killed(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is gone, or not seen yet: its record is read once more."""
    state = isolated / "state"
    start = RunRecord("run-1", "2026-09-01T07:04:34+00:00")
    later = replace(start, run_id="run-2")
    end = replace(start, ended_at=start.started_at, exit_code=0)
    lock = RunLock(state / "runs", "run-1")
    (state / "runs.jsonl").write_bytes(to_line(start) + b"\n")

    def end_first(directory: Path, run_id: str) -> bool:
        with (state / "runs.jsonl").open("ab") as file:
            file.write(to_line(end) + b"\n" + to_line(later) + b"\n")
        lock.release()
        return is_alive(directory, run_id)

    monkeypatch.setattr("inference_forge.app.history.is_alive", end_first)
    assert [past.state for past in past_runs(state).runs] == [RunState.ENDED, RunState.RUNNING]


def test_an_unreadable_input_is_a_run(isolated: Path) -> None:
    """A cron job whose export is missing shows up, with the reason."""
    with pytest.raises(InputError):
        run_classify(job_of(isolated, ["none.csv"]))
    record = only(isolated)
    assert (record.exit_code, record.counts.read) == (2, 0)
    assert record.stop == "none.csv: there is no such file; check the name"
    assert [(item.name, item.stop) for item in record.by_input] == [("none.csv", record.stop)]


def test_a_usage_error_before_the_first_input_is_none(isolated: Path) -> None:
    """Settings are looked at first; nothing is left."""
    tickets(isolated / "in.csv", "hello")
    with pytest.raises(SettingsError):
        run_classify(job_of(isolated, ["in.csv"], provider="openai", base_url="nonsense"))
    assert past_runs(isolated / "state").runs == ()
    assert not (isolated / "state").exists()


def test_a_job_without_a_command_line_is_kept_out(isolated: Path) -> None:
    """Who uses the library has a log of their own."""
    tickets(isolated / "in.csv", "hello")
    run_classify(replace(job_of(isolated, ["in.csv"]), command=()))
    assert not (isolated / "state/runs.jsonl").exists()


@pytest.mark.parametrize(
    ("error", "code", "stop"),
    [
        (BrokenPipeError(), 141, "whoever read standard output went away"),
        (KeyboardInterrupt(), 130, "stopped by SIGINT"),
        (ZeroDivisionError(f"{CANARY} in a ticket"), 1, "internal error: ZeroDivisionError"),
        (InputError(f"{CANARY} at http://a:b@h/?x=y z"), 2, "*** at http://***@h/?x=*** z"),
    ],
)  # fmt: skip
def test_an_error_ends_a_run_too(
    isolated: Path, error: BaseException, code: int, stop: str
) -> None:
    """With the exit code that the shell sees, and a reason without secrets."""
    tickets(isolated / "in.csv", "hello")

    def fail(_result: object) -> None:
        raise error

    with pytest.raises(type(error)):
        run_classify(replace(job_of(isolated, ["in.csv"]), report=fail))
    record = only(isolated)
    assert (record.exit_code, record.stop) == (code, stop)
    assert record.counts.classified == 1


def test_rows_of_an_input_that_failed_are_counted(isolated: Path) -> None:
    """What the tally saw before the error is kept; rows without an outcome are pending."""
    job = job_of(isolated, ["in.csv"])
    taxonomy = load_taxonomy(None)
    answering = open_answering(job.loaded, taxonomy, {})
    tally = Tally(lambda: 0.0)
    tally.on_event(RowsRead(5, is_end=False, bytes_read=1, bytes_total=1))
    tally.on_event(RowsResolved(classified=3))

    def run() -> None:
        with recorded(job, answering) as watched:
            watched.watch("in.csv", tally)
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run()
    record = only(isolated)
    assert (record.counts.read, record.counts.classified, record.counts.pending) == (5, 3, 2)


def test_trouble_with_the_history_does_not_fail_a_run(isolated: Path) -> None:
    """One note for the whole run."""
    tickets(isolated / "in.csv", "hello")
    (isolated / "state").touch()
    seen = Seen()
    (result,) = run_classify(job_of(isolated, ["in.csv"], seen))
    assert result.stop is None
    notes = [notice for notice in seen.notices if notice.code == "no_history"]
    assert [note.is_note for note in notes] == [True]
    assert notes[0].message == (
        f"{isolated}/state/runs.jsonl: cannot be written (Not a directory), so `forge runs` will "
        "not tell of this run as it was"
    )


def test_an_end_without_a_start_is_a_run(isolated: Path) -> None:
    """The name of the lock is taken for ever, or the disk was full for a moment."""
    tickets(isolated / "in.csv", "hello")
    job = job_of(isolated, ["in.csv"])
    (isolated / "state").mkdir()
    (isolated / "state/runs").touch()
    run_classify(job)
    (past,) = past_runs(isolated / "state").runs
    assert (past.state, past.record.exit_code) == (RunState.ENDED, 0)


def test_a_directory_that_is_gone_has_no_name(isolated: Path) -> None:
    """The run goes on with absolute names."""
    tickets(isolated / "in.csv", "hello")
    gone = isolated / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    run_classify(job_of(isolated, [str(isolated / "in.csv")]))
    assert only(isolated).cwd == ""

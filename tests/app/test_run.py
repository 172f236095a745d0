"""`run_classify` as a library: results, reports and watchers without a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import anyio
import pytest
from running import tickets

from inference_forge.app import ClassifyJob, InputResult, Places, Watcher, run_classify
from inference_forge.app.classify import _single
from inference_forge.errors import UsageError
from inference_forge.events import ColumnsRecognised, Event, RunFinished, RunStarted, Warned
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inference_forge.observe.tally import Tally


class Recorder:
    """An observer that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ticks = self.closed = 0

    def on_event(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)

    def tick(self) -> None:
        """Count."""
        self.ticks += 1

    def close(self) -> None:
        """Count."""
        self.closed += 1


def run(base: Path, inputs: Sequence[str], **flags: object) -> tuple[list[InputResult], Recorder]:
    """Classify with the embedded classifier and record what is seen."""
    recorder = Recorder()
    job = make_job(base, inputs, recorder, **flags)
    return run_classify(job), recorder


def make_job(base: Path, inputs: Sequence[str], recorder: Recorder, **flags: object) -> ClassifyJob:
    """Return a job over the embedded classifier."""

    def watch(_name: str, _tally: Tally) -> Watcher:
        return Watcher(recorder, recorder.tick, 0.01, recorder.close)

    return ClassifyJob(
        inputs=inputs,
        loaded=load_settings(flags, environ={}),
        environ={},
        places=Places(base / "cache", base / "state", base / "config"),
        stdin=None,
        stdout=io.BytesIO(),
        watch=watch,
    )


def test_results_and_events_of_a_run(isolated: Path) -> None:
    """Start, columns and end are seen; counts agree; the watcher is closed once."""
    tickets(isolated / "in.csv", "hello", "", "hello")
    (result,), recorder = run(isolated, ["in.csv"])
    assert (result.counts.read, result.counts.written, result.counts.pending) == (3, 3, 0)
    assert (result.tally.classified, result.tally.failed, result.tally.coalesced) == (2, 1, 1)
    assert (result.exit_code(0.0), result.exit_code(0.34)) == (3, 0)
    kinds = [type(event) for event in recorder.events]
    assert (kinds[0], kinds[-1]) == (RunStarted, RunFinished)
    assert ColumnsRecognised("text = text; id = id") in recorder.events
    assert recorder.ticks > 0
    assert recorder.closed == 1


def test_the_watcher_is_closed_when_a_run_cannot_begin(isolated: Path) -> None:
    """A bar must not outlive its run; the error comes out as itself, not in a group."""
    tickets(isolated / "in.csv", "hello")
    recorder = Recorder()
    with pytest.raises(UsageError, match="there is no column"):
        run_classify(make_job(isolated, ["in.csv"], recorder, text_column=("nope",)))
    assert recorder.closed == 1
    assert not any(isinstance(event, Warned) for event in recorder.events)


def test_results_to_a_stream(isolated: Path) -> None:
    """`-o -` writes JSON lines to what the caller gave."""
    tickets(isolated / "in.csv", "hello")
    recorder = Recorder()
    job = make_job(isolated, ["in.csv"], recorder, output="-")
    (result,) = run_classify(job)
    assert isinstance(job.stdout, io.BytesIO)
    assert job.stdout.getvalue().startswith(b'{"id":"T-1"')
    assert result.published is not None
    assert result.published.results is None


def test_a_closed_pipe_is_shown_as_itself() -> None:
    """When the writer dies, its neighbours' broken streams are no news."""
    inner = ExceptionGroup("writing", [BrokenPipeError(), anyio.BrokenResourceError()])
    assert isinstance(_single(ExceptionGroup("all", [inner])), BrokenPipeError)
    alone = ExceptionGroup("all", [anyio.BrokenResourceError()])
    assert isinstance(_single(alone), anyio.BrokenResourceError)

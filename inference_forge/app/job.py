"""What a `classify` run takes from outside and gives back."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final

from msgspec import Struct, field

from inference_forge.app.notices import Notices
from inference_forge.app.secrets import LearnedSecrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inference_forge.app.places import Places
    from inference_forge.core.savings import Savings
    from inference_forge.engine.pipeline import RunCounts
    from inference_forge.errors import ForgeError
    from inference_forge.observe.tally import Tally
    from inference_forge.ports import Observer, Published
    from inference_forge.settings import Loaded

FAILED_EXIT: Final = 3
"""Finished, but more tickets failed than `max_failure_rate` allows."""


def _nothing() -> None:
    """Close nothing."""


class Watcher(Struct, frozen=True):
    """An observer that also wants to be woken regularly, to draw.

    Attributes:
        observer: sees every event.
        tick: called every `every_s` seconds.
        every_s: seconds between two ticks.
        close: called once at the end, also when the run fails; leaves the terminal as it was.
    """

    observer: Observer
    tick: Callable[[], None]
    every_s: float
    close: Callable[[], None] = _nothing


class InputResult(Struct, frozen=True):
    """What came of one input.

    Attributes:
        name: the input as the user named it.
        counts: rows read and written.
        tally: everything counted.
        published: where the files are; None when the run stopped and nothing was published.
        stop: why it stopped early, None when it did not.
        partials: unfinished files that a stopped run left; the next one replaces them.
        not_begun: further inputs that a stop left alone.
        savings: what was saved against one request a row; None where tokens are not counted.
    """

    name: str
    counts: RunCounts
    tally: Tally
    published: Published | None
    stop: ForgeError | None
    partials: tuple[Path, ...] = ()
    not_begun: int = 0
    savings: Savings | None = None

    def exit_code(self, max_failure_rate: float) -> int:
        """Return the exit code that this input alone would give."""
        if self.stop is not None:
            return self.stop.exit_code
        allowed = max_failure_rate * self.counts.read
        return FAILED_EXIT if self.tally.failed > allowed else 0


def new_run_id() -> str:
    """Return a name that no other run has; names sort like the moments at which they began."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def _ignore(_: InputResult) -> None:
    """Report nothing."""


class ClassifyJob(Struct, frozen=True):
    """Everything `classify` takes from outside.

    Attributes:
        inputs: paths, or `-` for stdin; at least one.
        loaded: settings and where they were set.
        environ: the environment.
        places: the user's directories.
        stdin: bytes of `-`; None when it is closed.
        stdout: takes results when they go to stdout; None when it is closed.
        watch: returns the watcher of one input's run, given the input's name and its tally.
        report: called with each input's result as soon as it is there.
        notices: collects warnings from everywhere.
        secrets: learns every key that is not in the environment, so that nobody shows it.
        run_id: tells this run from all others; in UTC order.
        command: the words of the command line, for the run history; empty keeps the run out of it.
    """

    inputs: Sequence[str]
    loaded: Loaded
    environ: Mapping[str, str]
    places: Places
    stdin: BinaryIO | None
    stdout: BinaryIO | None
    watch: Callable[[str, Tally], Watcher]
    report: Callable[[InputResult], None] = _ignore
    notices: Notices = field(default_factory=Notices)
    secrets: LearnedSecrets = field(default_factory=LearnedSecrets)
    run_id: str = field(default_factory=new_run_id)
    command: Sequence[str] = ()

    @property
    def cache_directory(self) -> Path:
        """Return where paid answers are kept."""
        return self.loaded.settings.cache_dir or self.places.cache

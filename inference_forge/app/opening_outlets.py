"""From settings to the outlets of a run; all that is wrong with them is said before it begins."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from inference_forge.adapters.line_stream import (
    LineStream,
    writer_of_descriptor,
    writer_of_stream,
)
from inference_forge.adapters.line_target import open_lines
from inference_forge.adapters.pinging import Pinger, check_ping
from inference_forge.adapters.whole_file import check_writable, write_whole
from inference_forge.app.outlet_conflicts import check_apart
from inference_forge.app.outlets import Opened, RunOutlets
from inference_forge.app.places import STDOUT, user_places
from inference_forge.app.secrets import key_names, secrets_of
from inference_forge.app.trace_wiring import header_secrets, open_traces
from inference_forge.errors import SettingsError, UsageError
from inference_forge.observe.event_stream import EventStream, lost
from inference_forge.settings import PROJECT_FILE, TraceExport, load_settings
from inference_forge.version import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from inference_forge.app.job import ClassifyJob
    from inference_forge.app.notices import Notices
    from inference_forge.core.command_line import Redactor
    from inference_forge.settings import Settings

ENDING = ("ping", "summary_json", "metrics", "events", "output", "failures")
"""Settings of who wants to know of an end, even of one that the settings themselves brought, and
of the files that must not be taken for theirs."""


@contextmanager
def outlets_of(job: ClassifyJob) -> Iterator[RunOutlets]:
    """Open what the settings ask for, and tell it of an error that ends the command.

    Raises:
        UsageError: an outlet cannot be used; the others are told of it.
    """
    settings, opened = job.loaded.settings, Opened()
    redact = _Redaction(job)
    if settings.ping is not None:
        # Whoever knows the address can ping: no message, record or event shows it.
        job.secrets.learn(settings.ping)
    if settings.traces is not TraceExport.NONE:
        for secret in header_secrets(job.environ):
            job.secrets.learn(secret)
    outlets = RunOutlets(opened, run_id=job.run_id, redact=redact.text)
    try:
        _open_endings(opened, settings, job.inputs, job.stdout, job.notices)
        if settings.events is not None:
            _open_events(opened, job, redact.text)
        elif settings.events_text:
            job.notices.note("events_text_unused", "--events-text does nothing without --events")
        opened.traces = open_traces(
            settings.traces,
            job.run_id,
            environ=job.environ,
            redact=redact.text,
            notices=job.notices,
        )
        outlets.begin()
        yield outlets
    except BaseException as error:
        outlets.failed(error)
        raise


def tell_of_broken_settings(
    error: UsageError,
    inputs: Sequence[str],
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    stdout: BinaryIO | None,
    notices: Notices,
    run_id: str,
) -> None:
    """Tell of settings that cannot be used, as far as they say whom; a monitor waits for that.

    Arguments:
        error: what is wrong with them.
        inputs: as given.
        flags: as given.
        environ: the environment.
        stdout: for `--summary-json -`.
        notices: take trouble.
        run_id: of the run that does not begin.
    """
    settings = _endings_in(flags, environ)
    if settings is None:
        return
    redactor = secrets_of(environ).knowing([settings.ping] if settings.ping else [])
    opened = Opened()
    outlets = RunOutlets(opened, run_id=run_id, redact=redactor.text)
    # Of several errors the first is shown.
    with suppress(UsageError):
        _open_endings(opened, settings, inputs, stdout, notices)
    outlets.failed(error)


def _endings_in(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings | None:
    """Return these settings alone; those of files only when the files can be read."""
    user_file = user_places(environ, lambda _code, _message: None).config / PROJECT_FILE
    for files in ((Path(PROJECT_FILE), user_file), (None, None)):
        with suppress(SettingsError):
            return load_settings(
                flags,
                environ=environ,
                project_file=files[0],
                user_file=files[1],
                only=ENDING,
            ).settings
    return None


class _Redaction:
    """Takes the secrets out of texts that are known by now."""

    def __init__(self, job: ClassifyJob) -> None:
        self._secrets = job.secrets
        self._in_environment = secrets_of(job.environ, key_names(job.loaded.providers))
        self._learned: tuple[str, ...] = ()
        self._redactor = self._in_environment

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        return self._known().text(text)

    def _known(self) -> Redactor:
        learned = self._secrets.all()
        if len(learned) != len(self._learned):
            self._learned = learned
            self._redactor = self._in_environment.knowing(learned)
        return self._redactor


def _open_endings(
    opened: Opened,
    settings: Settings,
    inputs: Sequence[str],
    stdout: BinaryIO | None,
    notices: Notices,
) -> None:
    """Open the outlets that are told how a run ended."""
    if settings.ping is not None:
        check_ping(settings.ping)
        opened.ping = Pinger(
            settings.ping,
            warn=lambda told: notices.warn("ping", told),
            agent=f"inference-forge/{version()}",
        )
    # Before anything is told of an error in a file that is somebody else's.
    check_apart(settings, inputs)
    if settings.summary_json is not None:
        opened.write_summary = _summary_writer(settings.summary_json, stdout, notices)
    if settings.metrics is not None or settings.metrics_port is not None:
        # Who wants none does not pay for loading prometheus_client.
        from inference_forge.app.metric_wiring import open_metrics  # noqa: PLC0415

        opened.metrics = open_metrics(settings.metrics, settings.metrics_port, notices)


def _summary_writer(
    target: str, stdout: BinaryIO | None, notices: Notices
) -> Callable[[bytes], None]:
    path = Path(target)
    if target == STDOUT:
        if stdout is None:
            raise UsageError("--summary-json -: standard output is closed; name a file")
        put = writer_of_stream(stdout)
    else:
        try:
            check_writable(path)
        except OSError as exc:
            raise UsageError(f"--summary-json {target}: cannot be written: {exc.strerror}") from exc

        def put(data: bytes) -> None:
            write_whole(path, data, is_lasting=True)

    def write(data: bytes) -> None:
        try:
            put(data)
        except (OSError, ValueError) as exc:
            reason = (exc.strerror if isinstance(exc, OSError) else None) or exc
            notices.warn("summary", f"--summary-json {target}: cannot be written ({reason})")

    return write


def _open_events(opened: Opened, job: ClassifyJob, redact: Callable[[str], str]) -> None:
    settings, target = job.loaded.settings, job.loaded.settings.events or ""
    if target in {STDOUT, "1"}:
        if job.stdout is None:
            raise UsageError(f"--events {target}: standard output is closed; name a file")
        write = writer_of_stream(job.stdout)
    else:
        write = writer_of_descriptor(open_lines(target, "--events"))
    clock, unix_now = time.monotonic, time.time  # noqa: TID251 - handed out here

    def put(line: bytes) -> None:
        if opened.lines is not None:
            opened.lines.put(line)

    events = EventStream(
        job.run_id,
        put,
        redact=redact,
        clock=clock,
        began_unix_s=unix_now(),
        has_text=settings.events_text,
    )
    opened.events = events
    opened.lines = LineStream(
        write,
        lost=lambda lines: events.as_line(lost(lines)),
        on_trouble=lambda told: job.notices.warn("events", f"--events {target}: {told}"),
    )

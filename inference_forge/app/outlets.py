"""Who else is told of a run: events, metrics, a JSON summary, a dead man's switch.

None of them can change how a run ends. Trouble with one is a warning, and the run goes on.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from inference_forge.app.endings import exit_code_of, reason_of
from inference_forge.core.command_line import Redactor
from inference_forge.errors import LimitReached
from inference_forge.observe.event_stream import InputEvents, run_started, unicode_only
from inference_forge.observe.history import InputRecord, RunRecord, utc_text
from inference_forge.observe.stats import LabelCounts, stats_of
from inference_forge.settings import specs
from inference_forge.version import version

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.adapters.line_stream import LineStream
    from inference_forge.adapters.pinging import Pinger
    from inference_forge.app.answering import Answering, Choice
    from inference_forge.app.job import Watcher
    from inference_forge.app.metric_wiring import MetricOutlets
    from inference_forge.app.trace_wiring import TraceOutlet
    from inference_forge.core.savings import Savings
    from inference_forge.events import Event
    from inference_forge.observe.event_stream import EventStream
    from inference_forge.observe.tally import Tally
    from inference_forge.settings import Settings

SUMMARY_VERSION = 1

_SIGNALS = 128


class Opened(Struct):
    """What is open of what the settings ask for; each None where they do not.

    Attributes:
        ping: the dead man's switch.
        write_summary: puts the bytes of the summary where they go; warns.
        metrics: takes what metrics are made of.
        lines: takes the lines of events.
        events: makes them.
        traces: makes and sends spans.
    """

    ping: Pinger | None = None
    write_summary: Callable[[bytes], None] | None = None
    metrics: MetricOutlets | None = None
    lines: LineStream | None = None
    events: EventStream | None = None
    traces: TraceOutlet | None = None


class RunOutlets:
    """Tells all outlets of one command's run.

    Arguments:
        opened: the outlets.
        run_id: of the run.
        redact: takes secrets out of a text.
    """

    def __init__(self, opened: Opened, *, run_id: str, redact: Callable[[str], str]) -> None:
        self._opened = opened
        self._redact = redact
        self._began_s = time.monotonic()
        self._record = RunRecord(
            run_id=run_id, started_at=utc_text(datetime.now(UTC)), version=version()
        )
        self._choice: Choice | None = None
        self._settings: dict[str, Any] = {}
        self._tallies: list[Tally] = []
        self._labels: list[LabelCounts] = []
        self._savings: list[Savings] = []
        self._inputs: list[dict[str, Any]] = []
        self._input: InputEvents | None = None
        self._has_ended = False

    def begin(self) -> None:
        """Tell that the command begins; nothing is known of it yet."""
        if self._opened.ping is not None:
            self._opened.ping.start()
        if self._opened.metrics is not None:
            self._opened.metrics.begin()

    def choose(self, choice: Choice, settings: Settings) -> None:
        """Take note of what is asked for, and of whom."""
        self._choice = choice
        self._settings = shown_settings(settings, self._redact)

    def run_started(self, record: RunRecord) -> None:
        """Tell that the run starts."""
        self._record = replace(record, started_at=self._record.started_at)
        if self._opened.metrics is not None:
            self._opened.metrics.asks(record.provider, record.model)
        if self._opened.traces is not None and self._choice is not None:
            self._opened.traces.asks(record, self._choice)
        events, choice = self._opened.events, self._choice
        if events is not None and choice is not None:
            fields = {field.name: list(field.label_names) for field in choice.taxonomy.fields}
            events.labelled = tuple(f.name for f in choice.taxonomy.fields if f.kind != "text")
            fallback = choice.fallback
            events.write(
                run_started(
                    version=record.version,
                    provider=record.provider,
                    model=record.model,
                    fallback=None if fallback is None else self._redact(_name_of(fallback)),
                    inputs=record.inputs,
                    settings=self._settings,
                    fields=fields,
                )
            )

    def watched(self, name: str, tally: Tally, watcher: Watcher) -> Watcher:
        """Return who watches an input together with the outlets."""
        self._tallies.append(tally)
        seeing: list[Callable[[Event], None]] = []
        if self._choice is not None:
            counts = LabelCounts(self._choice.taxonomy)
            self._labels.append(counts)
            seeing.append(counts.on_event)
        if self._opened.metrics is not None:
            self._opened.metrics.watch(tally, self._labels)
        if self._opened.traces is not None:
            spans = self._opened.traces.spans.input(len(self._tallies), name)
            seeing.append(spans.on_event)
        events = self._opened.events
        if events is not None:
            self._input = InputEvents(events, len(self._tallies), name, tally)
            seeing.append(self._input.on_event)
        return replace(
            watcher, observer=_Together(watcher, seeing), tick=self._ticking(watcher.tick)
        )

    def input_ended(self, item: InputRecord, saved: Savings | None) -> None:
        """Tell what came of the input that was watched last."""
        savings = [saved] if saved is not None else []
        self._savings += savings
        stats = stats_of(
            self._tallies[-1:],
            pending=item.counts.pending,
            duration_s=item.duration_s,
            savings=savings,
            labels=self._labels[-1:],
        )
        files = {"results": item.results, "failures": item.failures, "pending": item.pending}
        self._inputs.append({"name": item.name, **files, "stop": item.stop, "stats": stats})
        if self._input is not None and self._opened.events is not None:
            finished = {
                "name": item.name,
                **files,
                "is_stopped": item.stop is not None,
                "stop": self._opened.events.quoted(item.stop),
                "stats": stats,
            }
            self._input.end(finished)
            self._input = None

    def failed(self, error: BaseException) -> None:
        """Tell of an error that ended the command, unless its end was told already."""
        if not self._has_ended:
            ended = replace(
                self._record,
                ended_at=utc_text(datetime.now(UTC)),
                duration_s=round(time.monotonic() - self._began_s, 3),
                exit_code=exit_code_of(error),
                stop=self._redact(reason_of(error)),
            )
            self.run_ended(ended)

    def run_ended(self, record: RunRecord) -> None:
        """Tell how the run ended, and close everything."""
        self._has_ended = True
        record = replace(record, started_at=self._record.started_at)
        stats = stats_of(
            self._tallies,
            pending=record.counts.pending,
            duration_s=record.duration_s or 0.0,
            savings=self._savings,
            labels=self._labels,
        )
        opened = self._opened
        if opened.events is not None:
            finished = {"event": "run_finished", "exit_code": record.exit_code}
            opened.events.write(
                {**finished, "stop": _stop_words(opened.events, record), "stats": stats}
            )
        if opened.lines is not None:
            opened.lines.close()
        if opened.write_summary is not None:
            opened.write_summary(self._summary(record, stats))
        if opened.traces is not None:
            opened.traces.end(record)
        if opened.metrics is not None:
            opened.metrics.end(record)
        if opened.ping is not None:
            opened.ping.end(record.exit_code or 0, short_summary(record))

    def _summary(self, record: RunRecord, stats: dict[str, Any]) -> bytes:
        summary = {
            "v": SUMMARY_VERSION,
            "run_id": record.run_id,
            "version": record.version,
            "provider": record.provider,
            "model": record.model,
            "started_at": record.started_at,
            "ended_at": record.ended_at,
            "duration_s": record.duration_s,
            "exit_code": record.exit_code,
            "stop": record.stop,
            "stats": stats,
            "inputs": self._inputs,
        }
        option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        return orjson.dumps(unicode_only(summary), option=option)

    def _ticking(self, tick: Callable[[], None]) -> Callable[[], None]:
        def ticking() -> None:
            tick()
            if self._input is not None:
                self._input.tick()

        return ticking


def shown_settings(settings: Settings, redact: Callable[[str], str]) -> dict[str, Any]:
    """Return all settings by their name in files, as JSON, without secrets."""

    def shown(value: Any) -> Any:
        match value:
            case None | bool() | int() | float():
                return value
            case tuple():
                return [shown(item) for item in value]
            case _:
                return redact(str(value))

    values = {spec.key: shown(getattr(settings, spec.attribute)) for spec in specs()}
    if settings.simulation is not None:
        # Words such as key=VALUE, which only the redaction of a command line knows.
        (values["simulation"],) = Redactor().command((f"--simulation={values['simulation']}",))
        values["simulation"] = values["simulation"].partition("=")[2]
    return values


def _stop_words(events: EventStream, record: RunRecord) -> str | None:
    """Return why a run ended; of a limit or a signal all words are forge's own."""
    code = record.exit_code or 0
    is_own = code == LimitReached.exit_code or code > _SIGNALS
    return events.said(record.stop) if is_own and record.stop else events.quoted(record.stop)


def _name_of(answering: Answering) -> str:
    return f"{answering.name}/{answering.provider.model}"


def short_summary(record: RunRecord) -> str:
    """Return a line for the dead man's switch: counts and cost, no names."""
    counts = record.counts
    cost = " + ".join(f"{amount} {currency}" for currency, amount in counts.cost.items())
    return (
        f"exit {record.exit_code}: {counts.read} rows, {counts.classified} classified, "
        f"{counts.failed} failed, {counts.pending} pending, cost {cost or 0}, "
        f"{record.duration_s:.1f} s, run {record.run_id}"
    )


class _Together:
    """Shows every event to a watcher's observer, then to others."""

    def __init__(self, watcher: Watcher, others: list[Callable[[Event], None]]) -> None:
        self._first = watcher.observer
        self._others = others

    def on_event(self, event: Event) -> None:
        """Pass `event` on."""
        self._first.on_event(event)
        for see in self._others:
            see(event)

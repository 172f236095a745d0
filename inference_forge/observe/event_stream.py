"""What happens in a run as lines of JSON, for programs (`--events`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from inference_forge.events import BatchStarted, RowsResolved, TryFinished
from inference_forge.models import Failure
from inference_forge.observe import event_shapes as shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.events import Event
    from inference_forge.models import Complexity, ResolvedRow
    from inference_forge.observe.tally import Tally

VERSION: Final = 1
"""Of the schema; additions do not raise it."""

PROGRESS_S: Final = 1.0

_OPTIONS: Final = orjson.OPT_APPEND_NEWLINE


class _Batch(Struct):
    """A batch whose tickets do not all have their outcome."""

    complexity: Complexity
    tickets: int
    left: int
    at_s: float
    failed: int = 0


class EventStream:
    """Makes the lines of one run; each is whole, and says which run it is of.

    Arguments:
        run_id: of the run; letters, digits and dashes.
        put: takes a line.
        redact: takes secrets out of a text.
        clock: seconds, monotonic.
        began_unix_s: Unix time at which the clock was read last before.
        has_text: let lines hold texts of tickets, and what may quote them.
    """

    def __init__(
        self,
        run_id: str,
        put: Callable[[bytes], None],
        *,
        redact: Callable[[str], str],
        clock: Callable[[], float],
        began_unix_s: float,
        has_text: bool,
    ) -> None:
        # Every line begins alike: put together by hand, that takes a third of the time.
        self._head = f'{{"v":{VERSION},"run_id":"{run_id}","seq":'
        self._put = put
        self._redact = redact
        self._clock = clock
        self._began_s = clock()
        self._began_unix_s = began_unix_s
        self._seq = 0
        self._second = -1
        self._prefix = ""
        self.has_text = has_text
        self.labelled: tuple[str, ...] = ()

    def write(self, line: Mapping[str, Any]) -> None:
        """Write a line about the run, or with its `input` about one of them."""
        self._put(self.as_line(line))

    def as_line(self, line: Mapping[str, Any]) -> bytes:
        """Return a line with what every line has."""
        t_s = self._clock() - self._began_s
        moment = self._moment(self._began_unix_s + t_s)
        head = f'{self._head}{self._seq},"time":"{moment}","t_s":{t_s:.6f},'
        self._seq += 1
        try:
            rest = orjson.dumps(line, option=_OPTIONS)
        except TypeError:
            # Lone surrogates: bytes of a name that is no UTF-8, or halves in somebody's JSON.
            rest = orjson.dumps(unicode_only(line), option=_OPTIONS)
        return head.encode("ascii") + rest[1:]

    def said(self, text: str) -> str:
        """Return `text` without secrets."""
        return self._redact(text)

    def quoted(self, text: str | None) -> str | None:
        """Return `text`, which may quote a ticket, if that is wanted."""
        return self._redact(text) if self.has_text and text is not None else None

    def now_s(self) -> float:
        """Return the time on the stream's clock."""
        return self._clock()

    def _moment(self, unix_s: float) -> str:
        """Return a Unix time as ISO 8601; the part before the point is made once a second."""
        second, fraction = divmod(unix_s, 1)
        if second != self._second:
            self._second = int(second)
            self._prefix = f"{datetime.fromtimestamp(self._second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._prefix}.{int(fraction * 1000):03}+00:00"


class InputEvents:
    """An observer that writes the lines of one input.

    Arguments:
        stream: takes them.
        number: of the input, from 1.
        name: of the input.
        tally: counts the input.
    """

    def __init__(self, stream: EventStream, number: int, name: str, tally: Tally) -> None:
        self._stream = stream
        self._number = number
        self._tally = tally
        self._sent: dict[int, shapes.Dispatched] = {}
        self._batches: dict[int, _Batch] = {}
        self._endpoints: dict[str, str] = {"": ""}
        self._told_s = stream.now_s()
        self._write({"event": "input_started", "name": stream.said(name)})

    def on_event(self, event: Event) -> None:
        """Write the lines that `event` deserves."""
        match event:
            case TryFinished():
                # The embedded classifier is asked within this process: nothing was sent.
                if event.address:
                    self._write(shapes.attempt(event, self._endpoint(event.endpoint)))
            case RowsResolved():
                self._on_rows(event)
            case BatchStarted():
                self._on_batch(event)
            case _:
                line = shapes.rare(event, self._stream.said, self._stream.quoted)
                if line is not None:
                    self._write(line)

    def tick(self) -> None:
        """Write where the input stands when the last such line is a second old."""
        now_s = self._stream.now_s()
        if now_s - self._told_s >= PROGRESS_S:
            self._told_s = now_s
            self._write(shapes.progress(self._tally))

    def end(self, finished: Mapping[str, Any]) -> None:
        """Write where the input stands at its end, and what came of it."""
        self._write(shapes.progress(self._tally))
        self._write({"event": "input_finished", **finished})

    def _write(self, line: dict[str, Any]) -> None:
        line["input"] = self._number
        self._stream.write(line)

    def _endpoint(self, name: str) -> str:
        if name not in self._endpoints:
            self._endpoints[name] = self._stream.said(name)
        return self._endpoints[name]

    def _on_batch(self, event: BatchStarted) -> None:
        now_s = self._stream.now_s()
        size = len(event.rows)
        self._batches[event.number] = _Batch(event.complexity, size, size, now_s)
        for row, waited_s in zip(event.rows, event.waited_s, strict=True):
            self._sent[row] = shapes.Dispatched(event.number, waited_s, now_s)

    def _on_rows(self, event: RowsResolved) -> None:
        for resolved in event.rows:
            sent = self._sent.pop(resolved.row.index, None)
            if not resolved.cache_hit or isinstance(resolved.outcome, Failure):
                self._write(self._ticket(resolved, sent))
            if sent is not None:
                self._leave_batch(sent.batch, is_failure=isinstance(resolved.outcome, Failure))
        if event.classified or event.failed:
            self._write(shapes.rows(event))

    def _ticket(self, resolved: ResolvedRow, sent: shapes.Dispatched | None) -> dict[str, Any]:
        stream = self._stream
        line = shapes.ticket(resolved, stream.labelled, sent, stream.now_s())
        if stream.has_text:
            line.update(shapes.ticket_text(resolved, stream.said))
        return line

    def _leave_batch(self, number: int, *, is_failure: bool) -> None:
        batch = self._batches[number]
        batch.left -= 1
        batch.failed += is_failure
        if not batch.left:
            del self._batches[number]
            self._write(
                {
                    "event": "batch_done",
                    "batch": number,
                    "complexity": batch.complexity,
                    "tickets": batch.tickets,
                    "failed": batch.failed,
                    "duration_s": round(self._stream.now_s() - batch.at_s, 6),
                }
            )


def unicode_only(value: Any) -> Any:
    r"""Return `value` with lone surrogates as `\udcNN` in text.

    Escaped once they would be JSON that strict readers refuse (RFC 8259, section 8.2).
    """
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case list() | tuple():
            return [unicode_only(item) for item in value]
        case dict():
            return {unicode_only(name): unicode_only(item) for name, item in value.items()}
        case _:
            return value


def lost(lines: int) -> dict[str, Any]:
    """Return the line that stands for `lines` that are missing."""
    return {"event": "lost", "lines": lines}


def run_started(
    *,
    version: str,
    provider: str,
    model: str,
    fallback: str | None,
    inputs: Sequence[str],
    settings: Mapping[str, Any],
    fields: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return the first line of a run."""
    return {
        "event": "run_started",
        "version": version,
        "provider": provider,
        "model": model,
        "fallback": fallback,
        "inputs": inputs,
        "settings": settings,
        "fields": fields,
    }

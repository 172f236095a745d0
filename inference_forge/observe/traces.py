"""A run as spans of OpenTelemetry: the run, its batches, and their attempts (`--traces`).

Names follow the semantic conventions for generative AI as of version 1.41.1, the last in which they
are a part of the general ones (docs/gen-ai/gen-ai-spans.md there; they have a repository of their
own since, without a release), and the general conventions for `error.type`, `server.address`,
`server.port` and `http.response.status_code`. What these have no name for begins with `forge.`.

No span holds a ticket's text, id or labels, or words of the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

from inference_forge.events import BatchStarted, RowsResolved, TryFinished
from inference_forge.models import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from inference_forge.events import Event
    from inference_forge.observe.history import RunRecord

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.1"
OPERATION: Final = "chat"
_NS: Final = 1_000_000_000
_PORTS: Final = {"https": 443, "http": 80}

PROVIDER_NAMES: Final = {"mistral": "mistral_ai", "xai": "x_ai", "gemini": "gcp.gemini"}
"""Well-known values of `gen_ai.provider.name` that are spelled otherwise here."""


SOME_FAILED: Final = 3


class Asked(NamedTuple):
    """Who is asked: as settings name them, and method, host and path of the requests."""

    provider: str
    model: str
    address: str


def _about(asked: Asked) -> dict[str, Any]:
    name = PROVIDER_NAMES.get(asked.provider, asked.provider)
    return {"gen_ai.provider.name": name, "gen_ai.request.model": asked.model}


class RunTraces:
    """Makes the spans of one command's run.

    Arguments:
        tracer: starts them.
        run_id: of the run.
        clock: seconds, monotonic.
        began_unix_ns: Unix time at which the clock was read last before, in nanoseconds.
        redact: takes secrets out of a text.

    Attributes:
        ended: spans that were ended so far.
    """

    def __init__(
        self,
        tracer: Tracer,
        run_id: str,
        *,
        clock: Callable[[], float],
        began_unix_ns: int,
        redact: Callable[[str], str],
    ) -> None:
        self._tracer = tracer
        self._clock = clock
        self._offset_ns = began_unix_ns - int(clock() * _NS)
        self._redact = redact
        self._asked = Asked("", "", "")
        self._fallback: Asked | None = None
        self._inputs: list[InputTraces] = []
        self.ended = 0
        self._run = self.start("forge.run", None, {"forge.run.id": run_id}, self.now_ns())
        self._under_run = set_span_in_context(self._run)

    def asks(self, asked: Asked, fallback: Asked | None) -> None:
        """Take note of who is asked, and who steps in."""
        self._asked, self._fallback = asked, fallback
        self._run.set_attributes(_about(asked))

    def input(self, number: int, name: str) -> InputTraces:
        """Return who makes the spans of one more input."""
        about = {"forge.input": number, "forge.input.name": self._redact(name)}
        made = InputTraces(self, self._under_run, about, (self._asked, self._fallback))
        self._inputs.append(made)
        return made

    def finish(self, record: RunRecord) -> None:
        """End all that is open."""
        for each in self._inputs:
            each.finish()
        counts, code = record.counts, record.exit_code or 0
        self._run.set_attributes(
            {
                "forge.exit_code": code,
                "forge.rows": counts.read,
                "forge.classified": counts.classified,
                "forge.failed": counts.failed,
                "forge.pending": counts.pending,
                "gen_ai.usage.input_tokens": counts.prompt_tokens,
                "gen_ai.usage.output_tokens": counts.completion_tokens,
            }
        )
        # Rows that failed are a result; only a run that did not come to its end is an error.
        self.end(self._run, "" if code in {0, SOME_FAILED} else f"exit_{code}", self.now_ns())

    def start(
        self,
        name: str,
        above: Context | None,
        attributes: dict[str, Any],
        at_ns: int,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        """Start a span."""
        return self._tracer.start_span(
            name, context=above, kind=kind, attributes=attributes, start_time=at_ns
        )

    def end(self, span: Span, error: str, at_ns: int) -> None:
        """End a span; `error` is what it ended in, empty for nothing."""
        if error:
            span.set_attribute("error.type", error)
            span.set_status(StatusCode.ERROR)
        self.ended += span.is_recording()
        span.end(end_time=at_ns)

    def now_ns(self) -> int:
        """Return the Unix time in nanoseconds, by a clock that nobody sets."""
        return self._offset_ns + int(self._clock() * _NS)


class _Batch:
    """A batch whose tickets do not all have their outcome."""

    __slots__ = ("context", "failed", "left", "span")

    def __init__(self, span: Span, left: int) -> None:
        self.span = span
        self.context = set_span_in_context(span)
        self.left = left
        self.failed = 0


class InputTraces:
    """An observer that makes the spans of one input."""

    def __init__(
        self,
        run: RunTraces,
        above: Context,
        about: dict[str, Any],
        asked: tuple[Asked, Asked | None],
    ) -> None:
        self._run = run
        self._above = above
        self._about = about
        self._asked, self._fallback = asked
        self._batches: dict[int, _Batch] = {}
        self._servers: dict[str, dict[str, Any]] = {}

    def on_event(self, event: Event) -> None:
        """Start or end the spans that `event` is about."""
        match event:
            case TryFinished():
                # The embedded classifier is asked within this process: nothing was sent.
                if event.address:
                    self._on_try(event)
            case RowsResolved():
                for resolved in event.rows:
                    self._leave(resolved.row.index, isinstance(resolved.outcome, Failure))
            case BatchStarted():
                self._on_batch(event)
            case _:
                pass

    def finish(self) -> None:
        """End the spans of batches that the run left unfinished."""
        open_batches = {id(batch): batch for batch in self._batches.values()}
        for batch in open_batches.values():
            self._end(batch)
        self._batches.clear()

    def _on_batch(self, event: BatchStarted) -> None:
        attributes = {
            **self._about,
            "forge.batch": event.number,
            "forge.batch.tickets": event.tickets,
            "forge.complexity": event.complexity.value,
            "forge.queue_s.max": max(event.waited_s, default=0.0),
        }
        span = self._run.start("forge.batch", self._above, attributes, self._run.now_ns())
        batch = _Batch(span, len(event.rows))
        self._batches.update(dict.fromkeys(event.rows, batch))

    def _leave(self, row: int, is_failure: bool) -> None:
        batch = self._batches.pop(row, None)
        if batch is not None:
            batch.left -= 1
            batch.failed += is_failure
            if not batch.left:
                self._end(batch)

    def _end(self, batch: _Batch) -> None:
        batch.span.set_attribute("forge.batch.failed", batch.failed)
        if batch.left:
            batch.span.set_attribute("forge.batch.pending", batch.left)
        self._run.end(batch.span, "", self._run.now_ns())

    def _on_try(self, event: TryFinished) -> None:
        at_ns = self._run.now_ns()
        batch = self._batches.get(event.rows[0]) if event.rows else None
        other = self._fallback
        is_other = other is not None and (other.address, other.model) == (
            event.address,
            event.model,
        )
        asked = other if other is not None and is_other else self._asked
        attributes = {
            "gen_ai.operation.name": OPERATION,
            **_about(asked),
            **self._server(event.address),
            "forge.tickets": event.tickets,
        }
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if event.usage is not None:
            attributes["gen_ai.usage.input_tokens"] = event.usage.prompt_tokens
            attributes["gen_ai.usage.output_tokens"] = event.usage.completion_tokens
        if event.first_token_s is not None:
            attributes["gen_ai.response.time_to_first_chunk"] = event.first_token_s
        if event.unsettled_tokens:
            attributes["forge.unsettled_tokens"] = event.unsettled_tokens
        span = self._run.start(
            f"{OPERATION} {asked.model}",
            self._above if batch is None else batch.context,
            attributes,
            at_ns - int(event.latency_s * _NS),
            SpanKind.CLIENT,
        )
        self._run.end(span, "" if event.code == "ok" else event.code, at_ns)

    def _server(self, address: str) -> dict[str, Any]:
        """Return the names of the server in `POST HOST[:PORT]/PATH`."""
        if address not in self._servers:
            self._servers[address] = server_of(address)
        return self._servers[address]


def server_of(address: str) -> dict[str, Any]:
    """Return `server.address`, and `server.port` where it is said.

    Arguments:
        address: method, host and path of a request.
    """
    url = address.partition(" ")[2]
    parts = urlsplit(url if "://" in url else f"//{url}")
    port = parts.port or _PORTS.get(parts.scheme)
    found: dict[str, Any] = {"server.address": parts.hostname or ""}
    return found if port is None else {**found, "server.port": port}

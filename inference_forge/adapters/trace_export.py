"""Where spans go: to a collector over OTLP, or to stderr; neither can hold up a run."""

from __future__ import annotations

import logging
import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

SERVICE: Final = "inference-forge"
CLOSE_S: Final = 5.0
"""So long a slow collector is waited for at the end, like a slow reader of events."""

_STATUS: Final = re.compile(r"\bcode: (\d{3})\b")
_NOISY: Final = ("opentelemetry", "urllib3")


class CountingExporter(SpanExporter):
    """Hands spans to another exporter, and counts those that arrived.

    Arguments:
        other: sends them; what it raises is a failure.

    Attributes:
        arrived: spans that were taken.
    """

    def __init__(self, other: SpanExporter) -> None:
        self._other = other
        self.arrived = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = self._other.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.arrived += len(spans)
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._other.shutdown()


class _Kept(logging.Handler):
    """Keeps how a collector refused, and lets nothing through to the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.status = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an HTTP status."""
        found = _STATUS.search(record.getMessage())
        if found is not None:
            self.status = found[1]


class SpanOutlet:
    """Sends spans from a thread of its own; what does not fit its queue is lost, and counted.

    The queue, its batches and its pace are the SDK's (`OTEL_BSP_*`).

    Arguments:
        exporter: sends them.
        version: of forge.
        warn: told, once, of spans that were lost.
        close_s: seconds that are waited at the end, at most.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        version: str,
        warn: Callable[[str], None],
        close_s: float = CLOSE_S,
    ) -> None:
        self._exporter = CountingExporter(exporter)
        self._warn = warn
        self._close_s = close_s
        self._kept = _Kept()
        self._quieted: list[tuple[logging.Logger, bool]] = []
        for name in _NOISY:
            logger = logging.getLogger(name)
            self._quieted.append((logger, logger.propagate))
            logger.propagate = False
            logger.addHandler(self._kept)
        ours = {"service.name": SERVICE, "service.version": version}
        found = OTELResourceDetector().detect().attributes
        self._provider = TracerProvider(
            resource=Resource.create({**ours, **found}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._version = version

    def tracer(self, schema_url: str) -> Tracer:
        """Return what starts spans."""
        return self._provider.get_tracer("inference_forge", self._version, schema_url)

    def close(self, ended: int) -> None:
        """Send what is left, and warn of what was lost.

        Arguments:
            ended: spans that were to arrive.
        """
        last = threading.Thread(target=self._provider.shutdown, name="forge-traces", daemon=True)
        last.start()
        last.join(self._close_s)
        if last.is_alive():
            # Ends a wait before another try; whatever still hangs is a daemon's.
            with suppress(Exception):
                self._exporter.shutdown()
        lost = ended - self._exporter.arrived
        if not last.is_alive():
            # One that still hangs must not say so when the run is over.
            for logger, propagates in self._quieted:
                logger.removeHandler(self._kept)
                logger.propagate = propagates
        if lost > 0:
            because = (
                f"the collector answers {self._kept.status}"
                if self._kept.status
                else "no collector took them in time; OTEL_EXPORTER_OTLP_ENDPOINT says where it is"
            )
            self._warn(f"--traces: {lost:,} of {ended:,} spans did not arrive: {because}")


def otlp_exporter() -> SpanExporter:
    """Return what sends spans over http/protobuf to where `OTEL_EXPORTER_OTLP_*` say.

    Raises:
        ValueError: one of them cannot be used.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()


def console_exporter(stream: TextIO) -> SpanExporter:
    """Return what prints spans, a line of JSON each."""
    return ConsoleSpanExporter(out=stream, formatter=lambda span: f"{span.to_json(indent=None)}\n")

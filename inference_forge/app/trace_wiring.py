"""From settings to the traces of a run."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.errors import UsageError
from inference_forge.settings import TraceExport
from inference_forge.version import version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.adapters.trace_export import SpanOutlet
    from inference_forge.app.answering import Choice
    from inference_forge.app.notices import Notices
    from inference_forge.observe.history import RunRecord
    from inference_forge.observe.traces import RunTraces

LIBRARIES: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
SPOKEN: Final = "http/protobuf"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SECRETS: Final = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")


class TraceOutlet(Struct):
    """The spans of one run and where they go."""

    spans: RunTraces
    outlet: SpanOutlet

    def asks(self, record: RunRecord, choice: Choice) -> None:
        """Take note of who is asked, and who steps in."""
        from inference_forge.observe.traces import Asked  # noqa: PLC0415 - loaded by now

        other = choice.fallback
        self.spans.asks(
            Asked(record.provider, record.model, choice.answering.address),
            None if other is None else Asked(other.name, other.provider.model, other.address),
        )

    def end(self, record: RunRecord) -> None:
        """End all spans, and send what is left."""
        self.spans.finish(record)
        self.outlet.close(self.spans.ended)


def open_traces(
    export: TraceExport,
    run_id: str,
    *,
    environ: Mapping[str, str],
    redact: Callable[[str], str],
    notices: Notices,
) -> TraceOutlet | None:
    """Return the traces' outlet, None where nobody wants any.

    Arguments:
        export: where they go.
        run_id: of the run.
        environ: says where a collector is.
        redact: takes secrets out of a text.
        notices: take trouble.

    Raises:
        UsageError: the extra is not installed, or the environment asks for what is not spoken.
    """
    if export is TraceExport.NONE:
        return None
    _check(export, environ)
    # They take a while to load, and most runs do without.
    from inference_forge.adapters import trace_export  # noqa: PLC0415
    from inference_forge.observe.traces import SCHEMA_URL, RunTraces  # noqa: PLC0415

    try:
        exporter = (
            trace_export.console_exporter(sys.stderr)
            if export is TraceExport.CONSOLE
            else trace_export.otlp_exporter()
        )
        outlet = trace_export.SpanOutlet(
            exporter,
            version=version(),
            warn=lambda told: notices.warn("traces", redact(told)),
        )
    except ValueError as exc:
        raise UsageError(f"--traces {export}: an OTEL_* variable cannot be used: {exc}") from exc
    clock, unix_ns = time.monotonic, time.time_ns
    spans = RunTraces(
        outlet.tracer(SCHEMA_URL), run_id, clock=clock, began_unix_ns=unix_ns(), redact=redact
    )
    return TraceOutlet(spans, outlet)


def header_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the values of headers that a collector is sent: keys, mostly."""
    pairs = [pair for name in SECRETS for pair in environ.get(name, "").split(",")]
    return [value.strip() for pair in pairs if (value := pair.partition("=")[2])]


def _check(export: TraceExport, environ: Mapping[str, str]) -> None:
    if any(_is_missing(name) for name in LIBRARIES):
        raise UsageError(
            f"--traces {export} needs the extra `otel`: pip install 'inference-forge[otel]'"
        )
    if export is TraceExport.OTLP:
        name = next((name for name in PROTOCOLS if environ.get(name)), None)
        if name is not None and environ[name] != SPOKEN:
            raise UsageError(
                f"{name}={environ[name]}: only {SPOKEN} is spoken; set it to that, and "
                "OTEL_EXPORTER_OTLP_ENDPOINT to the collector's HTTP port (4318)"
            )


def _is_missing(name: str) -> bool:
    try:
        return find_spec(name) is None
    except ModuleNotFoundError:
        return True

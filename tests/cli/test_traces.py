"""`--traces`: spans of the run, its batches and their attempts, at a collector on loopback."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from running import CANARY, GOOD, forge, tickets
from servers import Reply, ScriptedServer, completion, error

from inference_forge.adapters import trace_export
from inference_forge.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("isolated")

SIMULATED = ("--provider", "simulated", "--simulation", "latency=0", "--no-cache")
OTLP = (*SIMULATED, "--traces", "otlp")
ONE = b'{"id": 1, "text": "hello"}\n'
TEXT = "my invoice 4711 is wrong"


class Collector:
    """What arrived, and what is answered."""

    def __init__(self) -> None:
        self.bodies: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.hangs = threading.Event()
        self.hangs.set()

    @property
    def spans(self) -> list[Any]:
        """Return all spans."""
        return [
            span
            for body in self.bodies
            for resource in body.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Any]:
        """Return the spans whose name begins so."""
        return [span for span in self.spans if span.name.startswith(name)]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Listen on loopback for OTLP over http/protobuf."""
    with listening() as (found, port):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        yield found


@contextmanager
def listening() -> Iterator[tuple[Collector, int]]:
    """Yield a collector and its port."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            found.hangs.wait(30)
            assert self.path == "/v1/traces"
            if found.status == 200:
                found.bodies.append(ExportTraceServiceRequest.FromString(data))
                found.headers.append({k.lower(): v for k, v in self.headers.items()})
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found, server.server_port
    finally:
        found.hangs.set()
        server.shutdown()
        server.server_close()
        thread.join()


def facts(span: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource."""
    values = {each.key: each.value for each in span.attributes}
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def test_a_run_its_batches_and_their_attempts(collector: Collector) -> None:
    """Each below the one above, with the names of the conventions, and no text of a ticket."""
    tickets(Path("in.csv"), *(f"{TEXT} {n}" for n in range(12)), "")
    prices = ("--price-in", "1", "--price-out", "2", "--summary-json", "s.json")
    done = forge("classify", "in.csv", *OTLP, *prices)
    assert done.code == 3
    found = json.loads(Path("s.json").read_text(encoding="utf-8"))
    (run,), batches, attempts = (collector.named(each) for each in ("forge.r", "forge.b", "chat "))
    assert len(collector.spans) == 1 + len(batches) + len(attempts)
    assert len({span.trace_id for span in collector.spans}) == 1
    assert run.parent_span_id == b""
    assert facts(run)["forge.run.id"] == found["run_id"]
    assert facts(run)["forge.exit_code"] == 3
    assert run.status.code == 0
    assert {span.parent_span_id for span in batches} == {run.span_id}
    assert sum(facts(span)["forge.batch.tickets"] for span in batches) == 12
    assert {span.parent_span_id for span in attempts} <= {span.span_id for span in batches}
    assert len(attempts) == found["stats"]["requests"]
    for span in attempts:
        about = facts(span)
        assert (span.kind, span.name) == (3, f"chat {found['model']}")
        assert about["gen_ai.operation.name"] == "chat"
        assert about["gen_ai.provider.name"] == "simulated"
        assert about["gen_ai.request.model"] == found["model"]
        assert about["server.address"]
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        assert run.start_time_unix_nano <= span.end_time_unix_nano <= run.end_time_unix_nano
    tokens = Counter[str]()
    for span in attempts:
        tokens.update({k: v for k, v in facts(span).items() if k.startswith("gen_ai.usage")})
    assert tokens["gen_ai.usage.input_tokens"] == found["stats"]["prompt_tokens"]
    assert tokens["gen_ai.usage.output_tokens"] == found["stats"]["completion_tokens"]
    (body, *_) = collector.bodies
    resource = facts(body.resource_spans[0].resource)
    assert resource["service.name"] == "inference-forge"
    assert resource["service.version"] == version()
    assert body.resource_spans[0].scope_spans[0].schema_url.endswith("/1.41.1")
    assert TEXT not in str(collector.bodies)


def test_what_fails_says_as_what(collector: Collector) -> None:
    """By code and status; the provider's words, and keys, are in no span."""

    def script(number: int, _: Any) -> Reply:
        return error(500, "down", TEXT) if number == 0 else completion(GOOD)

    tickets(Path("in.csv"), "one", "two")
    with ScriptedServer(script) as server:
        ask = ("--provider", "openai", "--base-url", server.url, "--model", "m", "--traces", "otlp")
        assert forge("classify", "in.csv", *ask).code == 0
        port = int(server.url.rpartition(":")[2].partition("/")[0])
    (bad,) = (span for span in collector.named("chat m") if span.status.code == 2)
    assert facts(bad)["http.response.status_code"] == 500
    assert facts(bad)["error.type"]
    assert (facts(bad)["server.address"], facts(bad)["server.port"]) == ("127.0.0.1", port)
    assert bad.status.message == ""
    assert TEXT not in str(collector.bodies)
    assert CANARY not in str(collector.bodies)


def test_a_run_that_stops_is_an_error(collector: Collector) -> None:
    """Its batches end with it."""
    tickets(Path("in.csv"), *(f"{TEXT} {n}" for n in range(5)))
    with ScriptedServer(lambda *_: error(401, "invalid_api_key", "no")) as server:
        ask = ("--provider", "openai", "--base-url", server.url, "--model", "m", "--traces", "otlp")
        assert forge("classify", "in.csv", *ask).code == 4
    (run,) = collector.named("forge.run")
    assert (run.status.code, facts(run)["error.type"]) == (2, "exit_4")
    assert sum(facts(span).get("forge.batch.pending", 0) for span in collector.named("forge.b")) > 0


def test_the_environment_names_headers_and_service(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What OTEL_* say wins; a header's value is a secret."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=verysecret123")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    tickets(Path("in.csv"), "one")
    done = forge("classify", "in.csv", *OTLP, "--events", "e.ndjson")
    assert collector.headers[0]["api-key"] == "verysecret123"
    assert facts(collector.bodies[0].resource_spans[0].resource)["service.name"] == "nightly"
    assert "verysecret123" not in done.err + Path("e.ndjson").read_text(encoding="utf-8")


def test_a_dead_collector_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends as it would have, soon; the exporter's own words are not on the terminal."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(trace_export.SpanOutlet.__init__, "__kwdefaults__", {"close_s": 0.2})
    tickets(Path("in.csv"), *(f"{TEXT} {n}" for n in range(12)))
    done = forge("classify", "in.csv", *OTLP)
    assert done.code == 0
    (line,) = (line for line in done.lines if "spans" in line or "xport" in line)
    assert line.startswith("warning: --traces: ")
    assert " spans did not arrive: no collector took them in time; OTEL_" in line
    assert all(line.startswith("forge: ") for line in done.err.splitlines())


@pytest.mark.parametrize("status", [401, 503])
def test_a_collector_that_refuses_is_one_warning(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """And one that hangs is waited for a bounded time."""
    monkeypatch.setattr(trace_export.SpanOutlet.__init__, "__kwdefaults__", {"close_s": 0.2})
    collector.status = status
    if status == 503:
        collector.hangs.clear()
    tickets(Path("in.csv"), "one")
    done = forge("classify", "in.csv", *OTLP)
    assert done.code == 0
    assert sum("did not arrive" in line for line in done.lines) == 1
    if status == 401:
        assert "the collector answers 401" in done.err


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said before anything is sent; without --traces it is not missed."""
    monkeypatch.setattr("inference_forge.app.trace_wiring.LIBRARIES", ("no_such.library",))
    tickets(Path("in.csv"), "one")
    done = forge("classify", "in.csv", *OTLP)
    assert done.code == 2
    assert "pip install 'inference-forge[otel]'" in done.err
    assert not Path("in.results.csv").exists()
    assert forge("classify", "in.csv", *SIMULATED).code == 0


def test_only_http_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol that would go nowhere is an error, not silence."""
    tickets(Path("in.csv"), "one")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    done = forge("classify", "in.csv", *OTLP)
    assert done.code == 2
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf is spoken" in done.err
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(trace_export.SpanOutlet.__init__, "__kwdefaults__", {"close_s": 0.0})
    assert forge("classify", "in.csv", *OTLP).code == 0


def test_on_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of JSON each on stderr, for trying it out; the results stay alone on stdout."""
    done = forge("classify", "-", *SIMULATED, "--traces", "console", stdin=ONE)
    assert done.code == 0
    spans = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert [span["name"].split()[0] for span in spans] == ["chat", "forge.batch", "forge.run"]
    assert b"trace_id" not in done.out
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    done = forge("classify", "-", *SIMULATED, "--traces", "console", stdin=ONE)
    assert "trace_id" not in done.err
    assert "did not arrive" not in done.err


def test_it_is_loaded_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants no traces does not wait for their libraries."""
    for name in [name for name in sys.modules if name.startswith("inference_forge.observe.traces")]:
        monkeypatch.delitem(sys.modules, name)
    tickets(Path("in.csv"), "one")
    assert forge("classify", "in.csv").code == 0
    assert "inference_forge.observe.traces" not in sys.modules


def test_the_embedded_classifier_sends_nothing(collector: Collector) -> None:
    """Its batches are spans, requests there are none."""
    tickets(Path("in.csv"), "one", "two")
    assert forge("classify", "in.csv", "--traces", "otlp").code == 0
    assert collector.named("chat ") == []
    assert collector.named("forge.b")


def test_one_that_hangs_is_not_waited_for() -> None:
    """Longer than is allowed: an export that never ends would hold up the end of a run."""
    told: list[str] = []
    hangs = threading.Event()

    class Hanging(SpanExporter):
        def export(self, _spans: object) -> SpanExportResult:
            hangs.wait()
            return SpanExportResult.FAILURE

    outlet = trace_export.SpanOutlet(Hanging(), version="1", warn=told.append, close_s=0.01)
    outlet.tracer("").start_span("x").end()
    outlet.close(1)
    hangs.set()
    assert told[0].startswith("--traces: 1 of 1 spans did not arrive")

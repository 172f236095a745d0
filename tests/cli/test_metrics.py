"""`--metrics` and `--metrics-port`: what Prometheus sees of runs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running import GOOD, finish, forge, spawn, tickets
from servers import Reply, ScriptedServer, completion

SIMULATED = ("--provider", "simulated", "--simulation", "latency=0.01")
PRICED = ("--price-in", "100", "--price-out", "200")


def read(text: str) -> dict[str, float]:
    """Return the samples, `task` left out: `forge_tickets_total{outcome=failed}` and so on."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k != "task"}
            assert sample.labels["task"], sample
            named = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
            found[f"{sample.name}{{{named}}}" if named else sample.name] = float(sample.value)
    return found


def metrics(path: str = "nightly.prom") -> dict[str, float]:
    """Return what a textfile holds; promtool finds nothing to complain of."""
    text = Path(path).read_text(encoding="utf-8")
    if (promtool := shutil.which("promtool")) is not None:
        done = subprocess.run(
            [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return read(text)


def run(*arguments: object) -> dict[str, float]:
    """Return the metrics of a run over `in.csv`."""
    done = forge("classify", "in.csv", *arguments, "--metrics", "nightly.prom")
    found = metrics()
    assert found["forge_last_run_exit_code"] == done.code, done.err
    return found


def test_a_run_in_figures(isolated: Path) -> None:
    """Outcomes, calls, tokens, cost, histograms; at rest when it has ended."""
    tickets(isolated / "in.csv", "one", "", "two", "one")
    found = run(*SIMULATED, *PRICED)
    assert found["forge_tickets_total{outcome=classified}"] == 3
    assert found["forge_tickets_total{outcome=failed}"] == 1
    assert found["forge_ticket_failures_total{code=empty_text}"] == 1
    assert found["forge_hits_total{source=coalesced}"] == 1
    assert found["forge_calls_total{status=2xx}"] == 2
    assert found["forge_tokens_total{direction=input}"] > 100
    assert found["forge_cost_total{currency=USD}"] == found["forge_run_cost{currency=USD}"] > 0
    for name in ("forge_call_latency_seconds", "forge_queue_seconds"):
        assert found[f"{name}_count"] == found[f"{name}_bucket{{le=+Inf}}"] == 2
        assert found[f"{name}_sum"] >= 0  # a loop may count milliseconds
    assert found["forge_run_failure_ratio"] == 0.25
    assert found["forge_run_active"] == found["forge_in_flight"] == found["forge_queue_depth"] == 0
    assert found["forge_breaker_state{state=closed}"] == 1
    labels = {name: value for name, value in found.items() if "field=category" in name}
    assert sum(labels.values()) == 3
    assert "forge_last_success_timestamp_seconds" not in found
    assert Path("nightly.prom").stat().st_mode & 0o444 == 0o444 & ~_umask()
    assert sorted(path.suffix for path in isolated.iterdir()) == [".csv", ".csv", ".csv", ".prom"]


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_counters_go_on_where_the_last_run_left_them(isolated: Path) -> None:
    """Two runs that end at the same figure are not one; gauges are of the last run."""
    tickets(isolated / "in.csv", "one", "two")
    first = run(*SIMULATED, *PRICED)
    second = run(*SIMULATED, *PRICED)
    assert second["forge_tickets_total{outcome=classified}"] == 4
    assert second["forge_hits_total{source=cache}"] == 2
    assert second["forge_calls_total{status=2xx}"] == 2
    assert second["forge_cost_total{currency=USD}"] == first["forge_cost_total{currency=USD}"]
    assert second["forge_call_latency_seconds_count"] == 2
    assert second["forge_run_cache_hit_ratio"] == 1
    assert "forge_run_cost{currency=USD}" not in second


def test_the_last_success_outlives_a_run_that_fails(isolated: Path) -> None:
    """Also one that ends with 2, whatever it ended for."""
    tickets(isolated / "in.csv", "one")
    good = run()
    success = good["forge_last_success_timestamp_seconds"]
    assert success == good["forge_last_run_timestamp_seconds"]
    for flags in (("--provider", "nobody"), ("--concurrency", "0"), ("--events", "no/e")):
        bad = run(*flags)
        assert bad["forge_last_run_exit_code"] == 2
        assert bad["forge_last_success_timestamp_seconds"] == success
        assert bad["forge_last_run_timestamp_seconds"] > success
        assert bad["forge_tickets_total{outcome=classified}"] == 1
    assert run()["forge_last_success_timestamp_seconds"] > success


def test_a_missing_input_is_in_the_metrics(isolated: Path) -> None:
    """A job whose export does not come has run, and failed."""
    assert not (isolated / "in.csv").exists()
    assert run()["forge_last_run_exit_code"] == 2


def test_trouble_is_counted(isolated: Path) -> None:
    """429s, retries, the breaker."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(12)))

    def script(number: int, _body: Any) -> Reply:
        if number == 0:
            return Reply(429, {"error": {"message": "slow"}}, {"Retry-After": "0.1"})
        return completion(GOOD) if number > 7 else Reply(500, {"error": {"message": "down"}})

    with ScriptedServer(script) as server:
        found = run(
            "--provider", "openai", "--base-url", server.url, "--model", "m",
            "--breaker-recovery", "1s",
        )  # fmt: skip
    assert found["forge_throttles_total"] == found["forge_calls_total{status=429}"] == 1
    assert found["forge_calls_total{status=500}"] == 7
    assert found["forge_breaker_openings_total"] == 1
    assert found["forge_retries_total"] > 0


def test_a_run_is_seen_while_it_lasts(isolated: Path) -> None:
    """In the file from the start, and live on loopback; both say how it was stopped."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(300)))
    process = spawn(
        "classify", "in.csv", "--provider", "simulated", "--simulation", "latency=0.2",
        "--concurrency", "2", "--grace", "0", "--metrics", "nightly.prom", "--metrics-port", "0",
    )  # fmt: skip
    stderr = b""
    assert process.stderr is not None
    address = None
    while address is None:
        line = process.stderr.readline()
        assert line, stderr
        stderr += line
        address = re.search(r"http://127\.0\.0\.1:\d+/metrics", line.decode())
    deadline_s = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(address[0], timeout=5) as answer:  # noqa: S310 - loopback
            found = read(answer.read().decode())
        if found.get("forge_in_flight", 0) and found["forge_tickets_total{outcome=classified}"]:
            break
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert found["forge_run_active"] == metrics()["forge_run_active"] == 1
    assert found["forge_queue_depth"] > 0
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 143
    assert metrics()["forge_last_run_exit_code"] == 143


def test_a_port_that_is_taken(isolated: Path) -> None:
    """Exit 2 before anything is sent; in the metrics of the file, too."""
    tickets(isolated / "in.csv", "one")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = forge("classify", "in.csv", "--metrics-port", port)
    assert done.code == 2
    assert f"error: --metrics-port {port}: nothing can listen there (Address already" in done.err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("m.txt", "node_exporter reads only files whose name ends in .prom"),
        (".prom", "node_exporter reads only files whose name ends in .prom"),
        ("no/m.prom", "cannot be written: No such file or directory"),
        ("dir.prom", "cannot be written: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_used(isolated: Path, name: str, told: str) -> None:
    """Exit 2 before anything is sent."""
    tickets(isolated / "in.csv", "one")
    (isolated / "dir.prom").mkdir()
    done = forge("classify", "in.csv", "--metrics", name)
    assert done.code == 2
    assert f"error: --metrics {name}: {told}" in done.err
    assert not (isolated / "in.results.csv").exists()


@pytest.mark.parametrize("before", [b"no metrics { at all", b"\xff\xfe"])
def test_a_file_of_something_else_is_replaced(isolated: Path, before: bytes) -> None:
    """With a warning: the counters begin anew."""
    tickets(isolated / "in.csv", "one")
    Path("nightly.prom").write_bytes(before)
    done = forge("classify", "in.csv", "--metrics", "nightly.prom")
    told = "nightly.prom: it holds no metrics, so its counters begin anew; it is replaced"
    assert (done.code, done.lines.count(f"warning: {told}")) == (0, 1)
    assert metrics()["forge_tickets_total{outcome=classified}"] == 1


def test_another_programs_metrics_are_not_replaced(isolated: Path) -> None:
    """Exit 2 before anything is sent: a file written by a backup, say, is not ours."""
    tickets(isolated / "in.csv", "one")
    before = "# TYPE backup_size_bytes gauge\nbackup_size_bytes 5\n"
    Path("backup.prom").write_text(before)
    done = forge("classify", "in.csv", "--metrics", "backup.prom")
    told = "--metrics backup.prom: it holds another program's metrics (backup_size_bytes), which"
    assert done.code == 2
    assert f"forge: error: {told} would be lost; name another file\n" == done.err
    assert Path("backup.prom").read_text() == before
    assert not Path("in.results.csv").exists()


def test_a_disk_that_fills_up_costs_a_warning(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; the answers are where they belong."""
    tickets(isolated / "in.csv", "one")

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("inference_forge.adapters.metric_outlets.write_whole", full)
    done = forge("classify", "in.csv", "--metrics", "nightly.prom")
    told = "warning: --metrics: nightly.prom cannot be written (No space left on device)"
    assert (done.code, done.lines.count(told)) == (0, 1)
    assert (isolated / "in.results.csv").exists()

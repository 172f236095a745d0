"""examples/monitoring against the real programs, where they are installed."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from running import finish, forge, isolated, spawn, tickets

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["isolated"]

FOLDER = Path(__file__).parent.parent / "examples/monitoring"
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
PRICED = ("--provider", "simulated", "--price-in", "100", "--price-out", "200")

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")
needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus")


def panels() -> list[tuple[str, str]]:
    """Return the title and query of every panel, as Grafana would send it for all tasks."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "10s").replace("$task", ".*"))
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


def series_named(text: str) -> set[str]:
    """Return the names of forge's series in a text, those of a histogram's parts included."""
    return set(re.findall(r"\bforge_[a-z_]+\b", text))


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts.test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    """Syntax, and when each alert fires and when not."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    """That it fires, not only that it is written well."""
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text(encoding="utf-8"))
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    fired = {
        case["alertname"]
        for test in tests["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert names == fired


def test_every_series_that_is_asked_for_exists(isolated: Path) -> None:
    """A renamed metric would leave a panel empty and an alert silent."""
    tickets(isolated / "in.csv", "one", "")
    simulation = ("--simulation", "latency=0.01,rpm=6000,rate_headers=yes")
    forge("classify", "in.csv", *PRICED, *simulation, "--metrics", "m.prom")
    shown = (isolated / "m.prom").read_text()
    shown += " forge_rate_limit_per_second forge_last_success_timestamp_seconds"
    asked = series_named(" ".join(query for _, query in panels()))
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        asked |= series_named(" ".join(rule["expr"] for rule in group["rules"]))
    assert asked <= series_named(shown)


@contextlib.contextmanager
def served(path: Path) -> Iterator[int]:
    """Serve a textfile as node_exporter does, at the port that is yielded."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def prometheus(work: Path, ports: dict[str, int]) -> Iterator[str]:
    """Run Prometheus with the example's configuration at other ports; yields its address."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job["scrape_interval"] = "1s"
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    shutil.copy(FOLDER / "alerts.yml", work)
    (work / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={work}/prometheus.yml",
            f"--storage.tsdb.path={work}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def asked(address: str, query: str) -> list[dict[str, Any]]:
    """Return the samples of a query that are numbers; none while Prometheus does not answer."""
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            found = json.load(answer)["data"]["result"]
    except OSError:
        return []
    return [sample for sample in found if sample["value"][1] != "NaN"]


@needs_prometheus
@pytest.mark.timeout(120)
def test_every_panel_shows_something(isolated: Path) -> None:
    """A real Prometheus scrapes the textfile and the port of a run; each query has data."""
    tickets(isolated / "in.csv", "one", "two", "")
    arguments = ("--metrics", "nightly.prom", "--max-failure-rate", "1")
    assert forge("classify", "in.csv", *PRICED, *arguments).code == 0
    tickets(isolated / "in.csv", *(f"ticket {n % 900}" for n in range(1000)), "")
    port = free_port()
    work = isolated / "prometheus"
    work.mkdir()
    process = spawn(
        "classify", "in.csv", *PRICED, "--concurrency", "4", "--grace", "0", *arguments,
        "--simulation", "latency=0.5,rpm=600,bucket=4,error_rate=0.02", "--metrics-port", port,
        "--rpm", "600", "--quiet",
    )  # fmt: skip
    missing = panels()
    try:
        ports = {"node": 0, "forge": port}
        with served(isolated / "nightly.prom") as ports["node"], prometheus(work, ports) as address:
            deadline_s = time.monotonic() + 90
            while missing and time.monotonic() < deadline_s:
                missing = [(title, query) for title, query in missing if not asked(address, query)]
                time.sleep(0.2)
            with urllib.request.urlopen(f"{address}/api/v1/rules", timeout=5) as rules:  # noqa: S310
                groups = json.load(rules)["data"]["groups"]
    finally:
        process.terminate()
        finish(process)
    assert missing == []
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}

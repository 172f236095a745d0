"""`forge simulate`: options, what it prints, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
import typer
from running import forge, read_csv, tickets
from simulated import chat
from typer.testing import CliRunner

from inference_forge.cli import simulate as module
from inference_forge.cli.simulate import (
    flag_of,
    help_of,
    options_table,
    simulate,
    statistics_lines,
)
from inference_forge.core.simulation.plan_text import OPTIONS
from inference_forge.core.simulation.tally import Statistics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import typer
from inference_forge.cli.simulate import simulate
app = typer.Typer()
app.command()(simulate)
app()
"""
APP = typer.Typer(rich_markup_mode=None)
APP.command()(simulate)


@contextmanager
def simulating(*args: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the command as a process; gives its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str], by: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    """Stop the process; return what was left on its outputs."""
    process.send_signal(by)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    return out, err


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_until_a_signal(by: signal.Signals) -> None:
    """Address on stdout, how to use it on stderr, figures at the end, exit code 0."""
    with simulating("--seed", "3", "--key", "secret", "--model", "m 1") as (url, process):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
        with httpx.Client(trust_env=False, headers={"authorization": "Bearer secret"}) as client:
            reply = client.post(f"{url}/chat/completions", content=chat("x", model="m 1"))
            assert reply.json()["choices"]
            assert client.post(f"{url}/chat/completions", content=b"{").status_code == 400
            seen = client.get(f"{url.removesuffix('/v1')}/statistics")
            assert seen.json()["requests"] == 2
        out, err = stopped(process, by)
    assert "requests    2 (200 1, 400 1)" in out.splitlines()
    assert (
        "forge: try: OPENAI_API_KEY=secret forge classify tickets.csv --provider openai "
        f"--base-url {url} --model 'm 1'" in err.splitlines()
    )
    assert "POST http://127.0.0.1:" in err


def is_refused(port: int) -> bool:
    """Return whether nobody listens any more."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True  # reset: it stopped listening with us in its queue
    return False


def test_a_second_signal_drops_what_is_under_way() -> None:
    """Nobody has to wait for the grace to end."""
    with simulating("--hang-rate", "100%") as (url, process):
        port = int(url.removesuffix("/v1").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            body = chat("x")
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
            client.sendall(head.encode() + b"\r\n\r\n" + body)
            with httpx.Client(trust_env=False) as other:
                while other.get(f"http://127.0.0.1:{port}/statistics").json()["in_flight"] != 1:
                    pass
            process.send_signal(signal.SIGINT)
            while not is_refused(port):
                pass
            start = time.monotonic()
            out, _ = stopped(process)
            assert time.monotonic() - start < 3
    assert "requests    1 (hung 1)" in out


def test_a_run_against_it(isolated: Path) -> None:
    """The command that is printed works, and every request is accounted for."""
    table = tickets(isolated / "t.csv", *(f"the invoice number {n}" for n in range(30)))
    with simulating("--latency", "5ms", "--jitter", "0.3", "--malformed-rate", "1%") as (
        url,
        process,
    ):
        done = forge(
            "classify", table, "--provider", "openai", "--base-url", url, "--model", "simulated"
        )
        out, _ = stopped(process)
    assert done.code in {0, 3}
    rows = read_csv(isolated / "t.results.csv")
    assert {row["category"] for row in rows} == {"billing"}
    assert f"requests    {done.summary['requests']} (200 " in out
    assert "texts       30" in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--latency", "3q"], "--latency: '3q' cannot be used: use seconds, or a text such as"),
        (["--error-rate", "150%"], "error_rate is 1.5; use 0 to 1"),
        (["--outage", "10s"], "--outage: '10s' cannot be used: use START:DURATION"),
        (["--retry-after", "soon"], "use seconds, ms, date, none"),
        (["--port", "70000"], "port 70000 is none: use 1 to 65535, or 0 for any free one"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(args: list[str], message: str) -> None:
    """Exit code 2, and the option as it was written."""
    done = CliRunner().invoke(APP, args)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.startswith("forge: error: ")


def test_flags_become_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with a value, those without, and those that may be repeated."""
    plans = []
    monkeypatch.setattr("anyio.run", lambda _serve, plan, port: plans.append((plan, port)))
    monkeypatch.setattr(module, "statistics_lines", lambda _: ["done"])
    words = "--no-rate-headers --follows-injections --outage 1:2 --outage 5s:9s:reset"
    args = [*words.split(), "--key", "a", "--key", "b", "--rpm", "60", "--port", "7"]
    done = CliRunner().invoke(APP, args)
    assert (done.exit_code, done.stdout) == (0, "done\n")
    plan, port = plans[0]
    assert (plan.send_rate_headers, plan.follows_injections, plan.rpm, port) == (False, True, 60, 7)
    assert (len(plan.outages), plan.outages[1].status, plan.valid_keys) == (2, None, ("a", "b"))


def test_help_tells_every_option_and_its_default() -> None:
    """As a plan in text knows them."""
    told = CliRunner().invoke(APP, ["--help"]).output
    for option in OPTIONS:
        assert re.search(rf"(?<![\w-]){flag_of(option)}(?![\w-])", told), option.name
        assert f"`{flag_of(option)}" in options_table()
    by_name = {option.name: option for option in OPTIONS}
    assert help_of(by_name["retry_after"]).endswith("[default: seconds]")
    assert help_of(by_name["rpm"]).endswith("[default: none]")
    assert help_of(by_name["rate_headers"]).startswith("Do not tell")
    assert by_name["follows_injections"].text == help_of(by_name["follows_injections"])
    assert "seconds\\|ms\\|date\\|none" in options_table()


def test_figures_of_nothing_are_short() -> None:
    """No statuses and no latency without requests."""
    nothing = Statistics(0, {}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, None)
    lines = statistics_lines(nothing)
    assert lines[0] == "requests    0"
    assert not any(line.startswith("latency") for line in lines)


def test_help_does_not_load_the_server() -> None:
    """It comes at once."""
    code = "import inference_forge.cli.simulate, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"anyio", "httpx", "h11", "orjson"}.isdisjoint(done.stdout.split())


def test_statistics_are_json() -> None:
    """With the statuses as names."""
    with simulating() as (url, process):
        with httpx.Client(trust_env=False) as client:
            client.post(f"{url}/chat/completions", content=chat("x"))
            seen = orjson.loads(client.get(f"{url.removesuffix('/v1')}/statistics").content)
        stopped(process)
    assert (seen["by_status"], seen["distinct_texts"]) == ({"200": 1}, 1)

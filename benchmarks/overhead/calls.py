"""What a call costs forge, beside a bare loop, raw sockets, and what else a user would pick.

    python benchmarks/overhead/calls.py                       # minutes; peers are installed first
    python benchmarks/overhead/calls.py --quick               # about a minute, without peers

Needs `pip install '.[fast]'` for this interpreter. An upstream that answers at once has one core,
each client in turn another. Clients take turns for some rounds; a client's cost is what a run of
many tickets takes longer than one of few, so that starting up does not count. Ratios are those of
tickets per second of processor time, which others on the machine disturb little; the time on the
clock is shown as well. `forge` is without `[fast]`. The exit code is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pins import PEERS, PINS
from workload import KEY, MODEL, write_tickets

HERE = Path(__file__).parent
sys.path.insert(1, str(HERE.parent / "interop"))

from environment import Environment  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW = 100
WITH_PEERS = ("openai SDK", "LiteLLM", "BatchLLM", "curator")
TARGETS = (  # of, against, at least
    ("forge", "bare loop", 0.50),
    ("forge", "raw sockets", 0.09),
    ("forge [fast]", "bare loop [fast]", 0.50),
    ("forge [fast]", "raw sockets", 0.15),
)
PEER_TARGET = 4.0


@dataclass
class Client:
    """Something that asks about tickets, and what it took.

    Attributes:
        command: called with address, tickets, output and how many to send at once.
        count: tickets of a long run.
        http: what `--http` is, where there is a choice.
    """

    name: str
    command: list[str]
    count: int
    http: str = "auto"
    is_forge: bool = False
    cpu_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)
    fault: str = ""

    @property
    def per_cpu_s(self) -> float:
        """Return tickets per second of processor time."""
        return 1e6 / statistics.median(self.cpu_us) if self.cpu_us else 0.0


@contextmanager
def upstream(core: int, latency_s: float = 0.0) -> Iterator[str]:
    """Run the model on a core of its own; yield its address."""
    command = [sys.executable, str(HERE / "upstream.py"), "--core", str(core)]
    server = subprocess.Popen(
        [*command, "--latency", str(latency_s)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield server.stdout.readline().strip() if server.stdout else ""
    finally:
        server.kill()
        server.communicate()


def forge_arguments(address: str, tickets: Path, out: Path, in_flight: int) -> list[str]:
    """Return the arguments of a run of `forge classify`."""
    arguments = ["classify", str(tickets), "-o", str(out), "--quiet", "--provider", "openai"]
    arguments += ["--base-url", address, "--model", MODEL, "--concurrency", str(in_flight)]
    return arguments


def timed(
    client: Client, address: str, tickets: Path, in_flight: int, core: int
) -> tuple[float, float]:
    """Run once in a fresh directory; return the seconds of processor and clock.

    Raises:
        RuntimeError: it failed, or did not answer for every ticket.
    """
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.jsonl"
        extra = [address, str(tickets), str(out), "--in-flight", str(in_flight)]
        if client.is_forge:
            extra = [*forge_arguments(address, tickets, out, in_flight), "--http", client.http]
        else:
            extra += ["--http", client.http]
        environ = {
            **os.environ,
            "OPENAI_API_KEY": KEY,
            "FORGE_CACHE_DIR": f"{scratch}/cache",
            "XDG_STATE_HOME": f"{scratch}/state",
            "PYTHONPATH": str(HERE.parent.parent),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        before, began_s = os.times(), time.perf_counter()
        run = subprocess.run(
            ["taskset", "-c", str(core), *client.command, *extra],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        wall_s, after = time.perf_counter() - began_s, os.times()
        if run.returncode or not out.exists():
            said = (run.stderr or run.stdout).strip().splitlines()
            raise RuntimeError(said[-1][:200] if said else f"exit code {run.returncode}")
    used = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return used, wall_s


def measure(client: Client, address: str, directory: Path, in_flight: int, core: int) -> None:
    """Add one round to what is known of a client."""
    if client.fault:
        return
    few, many = directory / f"{FEW}.csv", directory / f"{client.count}.csv"
    for path, count in ((few, FEW), (many, client.count)):
        if not path.exists():
            write_tickets(path, count)
    try:
        start = timed(client, address, few, in_flight, core)
        whole = timed(client, address, many, in_flight, core)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        client.fault = str(error)
        return
    more = client.count - FEW
    client.cpu_us.append((whole[0] - start[0]) / more * 1e6)
    client.wall_us.append((whole[1] - start[1]) / more * 1e6)


def clients(options: argparse.Namespace) -> Iterator[Client]:
    """Yield all that take part."""
    python, many = sys.executable, options.count
    forge = [python, "-m", "inference_forge"]
    yield Client("raw sockets", [python, str(HERE / "raw.py")], 4 * many)
    for label, http in (("", "plain"), (" [fast]", "auto")):
        yield Client(f"bare loop{label}", [python, str(HERE / "bare.py")], 2 * many, http)
        yield Client(f"forge{label}", forge, many, http, is_forge=True)
    if options.peers:
        for name in WITH_PEERS:
            script, environment = PEERS[name]
            installed = Environment(options.environments / environment, PINS[environment])
            installed.install()
            command = [installed.program("python"), str(HERE / "peers" / script)]
            yield Client(name, command, options.peer_count)


def verdicts(found: dict[str, Client]) -> Iterator[tuple[str, float, float]]:
    """Yield what is compared, the ratio, and its target."""
    for of, against, least in TARGETS:
        yield f"{of} / {against}", found[of].per_cpu_s / found[against].per_cpu_s, least
    peers = [found[name] for name in WITH_PEERS if name in found and found[name].cpu_us]
    if peers:
        best = max(peers, key=lambda peer: peer.per_cpu_s)
        for of in ("forge", "forge [fast]"):
            yield f"{of} / {best.name}", found[of].per_cpu_s / best.per_cpu_s, PEER_TARGET


def report(found: dict[str, Client]) -> bool:
    """Print what was measured; tell whether every target is met."""
    print(f"{'':<18} {'µs CPU':>8} {'µs clock':>9} {'per s CPU':>10}  rounds")
    for client in found.values():
        if client.cpu_us:
            cpu, wall = statistics.median(client.cpu_us), statistics.median(client.wall_us)
            rounds = " ".join(f"{each:.0f}" for each in client.cpu_us)
            print(f"{client.name:<18} {cpu:8.0f} {wall:9.0f} {1e6 / cpu:10,.0f}  {rounds}")
        if client.fault:
            print(f"{client.name:<18} did not run: {client.fault}")
    is_met = True
    for what, ratio, least in verdicts(found):
        is_met &= ratio >= least
        print(f"{what:<34} {ratio:6.2f}   target {least:.2f}{'' if ratio >= least else '  !'}")
    return is_met


def parsed() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000, help="tickets of forge's runs")
    parser.add_argument("--peer-count", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="2,000 tickets, 3 rounds, no peers")
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    environments = Path.home() / ".cache" / "forge-benchmarks"
    parser.add_argument("--environments", type=Path, default=environments)
    parser.add_argument("--cores", type=int, nargs=2, default=(0, 1), help="server's, client's")
    options = parser.parse_args()
    if options.quick:
        options.count, options.rounds, options.peers = 2_000, 3, False
    return options


def main() -> int:
    """Measure everybody in turn."""
    options = parsed()
    server, core = options.cores
    os.sched_setaffinity(0, {server})
    found = {client.name: client for client in clients(options)}
    with tempfile.TemporaryDirectory() as scratch, upstream(server) as address:
        for number in range(options.rounds):
            for client in found.values():
                print(f"round {number + 1}: {client.name} ...", end="\r", file=sys.stderr)
                measure(client, address, Path(scratch), options.in_flight, core)
    return 0 if report(found) else 1


if __name__ == "__main__":
    sys.exit(main())

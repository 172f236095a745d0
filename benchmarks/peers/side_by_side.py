"""Forge and what else a user would pick, side by side, through the same trouble.

    python benchmarks/peers/side_by_side.py                    # all; peers are installed first
    python benchmarks/peers/side_by_side.py --only forge --only BatchLLM --scenario kill
    python benchmarks/peers/side_by_side.py --quick            # a tenth of the rows

`forge simulate` has one core, the clients in turn the other (where all they do is wait, they run
at the same time, each with a provider of its own, the next once the last one has sent something).
All have 64 requests at once, the same tickets and the same instructions, and otherwise their own
defaults; what else was set stands below the tables. Each has a fresh home. Time includes starting
up. The exit code is 1 when forge loses a row, or asks again for an answer that it had, but for
those that were under way when it was killed.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import os
import platform
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path[1:1] = [str(HERE.parent / "overhead"), str(HERE.parent / "interop")]

from clients import NAMES, SETTINGS, clients, versions  # noqa: E402
from processes import STOPPING, Ended, Stopped, ended, provider  # noqa: E402
from scenarios import IN_FLIGHT, SCENARIOS  # noqa: E402
from tables import Measured, broken, overview, shown_time, table  # noqa: E402
from ticket_sets import counted, rows_in, tickets_of, write_csv  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clients import Client
    from processes import Provider
    from scenarios import Scenario

NEXT_S = 20.0
"""Longest wait until the next client starts, where they run at the same time."""


def runs(
    client: Client,
    scenario: Scenario,
    server: Provider,
    home: Path,
    options: argparse.Namespace,
) -> Iterator[Ended]:
    """Yield how a client's runs end: one, or two where it is killed in between."""
    command = client.command(scenario, server.address, home, IN_FLIGHT)
    environ = client.environ(scenario, home)
    core = options.cores[1]
    if scenario.is_killed:
        half = scenario.rows // 2

        def is_half_paid() -> bool:
            return int(server.statistics()["by_status"].get("200", 0)) >= half

        log = home / "killed.log"
        yield ended(command, environ, log, core, options.limit, is_half_paid)
    yield ended(command, environ, home / "said.log", core, options.limit)


def measure(
    client: Client,
    scenario: Scenario,
    options: argparse.Namespace,
    has_begun: Callable[[Provider], None] = lambda _: None,
) -> Measured:
    """Let a client label the scenario's tickets; return what came of it."""
    tickets = tickets_of(scenario.rows, scenario.distinct)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        provider(scenario.simulation, options.cores[0]) as server,
    ):
        home = Path(scratch)
        write_csv(home / "tickets.csv", tickets)
        has_begun(server)
        every = list(runs(client, scenario, server, home, options))
        seen = server.statistics()
        counts = counted(tickets, rows_in(home / "out.jsonl", home / "failures.jsonl"))
    fault = ""
    if scenario.is_killed and every[0].exit_code is not None:
        fault = f"ended before it was killed, with {every[0].exit_code}: {every[0].said[:80]}"
    last = every[-1]
    return Measured(
        scenario=scenario.name,
        client=client.name,
        time_s=sum(each.time_s for each in every),
        is_cut=last.exit_code is None,
        requests=seen["requests"],
        repeated=seen["needless_requests"],
        failed=counts.failed,
        unusable=counts.unusable,
        missing=counts.missing,
        is_done=client.is_done(last.exit_code),
        memory_mb=max(each.memory_mb for each in every),
        exit_code=last.exit_code,
        said=last.said[:200],
        fault=fault,
    )


def in_turn(
    taking_part: list[Client], scenario: Scenario, options: argparse.Namespace
) -> Iterator[Measured]:
    """Yield what each client made of a scenario, one after the other."""
    for client in taking_part:
        yield measure(client, scenario, options)


def at_once(
    taking_part: list[Client], scenario: Scenario, options: argparse.Namespace
) -> Iterator[Measured]:
    """Yield the same, with the clients running together; each starts alone."""
    with ThreadPoolExecutor(len(taking_part)) as pool:
        waiting = []
        for client in taking_part:
            servers: list[Provider] = []
            future = pool.submit(measure, client, scenario, options, servers.append)
            waiting.append(future)
            end_s = time.monotonic() + NEXT_S
            while not future.done() and time.monotonic() < end_s:
                if servers and servers[0].statistics()["requests"]:
                    break
                time.sleep(0.1)
        for future in waiting:
            yield future.result()


def heading() -> str:
    """Return when and where this is, and what runs, in a line."""
    now = dt.datetime.now(tz=dt.UTC)
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores ({platform.machine()}, load {load:.1f})"
    return f"{now:%Y-%m-%d}, {machine}, {platform.system()}. {versions()}."


def keep(path: Path | None, top: str, found: list[Measured]) -> None:
    """Write what is known so far to a file, for `--show`."""
    if path is not None:
        rows = [dataclasses.asdict(one) for one in found]
        path.write_text(json.dumps({"heading": top, "measured": rows}, indent=1))


def report(top: str, found: list[Measured], scenarios: list[Scenario]) -> bool:
    """Print all tables; tell whether forge kept its promises."""
    print(f"{top}\n")
    for scenario in scenarios:
        of_this = [one for one in found if one.scenario == scenario.name]
        print("\n".join(table(scenario, of_this)), end="\n\n")
    if len(scenarios) > 1:
        print("\n".join(overview(found)), end="\n\n")
    for name in dict.fromkeys(one.client for one in found):
        print(f"- {name}: {SETTINGS[name]}")
    faults = list(broken(found))
    print("\n".join(f"! {fault}" for fault in faults))
    return not faults


def shown(path: Path) -> bool:
    """Print what a file of `--json` holds; tell whether forge kept its promises."""
    kept = json.loads(path.read_text("utf-8"))
    found = [Measured(**one) for one in kept["measured"]]
    names = {one.scenario for one in found}
    return report(kept["heading"], found, [s for s in SCENARIOS if s.name in names])


def parsed() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", choices=NAMES, help="repeat for several")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--scenario", action="append", choices=names, help="repeat for several")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, 30 s at most")
    parser.add_argument("--limit", type=float, default=100.0, help="seconds a run may take")
    venvs = Path.home() / ".cache" / "forge-benchmarks"
    parser.add_argument("--venvs", type=Path, default=venvs, help="peers' virtual environments")
    parser.add_argument("--cores", type=int, nargs=2, default=(0, 1), help="server's, clients'")
    parser.add_argument("--json", type=Path, help="keep all figures there, as they come")
    parser.add_argument("--show", type=Path, help="print the tables of such a file; run nothing")
    options = parser.parse_args()
    options.limit = min(options.limit, 30.0) if options.quick else options.limit
    return options


def chosen(options: argparse.Namespace) -> list[Scenario]:
    """Return the scenarios that the command line asks for."""
    found = [s for s in SCENARIOS if not options.scenario or s.name in options.scenario]
    if not options.quick:
        return found
    return [dataclasses.replace(s, rows=s.rows // 10, distinct=s.distinct // 10) for s in found]


def main() -> int:
    """Measure everybody in turn."""
    options = parsed()
    if options.show:
        return 0 if shown(options.show) else 1
    os.sched_setaffinity(0, {options.cores[0]})
    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wanted, lambda *_: STOPPING.set())
    scenarios = chosen(options)
    taking_part = clients([n for n in NAMES if n in (options.only or NAMES)], options.venvs)
    top, found = heading(), []
    try:
        for scenario in scenarios:
            measuring = at_once if scenario.is_hopeless else in_turn
            for one in measuring(taking_part, scenario, options):
                found.append(one)
                keep(options.json, top, found)
                told = one.fault or f"{shown_time(one)}, {one.requests:,} requests; {one.said}"
                print(f"{scenario.name}: {one.client}: {told}", file=sys.stderr)
    except Stopped:
        return 130
    return 0 if report(top, found, scenarios) else 1


if __name__ == "__main__":
    sys.exit(main())

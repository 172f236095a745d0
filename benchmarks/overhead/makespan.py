"""How near a run gets to what a provider's latency allows.

    python benchmarks/overhead/makespan.py            # about three minutes
    python benchmarks/overhead/makespan.py --quick    # a minute

20,000 distinct tickets against an upstream that takes 200 ms: with 200 in flight over the default
transport, and with 1,000 over that of `[fast]`. The ideal is count x latency / in flight. Client
and upstream have a core each. Starting up, as a run of few tickets takes it, does not count; all
else does, the first seconds included in which the limit on requests grows from 8. The median of the
rounds counts; the exit code is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from calls import FEW, Client, timed, upstream
from workload import write_tickets

LATENCY_S = 0.2
RUNS = (("plain", 200, 1.05), ("auto", 1_000, 1.5))


def makespans(http: str, in_flight: int, count: int, rounds: int) -> list[tuple[float, float]]:
    """Return the seconds of processor and clock that runs took, start-up excluded."""
    forge = [sys.executable, "-m", "inference_forge"]
    client = Client("forge", forge, count, http, is_forge=True)
    took = []
    with tempfile.TemporaryDirectory() as scratch:
        few, many = Path(scratch) / "few.csv", Path(scratch) / "many.csv"
        write_tickets(few, FEW)
        write_tickets(many, count)
        with upstream(0) as instant, upstream(0, LATENCY_S) as slow:
            for _ in range(rounds):
                start = timed(client, instant, few, in_flight, 1)
                whole = timed(client, slow, many, in_flight, 1)
                took.append((whole[0] - start[0], whole[1] - start[1]))
    return took


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    os.sched_setaffinity(0, {0})
    is_met = True
    for http, in_flight, most in RUNS:
        ideal_s = options.count * LATENCY_S / in_flight
        rounds = 1 if options.quick else options.rounds
        both = makespans(http, in_flight, options.count, rounds)
        took = [wall_s for _, wall_s in both]
        cpu_s = statistics.median(used_s for used_s, _ in both)
        ratio = statistics.median(took) / ideal_s
        is_met &= ratio <= most
        print(
            f"--http {http:<5} {in_flight:5} in flight: {statistics.median(took):5.1f} s, ideal "
            f"{ideal_s:.1f} s, ratio {ratio:.3f}, target {most}{'' if ratio <= most else '  !'}"
            f"   rounds {' '.join(f'{each:.1f}' for each in took)}; processor {cpu_s:.1f} s"
        )
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())

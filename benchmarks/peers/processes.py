"""The provider and its clients as processes: apart from each other, timed, and never left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[2]

STOPPING = threading.Event()
"""Set to kill all clients, in whatever thread they are waited for."""

_LOOK_S = 0.02


class Stopped(Exception):
    """Somebody wants no more of this."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a client's process ended.

    Attributes:
        time_s: seconds from its start, starting up included.
        exit_code: as a shell tells it; None when it was killed here.
        memory_mb: most memory that one of its processes had.
        said: the last line of what it said on stderr, or else on stdout.
    """

    time_s: float
    exit_code: int | None
    memory_mb: float
    said: str


class Provider:
    """`forge simulate`, for as long as the context lasts."""

    def __init__(self, address: str) -> None:
        self.address = address

    def statistics(self) -> dict[str, Any]:
        """Return what it was asked, and what it answered."""
        with urllib.request.urlopen(  # noqa: S310 - a fixed loopback address
            self.address.removesuffix("/v1") + "/statistics", timeout=20
        ) as reply:
            found: dict[str, Any] = json.load(reply)
        return found


@contextmanager
def provider(options: Sequence[str], core: int) -> Iterator[Provider]:
    """Run the simulated provider on a core of its own."""
    command = [sys.executable, "-m", "inference_forge", "simulate", *options]
    server = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        address = server.stdout.readline().strip() if server.stdout else ""
        if not address:
            raise RuntimeError("forge simulate did not start; try it by hand")
        yield Provider(address)
    finally:
        server.kill()
        server.communicate()


def ended(
    command: Sequence[str],
    environ: dict[str, str],
    log: Path,
    core: int,
    limit_s: float,
    is_enough: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run a client to its end, or to the limit.

    Arguments:
        command: what to run.
        environ: its whole environment.
        log: takes what it says; its directory is the client's working directory.
        core: where it runs.
        limit_s: seconds after which it is killed, with all that it started.
        is_enough: asked again and again; True kills it at once.

    Raises:
        Stopped: `STOPPING` was set.
    """
    began_s = time.perf_counter()
    with log.open("wb") as out:
        client = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environ,
            cwd=log.parent,
            start_new_session=True,
        )
    is_cut = False
    while True:
        pid, status, used = os.wait4(client.pid, os.WNOHANG)
        if pid:
            break
        is_late = time.perf_counter() - began_s > limit_s
        if not is_cut and (is_late or STOPPING.is_set() or is_enough()):
            os.killpg(client.pid, signal.SIGKILL)
            is_cut = True
        time.sleep(_LOOK_S)
    time_s = time.perf_counter() - began_s
    client.returncode = os.waitstatus_to_exitcode(status)
    _end_leftovers(client.pid)
    if STOPPING.is_set():
        raise Stopped
    code = client.returncode if client.returncode >= 0 else 128 - client.returncode
    return Ended(time_s, None if is_cut else code, used.ru_maxrss / 1_000 * 1.024, _last_line(log))


def _end_leftovers(group: int) -> None:
    """Kill what a client started and left behind."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")

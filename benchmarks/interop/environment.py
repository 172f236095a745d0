"""A virtual environment per server, made once and kept, and servers run from it on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

READY_S = 120.0
STOP_S = 10.0


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which one server lives.

    Attributes:
        home: its directory; other files that the server needs are kept here, too.
        pins: what is installed, each with its version.
    """

    home: Path
    pins: tuple[str, ...]

    def program(self, name: str) -> str:
        """Return the path of an installed program."""
        return str(self.home / "venv" / "bin" / name)

    def install(self) -> None:
        """Install what is pinned, unless exactly that was installed before."""
        self.home.mkdir(parents=True, exist_ok=True)
        mark, wanted = self.home / "installed.txt", "\n".join(self.pins)
        print(f"{self.home.name}: {', '.join(self.pins)}", flush=True)
        if mark.exists() and mark.read_text("utf-8") == wanted:
            return
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(self.home / "venv")], check=True
        )
        pip = [self.program("python"), "-m", "pip", "install", "--quiet", *self.pins]
        subprocess.run(pip, check=True)
        mark.write_text(wanted, "utf-8")

    def run(self, *command: str, cwd: Path | None = None) -> None:
        """Run a program of the environment to its end.

        Raises:
            subprocess.CalledProcessError: it failed; what it said stands on stderr.
        """
        subprocess.run(
            [self.program(command[0]), *command[1:]], cwd=cwd, env=self.environ(), check=True
        )

    def environ(self) -> dict[str, str]:
        """Return what its programs find: its own programs first, no key, no way to a hub."""
        binaries = self.home / "venv" / "bin"
        cache = self.home / "huggingface"
        (cache / "hub").mkdir(parents=True, exist_ok=True)
        return {
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
            "HOME": str(self.home),
            "HF_HOME": str(cache),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",  # more would wait for each other on a busy machine
        }


def free_port() -> int:
    """Return a port on 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(
    command: Sequence[str], log: Path, environ: dict[str, str], *, probe: str | None
) -> Iterator[None]:
    """Run a server while the block lasts.

    Arguments:
        command: what to run.
        log: takes what it prints.
        environ: its whole environment.
        probe: address that it answers when it is ready, below 500; None does not wait.

    Raises:
        RuntimeError: it ended, or does not answer.
    """
    with log.open("ab") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environ)
        try:
            if probe is not None:
                _await(server, probe, log)
            yield
        finally:
            server.terminate()
            try:
                server.wait(STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await(server: subprocess.Popen[bytes], probe: str, log: Path) -> None:
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}; see {log}")
        if _answers(probe):
            return
        time.sleep(0.1)
    raise RuntimeError(f"no answer from {probe} within {READY_S:g} s; see {log}")


def _answers(probe: str) -> bool:
    try:
        with urllib.request.urlopen(probe, timeout=5):  # noqa: S310 - a fixed loopback address
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False

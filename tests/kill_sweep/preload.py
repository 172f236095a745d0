"""A library that strikes a process at one of its write-class calls, and the log it keeps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOURCE: Final = Path(__file__).with_name("preload.c")
_PROBE: Final = "import os, sys; os.write(os.open(sys.argv[1], os.O_CREAT | os.O_RDWR), b'abc')"


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to one call.

    Attributes:
        at: which of the candidates, from 1.
        action: `kill`, `torn`, `fail` or `short`, as preload.c has them.
        error: number of the error of `fail` and `short`.
        then: `once`, `area` or `all`: which of the later calls fail too.
        call: name of the candidates; empty for all.
        path: how the candidates' paths end; empty for all.
    """

    at: int
    action: str = "kill"
    error: int = 0
    then: str = "once"
    call: str = ""
    path: str = ""

    def environ(self) -> Mapping[str, str]:
        """Return the variables that the library reads."""
        return {
            "SWEEP_AT": str(self.at),
            "SWEEP_ACTION": self.action,
            "SWEEP_ERRNO": str(self.error),
            "SWEEP_THEN": self.then,
            "SWEEP_CALL": self.call,
            "SWEEP_PATH": self.path,
        }


@dataclass(frozen=True, slots=True)
class Call:
    """A write-class call.

    Attributes:
        number: from 1, in the order in which they took place.
        name: for example `pwrite64`.
        area: number of the watched directory that holds the file.
        path: absolute.
        second: where `rename` puts it; empty for other calls.
        size: bytes to write.
        verdict: `passed`, `killed`, `torn`, `failed` or `short`.
        data: what was written, when that is logged.
    """

    number: int
    name: str
    area: int
    path: str
    second: str
    size: int
    verdict: str
    data: bytes = field(repr=False)

    def __str__(self) -> str:
        """Return the call as a person would tell it."""
        onto = f" -> {self.second}" if self.second else ""
        return f"call {self.number}, {self.name} {self.path}{onto} ({self.size} bytes)"


def build_library(directory: Path) -> Path:
    """Compile the library, and skip the test where there is no way to.

    Arguments:
        directory: takes the library and, for a moment, what it is tried out with.
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("stopping a process at its system calls needs Linux")
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("stopping a process at its system calls needs a C compiler (cc)")
    library = directory / "preload.so"
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        pytest.skip(f"preload.c does not compile here: {built.stderr[:500]}")
    log, probe = directory / "probe.log", directory / "probe"
    subprocess.run(
        [sys.executable, "-c", _PROBE, probe],
        env={**os.environ, **environ(library, log, [directory])},
        check=True,
    )
    if [call.name for call in read_log(log) if call.path == str(probe)] != ["create", "write"]:
        pytest.skip("this Python's calls do not go through the C library (a static build?)")
    return library


def environ(
    library: Path, log: Path, roots: Sequence[Path], *, logs_bytes: bool = False
) -> dict[str, str]:
    """Return the variables with which a process is watched."""
    return {
        "LD_PRELOAD": str(library),
        "SWEEP_LOG": str(log),
        "SWEEP_ROOTS": ":".join(map(str, roots)),
        "SWEEP_BYTES": "1" if logs_bytes else "0",
    }


def read_log(log: Path) -> list[Call]:
    """Return the calls that a process made, in their order."""
    return [_call(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _call(line: str) -> Call:
    number, name, area, path, second, size, verdict, data = line.split("\t")
    return Call(
        number=int(number),
        name=name,
        area=int(area),
        path=path,
        second="" if second == "-" else second,
        size=int(size),
        verdict=verdict,
        data=b"" if data == "-" else bytes.fromhex(data),
    )

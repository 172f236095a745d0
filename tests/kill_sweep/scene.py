"""Runs of `forge classify` on one input, to be disturbed, and who asked the server for what."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kill_sweep.outputs import Outputs, missing_rows, table_in
from kill_sweep.preload import Call, Strike, environ, read_log
from kill_sweep.tickets import answer_to, input_rows, marker_in, marker_of, markers_in, rows_in
from servers import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Sequence

KILLED: Final = -9
AREAS: Final = ("outputs", "cache", "state", "tmp")
CACHE: Final = AREAS.index("cache")

_CONCURRENCY: Final = 8
_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended.

    Attributes:
        code: as Python has it: -9 after SIGKILL.
        err: its stderr.
        key: the API key by which the server tells runs apart.
        calls: its write-class calls; empty when nobody watched it.
    """

    code: int
    err: str
    key: str
    calls: Sequence[Call]

    @property
    def struck(self) -> Call | None:
        """The first call that did not pass."""
        return next((call for call in self.calls if call.verdict != "passed"), None)

    @property
    def failed_areas(self) -> set[int]:
        """The areas in which a call failed."""
        return {call.area for call in self.calls if call.verdict != "passed"}

    @property
    def warnings(self) -> list[str]:
        """The lines on stderr that warn."""
        return [line for line in self.err.splitlines() if "warning:" in line]


@dataclass(frozen=True, slots=True)
class Scene:
    """A user's home and an input, of their own.

    Attributes:
        root: holds everything.
    """

    root: Path

    @property
    def work(self) -> Path:
        """Where the input and the outputs are."""
        return self.root / "work"

    @property
    def cache(self) -> Path:
        """Where the answers are kept."""
        return self.root / "home/.cache/inference-forge"

    @property
    def areas(self) -> list[Path]:
        """The directories under watch, in the order of `AREAS`."""
        home = self.root / "home"
        return [self.work, home / ".cache", home / ".local/state", self.root / "tmp"]

    def outputs(self) -> Outputs:
        """Return the final files."""
        return Outputs(
            table_in(self.work / "in.results.csv"), table_in(self.work / "in.failures.csv")
        )

    def partials(self) -> list[str]:
        """Return the names of the unfinished files."""
        return sorted(path.name for path in self.work.glob("*.partial"))

    def classified_in_partial(self) -> set[str]:
        """Return the tickets in the unfinished results whose row is complete up to the summary."""
        path = self.work / "in.results.csv.partial"
        data = path.read_bytes() if path.exists() else b""
        return {marker for _, marker in rows_in(data)}

    def committed(self) -> set[str]:
        """Return the tickets whose answer another process finds in the cache; changes nothing."""
        if not (self.cache / "cache.db").exists():
            return set()
        with tempfile.TemporaryDirectory() as name:
            for suffix in ("", "-wal"):
                path = self.cache / f"cache.db{suffix}"
                if path.exists():
                    shutil.copy(path, name)
            with closing(sqlite3.connect(Path(name) / "cache.db")) as connection:
                ((verdict,),) = connection.execute("PRAGMA integrity_check").fetchall()
                if verdict != "ok":
                    raise AssertionError(f"the cache is damaged: {verdict}")
                values = connection.execute("SELECT value FROM Cache").fetchall()
        return markers_in(b" ".join(bytes(value) for (value,) in values))


class Stage:
    """Makes scenes of one input, runs `forge` in them, and knows who asked the server for what.

    Arguments:
        directory: takes the scenes.
        library: the compiled preload.c; None where nobody is watched.
        tickets: rows of the input, about a twentieth of them duplicates.
        delay_s: how long an answer takes.

    Attributes:
        is_healed: from now on the tickets that failed are answered like others.
        reference: the outputs of an undisturbed run; set by `rehearse`.
        finished: exit code of an undisturbed run.
        rows: the input's rows without its header.
        asked: by run and ticket, how often the server was asked; see `requests`.
        answered_s: by ticket, when the last answer was due; monotonic.
    """

    def __init__(
        self, directory: Path, library: Path | None, tickets: int, delay_s: float = 0.0
    ) -> None:
        self.directory = Path(os.path.realpath(directory))
        self.library = library
        self.delay_s = delay_s
        self.is_healed = False
        self.finished = 0
        self.rows = list(input_rows(tickets))
        self.reference = Outputs(None, None)
        self.asked: dict[str, Counter[str]] = {}
        self.answered_s: dict[str, float] = {}
        self._numbers = count(1)
        self.server = ScriptedServer(lambda _number, body: self._answer(body))

    def close(self) -> None:
        """Stop the server."""
        self.server.close()

    def scene(self) -> Scene:
        """Return a scene in which nothing ever ran."""
        scene = Scene(self.directory / f"scene-{next(self._numbers)}")
        for path in (scene.work, scene.root / "home", scene.root / "tmp"):
            path.mkdir(parents=True)
        with (scene.work / "in.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["id", "text"], *self.rows])
        return scene

    def start(
        self,
        scene: Scene,
        strike: Strike | None = None,
        *,
        logs_bytes: bool = False,
        before: Sequence[str] = (),
    ) -> Running:
        """Start a run; `strike` puts it under watch, `before` comes first in its command."""
        number = next(self._numbers)
        log = scene.root / f"calls-{number}.log"
        variables = _plain_environ(scene, key=f"run-{number}")
        if strike is not None:
            assert self.library is not None
            variables |= environ(self.library, log, scene.areas, logs_bytes=logs_bytes)
            variables |= strike.environ()
        process = subprocess.Popen(
            [
                *before,
                *(sys.executable, "-m", "inference_forge", "classify", "in.csv"),
                *("--provider", "openai", "--base-url", self.server.url, "--model", "m"),
                *("--concurrency", str(_CONCURRENCY)),
            ],
            cwd=scene.work,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return Running(self, process, f"run-{number}", log if strike else None)

    def run(self, scene: Scene, strike: Strike | None = None, **options: Any) -> Ran:
        """Run to the end, be it a violent one; `options` as for `start`."""
        return self.start(scene, strike, **options).end()

    def rehearse(self, scene: Scene | None = None, *, logs_bytes: bool = False) -> Ran:
        """Run undisturbed and take outputs and exit code for the reference."""
        scene = scene or self.scene()
        ran = self.run(scene, Strike(0) if self.library else None, logs_bytes=logs_bytes)
        self.reference, self.finished = scene.outputs(), ran.code
        assert ran.code == (3 if self.reference.failures else 0), ran.err
        assert not ran.warnings, ran.err
        assert not scene.partials()
        ids = [number for number, _ in self.rows]
        assert missing_rows(self.reference, ids) == [], "the reference itself is not whole"
        return ran

    def requests(self, ran: Ran) -> Counter[str]:
        """Return how often the server was asked for each ticket by a run that has ended."""
        for request in self.server.requests:
            if len(request.body) < int(request.headers["content-length"]):
                continue  # its sender died over it: nobody can answer or bill that
            key = request.headers["authorization"].removeprefix("Bearer ")
            self.asked.setdefault(key, Counter())[marker_of(request.parsed)] += 1
        self.server.requests.clear()
        return self.asked.get(ran.key, Counter())

    def answerable(self) -> set[str]:
        """Return the tickets that get an answer worth keeping."""
        results = self.reference.results or [[]]
        return {marker_in(row[1]) for row in results[1:]}

    def settle(self) -> None:
        """Wait until the server has read all that a process sent before it died."""
        assert self.server.wait_until(lambda server: not server._open, timeout_s=30)

    def _answer(self, body: Any) -> Reply:
        if body is None:
            return Reply(status=400)  # the sender died between head and body
        self.answered_s[marker_of(body)] = time.monotonic() + self.delay_s
        return answer_to(body, is_healed=self.is_healed, delay_s=self.delay_s)


@dataclass(slots=True)
class Running:
    """A run under way."""

    stage: Stage
    process: subprocess.Popen[bytes]
    key: str
    log: Path | None

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def kill(self) -> Ran:
        """Kill it with SIGKILL, unless it has ended by itself."""
        self.process.kill()
        return self.end()

    def end(self) -> Ran:
        """Wait for the end; a run that finds none is killed, and its stderr says so."""
        late = b""
        try:
            _, err = self.process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, err = self.process.communicate()
            late = b"\n(killed: still running after %d s)" % _TIMEOUT_S
        self.stage.settle()
        calls = read_log(self.log) if self.log is not None and self.log.exists() else []
        return Ran(self.process.returncode, (err + late).decode(), self.key, calls)


def _plain_environ(scene: Scene, key: str) -> dict[str, str]:
    variables = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return variables | {
        "HOME": str(scene.root / "home"),
        "TMPDIR": str(scene.root / "tmp"),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "OPENAI_API_KEY": key,
    }

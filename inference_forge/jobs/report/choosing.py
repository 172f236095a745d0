"""Choosing one run of a file that holds several, while its lines are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from inference_forge.errors import UsageError
from inference_forge.observe.event_stream import VERSION
from inference_forge.observe.report.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference_forge.observe.report.reading import Fields

_RUN_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_MAX_KNOWN: Final = 10_000
"""Runs that are known to have begun before; more than a file of many years holds."""


class Choice:
    """Gathers one run: the one that was asked for, else the one that began last.

    Arguments:
        source: where the lines are from, for messages.
        wanted: the run's id or its beginning; None for the last.
    """

    def __init__(self, source: str, wanted: str | None) -> None:
        self._source = source
        self._wanted = wanted
        self._run: Gathering | None = None
        self._known: set[str] = set()
        self._problem: str | None = None

    def read(self, lines: Iterable[bytes]) -> Gathering:
        """Read all lines and return the run.

        Raises:
            UsageError: it is not in them, or of a schema that this version does not know.
        """
        for number, line in enumerate(lines, start=1):
            self._take(number, line)
        if self._problem is not None:
            raise UsageError(self._problem)
        if self._run is None:
            raise UsageError(self._nothing())
        self._run.finish()
        return self._run

    def _nothing(self) -> str:
        if self._wanted is not None:
            return f"{self._source} holds no events of a run {self._wanted!r}"
        return f"{self._source} holds no events: forge classify --events FILE writes them"

    def _take(self, number: int, line: bytes) -> None:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            self._count_torn(line)
            return
        if not isinstance(found, dict) or not self._is_event(found):
            self._count_torn(line)
            return
        run = self._run_of(found["run_id"])
        if run is None:
            return
        if found["v"] == VERSION:
            run.add(found)
        elif self._problem is None:
            self._problem = (
                f"{self._source}, line {number}: events of version {found['v']}; this forge reads "
                f"version {VERSION}: update it"
            )

    def _is_event(self, found: Fields) -> bool:
        run_id = found.get("run_id")
        is_named = isinstance(run_id, str) and _RUN_ID.fullmatch(run_id) is not None
        return is_named and type(found.get("v")) is int

    def _count_torn(self, line: bytes) -> None:
        if self._run is not None and line.strip():
            self._run.broken += 1

    def _run_of(self, run_id: str) -> Gathering | None:
        """Return the run that is gathered if this is it, or a new one if it is to be this one."""
        if self._run is not None and self._run.run_id == run_id:
            return self._run
        if not self._is_next(run_id):
            return None
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known.add(run_id)
        self._run, self._problem = Gathering(run_id), None
        return self._run

    def _is_next(self, run_id: str) -> bool:
        if self._wanted is None:
            return run_id not in self._known
        if not run_id.startswith(self._wanted) or self._has_exactly():
            return False
        if self._run is not None and run_id != self._wanted:
            raise UsageError(
                f"several runs in {self._source} begin with {self._wanted!r}: {self._run.run_id}, "
                f"{run_id}"
            )
        return True

    def _has_exactly(self) -> bool:
        return self._run is not None and self._run.run_id == self._wanted

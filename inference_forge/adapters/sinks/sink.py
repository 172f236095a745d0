"""Write every row once: to the results or to the failures."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.adapters.sinks.targets import FileTarget
from inference_forge.errors import RunStopped
from inference_forge.models import (
    Classification,
    Failure,
    JsonRecord,
    ResolvedRow,
    Spending,
    Ticket,
)
from inference_forge.ports import Published

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from inference_forge.adapters.sinks.layout import Encoders, Layout
    from inference_forge.adapters.sinks.optional import OptionalTarget
    from inference_forge.adapters.sinks.targets import Target
    from inference_forge.events import Warned
    from inference_forge.models import Record, Row

# While an input of objects has shown none that is readable, its rows are held back, because the
# first objects name the columns. An input of nothing else must not fill the memory.
_MAX_HELD_BACK = 1_000

# So many rows, or rows of so many bytes, name the columns of a file: how they happen to be cut
# into blocks must not decide, or the same command would give other columns each time.
_NAMING_ROWS = 200
_NAMING_BYTES = 1024 * 1024

# Encoders take resolved rows; those set aside have only their record.
_PENDING = Failure("pending", "")
_NOTHING = Spending()


class FileSink:
    """An `OutcomeSink` over its targets.

    Arguments:
        layout: decides the columns.
        results: takes classified rows.
        failures: takes failed rows.
        pending: takes rows without an outcome; None where none will be set aside.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        results: Target,
        failures: OptionalTarget,
        pending: OptionalTarget | None,
    ) -> None:
        self._layout = layout
        self._results = results
        self._failures = failures
        self._pending = pending
        self._encoders: Encoders | None = None
        self._held_back: list[ResolvedRow] = []
        # Who reads a pipe wants the first row when it is there.
        self._is_patient = isinstance(results, FileTarget)
        self._late_failures: Counter[str] = Counter()
        self._last_warnings: tuple[Warned, ...] = ()

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know about the columns, one per code; all when published."""
        return self._layout.warnings + self._last_warnings

    @property
    def late_failures(self) -> Mapping[str, int]:
        """Classified rows that did not fit the results and went to the failures, by code."""
        return self._late_failures

    def write_block(self, rows: Sequence[ResolvedRow]) -> None:
        """Append rows; results and failures go to their own files.

        Raises:
            OutputError: the disk or pipe refuses.
            BrokenPipeError: the reader of a pipe has gone.
        """
        if self._encoders is None:
            self._held_back += rows
            if not self._can_decide():
                return
            rows, self._held_back = self._held_back, []
        self._write(rows)

    def write_pending(self, tickets: Sequence[Ticket]) -> None:
        """Append rows without an outcome, as they came in, to a file of their own.

        Raises:
            OutputError: the disk refuses.
        """
        if self._pending is None:
            raise ValueError("no file was named for pending rows")
        encoder = self._decided([*(row.row for row in self._held_back), *tickets]).pending
        rows = (ResolvedRow(t, _PENDING, None, cache_hit=False, spending=_NOTHING) for t in tickets)
        self._pending.write(encoder.head, _joined(map(encoder.row, rows)))

    def publish(self) -> Published:
        """Make the files final: failures and pending rows first, results last as the commit mark.

        Raises:
            OutputError: the disk refuses; nothing half-written looks whole.
            BrokenPipeError: the reader of a pipe has gone.
        """
        rows, self._held_back = self._held_back, []
        self._write(rows)
        encoders = self._decided(())
        self._put(self._results, encoders.results.tail())
        self._last_warnings = encoders.results.warnings
        self._failures.finish(encoders.failures.tail)
        if self._pending is not None:
            self._pending.finish(encoders.pending.tail)
        self._results.finish()
        failures = self._failures.reveal()
        pending = None if self._pending is None else self._pending.reveal()
        return Published(results=self._results.reveal(), failures=failures, pending=pending)

    def abandon(self) -> tuple[Path, ...]:
        """Close without publishing; return the partial files that stay; idempotent."""
        rows, self._held_back = self._held_back, []
        # What stopped the run may keep these from being written, too.
        with suppress(RunStopped, BrokenPipeError):
            if rows:
                self._write(rows)
        targets = (self._results, self._failures, self._pending)
        left = (target.abandon() for target in targets if target is not None)
        return tuple(path for path in left if path is not None)

    def _can_decide(self) -> bool:
        """Return whether the rows held back name the input's columns."""
        if not self._layout.needs_rows or len(self._held_back) >= _MAX_HELD_BACK:
            return True
        objects = _naming([row.row for row in self._held_back])
        size = sum(len(record.raw) for record in objects)
        is_enough = len(objects) == _NAMING_ROWS or size >= _NAMING_BYTES
        return is_enough or (bool(objects) and not self._is_patient)

    def _decided(self, rows: Sequence[Row]) -> Encoders:
        """Return the encoders, decided by the first rows."""
        if self._encoders is None:
            is_named = not self._layout.needs_rows
            records: Sequence[Record] = [row.record for row in rows] if is_named else _naming(rows)
            self._encoders = self._layout.decide(records)
            self._put(self._results, self._encoders.results.head())
        return self._encoders

    def _write(self, rows: Sequence[ResolvedRow]) -> None:
        """Encode and append rows, each file in one go."""
        encoders = self._decided([row.row for row in rows])
        results: list[bytes] = []
        failed: list[ResolvedRow] = []
        for row in rows:
            if not isinstance(row.outcome, Classification):
                failed.append(row)
                continue
            encoded = encoders.results.row(row)
            if isinstance(encoded, Failure):
                self._late_failures[encoded.code] += 1
                failed.append(replace(row, outcome=encoded))
            else:
                results.append(encoded)
        if failed:
            encoder = encoders.failures
            self._failures.write(encoder.head, _joined(map(encoder.row, failed)))
        self._put(self._results, b"".join(results))

    def _put(self, target: Target, data: bytes) -> None:
        """Write bytes if there are any."""
        if data:
            target.write(data)


def _naming(rows: Sequence[Row]) -> list[JsonRecord]:
    """Return the objects that name the columns, the same in whatever blocks the rows come."""
    found: list[JsonRecord] = []
    size = 0
    for row in rows[:_MAX_HELD_BACK]:
        if len(found) == _NAMING_ROWS or size >= _NAMING_BYTES:
            break
        if isinstance(row.record, JsonRecord):
            found.append(row.record)
            size += len(row.record.raw)
    return found


def _joined(encoded: Iterable[bytes | Failure]) -> bytes:
    """Return rows that always fit as one piece."""
    return b"".join(row for row in encoded if not isinstance(row, Failure))

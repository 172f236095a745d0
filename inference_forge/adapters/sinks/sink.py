"""Write every row once: to the results or to the failures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from inference_forge.models import Classification, Failure, JsonRecord
from inference_forge.ports import Published

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.adapters.sinks.layout import Encoder, Layout
    from inference_forge.adapters.sinks.targets import Target
    from inference_forge.events import Warned
    from inference_forge.models import ResolvedRow

# While an input of objects has shown none that is readable, its rows are held back, because the
# first object names the columns. An input of nothing else must not fill the memory.
_MAX_HELD_BACK = 1_000


class FileSink:
    """An `OutcomeSink` over two targets.

    Arguments:
        layout: decides the columns.
        results: takes classified rows.
        open_failures: opens the target of failed rows; called for the first one.
        remove_failures: removes what an earlier run left there; called when none failed.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        results: Target,
        open_failures: Callable[[], Target],
        remove_failures: Callable[[], None],
    ) -> None:
        self._layout = layout
        self._results = results
        self._open_failures = open_failures
        self._remove_failures = remove_failures
        self._failures: Target | None = None
        self._result_encoder: Encoder | None = None
        self._failure_encoder: Encoder | None = None
        self._held_back: list[ResolvedRow] = []
        self._late_failures: Counter[str] = Counter()

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know about the columns, one per code, so far."""
        return self._layout.warnings

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
        if self._result_encoder is None:
            self._held_back += rows
            if not self._can_decide():
                return
            rows, self._held_back = self._held_back, []
        self._write(rows)

    def publish(self) -> Published:
        """Make the files final: failures first, results last as the commit mark.

        Raises:
            OutputError: the disk refuses; nothing half-written looks whole.
            BrokenPipeError: the reader of a pipe has gone.
        """
        rows, self._held_back = self._held_back, []
        self._write(rows)
        results, failures = self._encoders(())
        self._put(self._results, results.tail())
        if self._failures is not None:
            self._put(self._failures, failures.tail())
            self._failures.finish()
        self._results.finish()
        if self._failures is None:
            self._remove_failures()
        failures_path = self._failures.reveal() if self._failures is not None else None
        return Published(results=self._results.reveal(), failures=failures_path)

    def abandon(self) -> None:
        """Close without publishing; partial files stay; idempotent."""
        self._results.abandon()
        if self._failures is not None:
            self._failures.abandon()

    def _can_decide(self) -> bool:
        """Return whether the rows held back name the input's columns."""
        return (
            not self._layout.needs_rows
            or len(self._held_back) > _MAX_HELD_BACK
            or any(isinstance(row.row.record, JsonRecord) for row in self._held_back)
        )

    def _encoders(self, rows: Sequence[ResolvedRow]) -> tuple[Encoder, Encoder]:
        """Return the encoders of results and failures, decided by the first rows."""
        if self._result_encoder is None or self._failure_encoder is None:
            encoders = self._layout.decide([row.row.record for row in rows])
            self._result_encoder, self._failure_encoder = encoders.results, encoders.failures
            self._put(self._results, self._result_encoder.head())
        return self._result_encoder, self._failure_encoder

    def _write(self, rows: Sequence[ResolvedRow]) -> None:
        """Encode and append rows, each file in one go."""
        result_encoder, failure_encoder = self._encoders(rows)
        results: list[bytes] = []
        failed: list[ResolvedRow] = []
        for row in rows:
            if not isinstance(row.outcome, Classification):
                failed.append(row)
                continue
            encoded = result_encoder.row(row)
            if isinstance(encoded, Failure):
                self._late_failures[encoded.code] += 1
                failed.append(replace(row, outcome=encoded))
            else:
                results.append(encoded)
        if failed:
            self._write_failures(failed, failure_encoder)
        self._put(self._results, b"".join(results))

    def _write_failures(self, rows: Sequence[ResolvedRow], encoder: Encoder) -> None:
        """Append failed rows, after opening their target for the first."""
        if self._failures is None:
            self._failures = self._open_failures()
            self._put(self._failures, encoder.head())
        encoded = map(encoder.row, rows)
        self._put(self._failures, b"".join(e for e in encoded if not isinstance(e, Failure)))

    def _put(self, target: Target, data: bytes) -> None:
        """Write bytes if there are any."""
        if data:
            target.write(data)

"""Decide which columns the results and the failures have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from inference_forge.adapters.sinks.added import (
    COLLISION_PREFIX,
    AddedColumns,
    FailureColumns,
    NoColumns,
    ResultColumns,
    collisions,
    free_prefix,
)
from inference_forge.adapters.sinks.chosen import ChosenMembers
from inference_forge.adapters.sinks.objects import ObjectEncoder, unique_names
from inference_forge.adapters.sinks.options import OutputKind
from inference_forge.adapters.sinks.table import TableEncoder
from inference_forge.core.columns import resolve_column
from inference_forge.core.json_text import load
from inference_forge.core.terminal import safe_line
from inference_forge.errors import UsageError
from inference_forge.events import Warned
from inference_forge.models import Failure, JsonRecord
from inference_forge.settings import CsvGuard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.adapters.sinks.options import OutputFormat, SinkOptions
    from inference_forge.models import Record, ResolvedRow


class Encoder(Protocol):
    """Makes bytes of rows, for one file."""

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know when all rows have been written."""

    def head(self) -> bytes:
        """Return what begins the file."""

    def row(self, row: ResolvedRow) -> bytes | Failure:
        """Return the row's bytes, or why it does not fit; a failed row always fits."""

    def tail(self) -> bytes:
        """Return what ends the file."""


class Encoders(Struct, frozen=True):
    """The encoders of a run's files."""

    results: Encoder
    failures: Encoder
    pending: Encoder


class Layout:
    """The columns of all files.

    Arguments:
        columns: the input's columns; None when its rows are objects.
        results: format of the results.
        failures: format of the failures.
        pending: format of the rows without an outcome.
        options: what is added, kept and guarded.

    Raises:
        UsageError: `keep` or `drop` name a column that the input does not have, or the prefix
            leads to a name that it has, or holds what no name should.
    """

    def __init__(
        self,
        columns: tuple[str, ...] | None,
        *,
        results: OutputFormat,
        failures: OutputFormat,
        pending: OutputFormat,
        options: SinkOptions,
    ) -> None:
        self._columns = columns
        self._results = results
        self._failures = failures
        self._pending = pending
        self._options = options
        self._added = ResultColumns(
            options.fields,
            has_reasoning=options.has_reasoning,
            has_truncated=options.has_truncated,
            summary_words=options.summary_words,
        )
        # Of a table the columns are checked, so nothing of these can be missing.
        named = (options.keep, options.drop) if columns is None else ((), ())
        self._chosen = ChosenMembers(*named)
        self._warnings: list[Warned] = []
        _check_prefix(options.prefix or "")
        if columns is not None:
            self._check(columns)

    @property
    def needs_rows(self) -> bool:
        """Whether the input's columns are only known from its rows."""
        return self._columns is None

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know about the columns."""
        return tuple(self._warnings)

    def decide(self, records: Sequence[Record]) -> Encoders:
        """Return the encoders, given the input's first rows."""
        columns = self._columns
        if columns is None:
            keys: dict[str, None] = {}
            for record in records:
                if isinstance(record, JsonRecord):
                    keys.update(dict.fromkeys(load(record.raw)))
            columns = tuple(keys)
        is_kept = self._kept(columns)
        kept = [name for name, flag in zip(columns, is_kept, strict=True) if flag]
        failures = FailureColumns()
        return Encoders(
            results=self._encoder(
                self._results,
                self._added,
                first=records,
                columns=columns,
                prefix=self._result_prefix(kept),
                is_kept=None if all(is_kept) else is_kept,
            ),
            failures=self._encoder(
                self._failures,
                failures,
                first=records,
                columns=columns,
                prefix=self._failure_prefix(failures, columns),
                is_kept=None,
            ),
            pending=self._encoder(
                self._pending,
                NoColumns(),
                first=records,
                columns=columns,
                prefix="",
                is_kept=None,
            ),
        )

    def _encoder(
        self,
        format_: OutputFormat,
        added: AddedColumns,
        *,
        first: Sequence[Record],
        columns: tuple[str, ...],
        prefix: str,
        is_kept: list[bool] | None,
    ) -> Encoder:
        """Return the encoder of one file."""
        is_strict = added is self._added
        chosen = self._chosen if is_strict else ChosenMembers((), ())
        if format_.kind is OutputKind.PARQUET:
            from inference_forge.adapters.sinks.parquet import (  # noqa: PLC0415 - is an extra
                ParquetEncoder,
            )

            return ParquetEncoder(
                added,
                prefix=prefix,
                columns=columns,
                is_kept=is_kept,
                first=first,
                chosen=chosen,
                is_strict=is_strict,
            )
        if format_.is_table:
            return TableEncoder(
                format_,
                added,
                prefix=prefix,
                columns=columns,
                is_kept=is_kept,
                # What is fed in again must read as it did.
                guard=self._options.guard if added.names else CsvGuard.OFF,
                has_bom=self._options.has_bom,
                has_foreign_names=self._columns is None,
                chosen=chosen,
                is_strict=is_strict,
            )
        return ObjectEncoder(
            added,
            prefix=prefix,
            columns=columns,
            is_kept=is_kept,
            chosen=chosen,
            is_list=format_.kind is OutputKind.JSON,
            is_strict=is_strict,
        )

    def _kept(self, columns: Sequence[str]) -> list[bool]:
        """Return for each column whether it goes into the results."""
        if self._columns is None:
            written = self._chosen.of(tuple(columns))
            return [name in written for name in columns]
        keep_at = {i for name in self._options.keep for i in resolve_column(columns, name)}
        drop_at = {i for name in self._options.drop for i in resolve_column(columns, name)}
        return [
            (not self._options.keep or i in keep_at) and i not in drop_at
            for i in range(len(columns))
        ]

    def _result_prefix(self, kept: Sequence[str]) -> str:
        """Return the prefix of the results' added columns, and warn when one is needed."""
        if self._options.prefix is not None:
            return self._options.prefix
        prefix = free_prefix(self._added.names, kept)
        if prefix:
            taken = ", ".join(collisions(self._added.names, kept))
            self._warn(
                "column_prefix",
                f"the input has columns named like added ones ({taken}): all added columns "
                f"begin with {prefix}; --prefix chooses another prefix",
            )
        return prefix

    def _failure_prefix(self, added: AddedColumns, columns: Sequence[str]) -> str:
        """Return the prefix of the failures' added columns, and warn when one is needed."""
        if self._columns is None and not self._failures.is_table:
            return ""  # decided for each object, which then cannot fail again
        prefix = free_prefix(added.names, columns)
        if prefix:
            self._warn(
                "failure_prefix",
                f"in the failures file, error and the other added columns begin with {prefix}, "
                "because the input has columns of these names",
            )
        return prefix

    def _check(self, columns: tuple[str, ...]) -> None:
        """Refuse options that do not fit the input's columns."""
        flags = self._kept(columns)
        prefix = self._options.prefix
        if prefix is None:
            return
        kept = [name for name, flag in zip(unique_names(columns), flags, strict=True) if flag]
        taken = collisions((prefix + name for name in self._added.names), kept)
        if taken:
            raise UsageError(
                f"With --prefix {prefix!r} the added columns {', '.join(taken)} have the names "
                f"of input columns; try --prefix {COLLISION_PREFIX}{prefix}."
            )

    def _warn(self, code: str, message: str) -> None:
        """Take note of something the user should know."""
        self._warnings.append(Warned(code, message))


def _check_prefix(prefix: str) -> None:
    """Refuse a prefix that would put line breaks or what a terminal acts on into names."""
    if safe_line(prefix, len(prefix)) != prefix:
        raise UsageError(
            f"--prefix {prefix!r} holds a control character or one that cannot be seen; use "
            "letters, digits and underscores."
        )

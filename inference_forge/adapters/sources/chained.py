"""Several inputs read as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.errors import UsageError
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.events import Warned
    from inference_forge.models import Row
    from inference_forge.ports import TicketSource


class ChainedSource:
    """The rows of several inputs, one after another; a `ports.TicketSource`.

    The inputs are opened one by one as reading comes to them, so that any number can be read.
    Each is opened once before, to see that all have the same columns; standard input is not.

    Arguments:
        names: the inputs, at least one.
        open_one: opens one of them; raises what opening raises.
        sizes: bytes of each as stored; None for a pipe, which is opened only once.

    Raises:
        UsageError: the columns differ, or some are tables and others are not.
        InputError: one cannot be read.
    """

    def __init__(
        self,
        names: Sequence[str],
        open_one: Callable[[str], TicketSource],
        sizes: Sequence[int | None],
    ) -> None:
        self._waiting = list(zip(names, sizes, strict=True))
        self._open_one = open_one
        self._total = None if None in sizes else sum(size or 0 for size in sizes)
        self._bytes_before = 0
        self._rows_before = 0
        self._returned = 0
        self._warnings: dict[str, Warned] = {}
        self._check_columns()
        self._current = self._next_source()

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The inputs' column names, duplicates kept; None when rows carry their own."""
        return self._current.columns

    @property
    def reading(self) -> str:
        """How the columns are read, for people."""
        return self._current.reading

    @property
    def changes(self) -> Mapping[str, int]:
        """Nothing: texts are handed out as they stand in the inputs."""
        return {}

    @property
    def had_bom(self) -> bool:
        """Whether the present input began with a byte order mark."""
        return self._current.had_bom

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know so far, one per code."""
        self._keep_warnings()
        return tuple(self._warnings.values())

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next 1 to `max_rows` rows, numbered through; an empty list at the end.

        Raises:
            UsageError: an input that could not be looked at before has other columns.
            InputError: an input cannot be read further.
        """
        while True:
            block = self._current.read_block(max_rows)
            if block:
                numbered = [replace(row, index=self._returned + n) for n, row in enumerate(block)]
                self._returned += len(block)
                return numbered
            if not self._waiting:
                return []
            self._keep_warnings()
            self._bytes_before += self._current.progress().bytes_read
            self._current.close()
            self._current = self._next_source()

    def progress(self) -> ReadProgress:
        """Return how far all of them have been read."""
        bytes_read = self._bytes_before + self._current.progress().bytes_read
        return ReadProgress(bytes_read, self._total)

    def close(self) -> None:
        """Release the file that is open; idempotent."""
        self._current.close()

    def _next_source(self) -> TicketSource:
        name, _ = self._waiting.pop(0)
        return self._open_one(name)

    def _keep_warnings(self) -> None:
        for warned in self._current.warnings:
            self._warnings.setdefault(warned.code, warned)

    def _check_columns(self) -> None:
        first: tuple[str, tuple[str, ...] | None] | None = None
        for name, size in self._waiting:
            if size is None:
                continue
            source = self._open_one(name)
            columns = source.columns
            source.close()
            if first is None:
                first = (name, columns)
            elif columns != first[1]:
                raise UsageError(
                    f"{name}: {_difference(columns, first[1])} {first[0]}; one results file "
                    "needs inputs with the same columns: leave -o out, and each gets its own"
                )


def _difference(columns: tuple[str, ...] | None, first: tuple[str, ...] | None) -> str:
    if columns is None or first is None:
        return "is not of the same kind (table or JSON) as"
    missing = [name for name in first if name not in columns]
    extra = [name for name in columns if name not in first]
    if missing:
        return f"lacks the column {missing[0]!r} of"
    if extra:
        return f"has the column {extra[0]!r}, unlike"
    return "has its columns in another order than"

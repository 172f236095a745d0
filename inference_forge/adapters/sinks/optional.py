"""A file that is there only when something was written to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference_forge.adapters.sinks.targets import Target


class OptionalTarget:
    """Opens a target for the first bytes, and removes what an earlier run left if none come.

    Arguments:
        open_target: opens the target.
        remove: removes what is in its place.
    """

    def __init__(self, open_target: Callable[[], Target], remove: Callable[[], None]) -> None:
        self._open_target = open_target
        self._remove = remove
        self._target: Target | None = None

    def write(self, head: Callable[[], bytes], data: bytes) -> None:
        """Append `data`, after `head` when it is the first.

        Raises:
            OutputError: the disk or pipe refuses.
        """
        if self._target is None:
            self._target = self._open_target()
            data = head() + data
        self._target.write(data)

    def finish(self, tail: Callable[[], bytes]) -> None:
        """Append `tail` and bring everything to the disk, if there is a file.

        Raises:
            OutputError: the disk or pipe refuses.
        """
        if self._target is not None:
            if end := tail():
                self._target.write(end)
            self._target.finish()

    def reveal(self) -> Path | None:
        """Make the file final and return where it is; None, and nothing is left, without one.

        Raises:
            OutputError: the disk refuses.
        """
        if self._target is None:
            self._remove()
            return None
        return self._target.reveal()

    def abandon(self) -> Path | None:
        """Close without making it final; return the partial file that stays; idempotent."""
        return None if self._target is None else self._target.abandon()

"""Step through one JSON document of any size, value by value, in bounded memory.

The scanner looks at brackets and strings only: it finds where a value ends and hands out its
bytes. Whether they are JSON is found out when they are read, so a bad value costs one row and
not the document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from inference_forge.adapters.sources.json_items import (
    MAX_ITEM_BYTES,
    BadItem,
    too_long,
)
from inference_forge.adapters.sources.source import RAW_TEXT_CHARS
from inference_forge.core.json_text import MAX_DEPTH, STRING
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_SPACE = re.compile(rb"[^ \t\r\n]")
_STRING = re.compile(STRING, re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\r\n,\]}\[{\":]+")
# What stands between brackets, strings as a whole: skipped at the speed of the regex engine.
_BETWEEN = rb'(?:[^"\[\]{}]++|' + STRING + rb")*+"
_FILLER = re.compile(_BETWEEN, re.DOTALL)
_BRACKET = re.compile(_BETWEEN + rb"([\[\]{}])", re.DOTALL)


MAX_SKIPPED_DEPTH = 10 * MAX_DEPTH
"""Nesting that is passed over, so that a row nested too deep costs that row; with more it is no
list of tickets, and to look for its end would take a second per million brackets."""


class NeedMoreError(Exception):
    """The bytes that have come end here; nothing was moved."""


class JsonScanner:
    """A place in a JSON document.

    Arguments:
        read: returns the next bytes of the document, none at its end.
        path: what messages call the input.
        max_bytes: longest value that is handed out.

    Attributes:
        may_wait: False to raise `NeedMoreError` instead of reading more bytes.
        taken_at: line and column at which the value that `take` returned last begins.
    """

    def __init__(
        self, read: Callable[[], bytes], path: str, *, max_bytes: int = MAX_ITEM_BYTES
    ) -> None:
        self._read = read
        self._path = path
        self._max_bytes = max_bytes
        self._buffer = b""
        self._at = 0
        # Lines are counted up to here, an offset in the buffer.
        self._counted = 0
        self._line = 1
        self._column = 1
        self.may_wait = True
        self.taken_at = (1, 1)

    def peek(self) -> bytes:
        """Return the next byte that is no white space, and stand before it; empty at the end."""
        while True:
            found = _NOT_SPACE.search(self._buffer, self._at)
            if found:
                self._at = found.start()
                return found.group()
            self._at = len(self._buffer)
            if not self._fill():
                return b""

    def ahead(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer at the end, without moving."""
        while len(self._buffer) - self._at < count and self._fill():
            pass
        return self._buffer[self._at : self._at + count]

    def step(self) -> None:
        """Move behind the byte that `peek` returned."""
        self._at += 1

    def expect(self, wanted: bytes) -> None:
        """Move behind the next byte, which must be `wanted`."""
        if self.peek() != wanted:
            self.fail(f"expected {wanted.decode()!r}")
        self.step()

    def take(self) -> bytes | BadItem:
        """Return the bytes of the next value and move behind it.

        Raises:
            InputError: there is no value, or the document ends in it.
        """
        first = self.peek()
        self.taken_at = self._count_lines()
        end = self._value_end(first)
        if end is None or end - self._at > self._max_bytes:
            bad = too_long(self._buffer[self._at : self._at + RAW_TEXT_CHARS], self._max_bytes)
            self.may_wait = True  # what is skipped in part could not be told from a value
            self.skip()
            return bad
        value = self._buffer[self._at : end]
        self._at = end
        return value

    def skip(self) -> None:
        """Move behind the next value, however long a list or object it is."""
        first = self.peek()
        if first and first in b"[{":
            self.step()
            self.leave(1)
        elif first == b'"':
            self._skip_string()
        else:
            end = self._value_end(first)
            if end is None or end - self._at > self._max_bytes:
                self.fail(f"expected a value, found {self._max_bytes:,} bytes that are none")
            self._at = end

    def leave(self, depth: int) -> None:
        """Move behind the closing brackets of the `depth` innermost lists and objects."""
        while depth:
            found = _BRACKET.match(self._buffer, self._at)
            if found:
                self._at = found.end()
                depth += 1 if found[1] in b"[{" else -1
                if depth > MAX_SKIPPED_DEPTH:
                    self._fail_too_deep()
                continue
            filler = _FILLER.match(self._buffer, self._at)
            self._at = filler.end() if filler else self._at
            if self._at < len(self._buffer):
                self._skip_string()
            elif not self._fill():
                self.fail("the document ends too early; is it complete?")

    def _skip_string(self) -> None:
        """Move behind the string that begins here, without keeping it."""
        self.step()
        while True:
            found = _IN_STRING.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._buffer[self._at : self._at + 1] == b'"':
                self.step()
                return
            if not self._fill():
                self.fail("the document ends too early; is it complete?")

    def _count_lines(self) -> tuple[int, int]:
        """Return the line and the column of this place in the file."""
        buffer, counted, at = self._buffer, self._counted, self._at
        lines = buffer.count(b"\n", counted, at)
        if lines:
            self._line += lines
            self._column = at - buffer.rindex(b"\n", counted, at)
        else:
            self._column += at - counted
        self._counted = at
        return self._line, self._column

    def place(self) -> tuple[int, int]:
        """Return the line and the column of this place in the file."""
        return self._count_lines()

    def fail(self, message: str) -> NoReturn:
        """Raise the error that `message` holds at this place."""
        line, column = self._count_lines()
        raise InputError(message, path=self._path, line=line, column=column)

    def _fail_too_deep(self) -> NoReturn:
        self.fail(
            f"lists and objects begin here that nest deeper than {MAX_SKIPPED_DEPTH:,} levels, and "
            f"rows are read up to {MAX_DEPTH:,}: this is no list of tickets; export it again"
        )

    def _value_end(self, first: bytes) -> int | None:
        """Return the offset behind the value that begins here; None when it is too long."""
        if first and first in b"[{":
            return self._nested_end()
        is_string = first == b'"'
        pattern = _STRING if is_string else _SCALAR
        if first and not is_string and not _SCALAR.match(first):
            self.fail(f"expected a value, found {first.decode()!r}")
        while True:
            found = pattern.match(self._buffer, self._at)
            # A number or word ends where something else begins, which must be there to tell.
            if found and (is_string or found.end() < len(self._buffer)):
                return found.end()
            if len(self._buffer) - self._at > self._max_bytes:
                return None
            if not self._fill():
                if is_string or not first:
                    self.fail("the document ends too early; is it complete?")
                return len(self._buffer)

    def _nested_end(self) -> int | None:
        """Return the offset behind the list or object that begins here; None if too long."""
        length = depth = 0
        while True:
            while found := _BRACKET.match(self._buffer, self._at + length):
                length = found.end() - self._at
                depth += 1 if found[1] in b"[{" else -1
                if depth == 0:
                    return found.end()
                if depth > MAX_SKIPPED_DEPTH:
                    self._fail_too_deep()
            if len(self._buffer) - self._at > self._max_bytes:
                return None
            if not self._fill():
                self.fail("the document ends inside this value; is it complete?")

    def _fill(self) -> bool:
        """Read on, at least as much as is left: rescanning stays linear. False at the end."""
        if not self.may_wait:
            raise NeedMoreError
        self._drop()
        pieces = [self._buffer]
        wanted = len(self._buffer) or 1
        while wanted > 0 and (chunk := self._read()):
            pieces.append(chunk)
            wanted -= len(chunk)
        self._buffer = b"".join(pieces)
        return len(pieces) > 1

    def _drop(self) -> None:
        """Forget the bytes before this place, but count their lines."""
        self._count_lines()
        self._buffer = self._buffer[self._at :]
        self._at = self._counted = 0

"""Turn an input's bytes into text by its encoding or byte order mark."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from inference_forge.adapters.sources.encoding_guess import guess_encoding, guess_wide
from inference_forge.errors import InputError, UsageError
from inference_forge.events import Warned

if TYPE_CHECKING:
    from inference_forge.adapters.sources.bytestream import ByteStream

MAX_RECORD_CHARS = 16 * 1024 * 1024
"""Longest line or record of a table: far above any ticket, far below the memory of a run."""

BOM = "\ufeff"
_NO_MARK = "does not start with BOM"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark it begins with.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Encodings of names and of source code, in which no export is written.
_NO_FILE_ENCODINGS = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "unicode-escape", "raw-unicode-escape"}
    | {"raw_unicode_escape"}
)


# So many letters beyond ASCII are UTF-8 by design and not by chance, which is one in hundreds each.
_MIN_LETTERS = 3


def check_encoding(encoding: str | None) -> str | None:
    """Return Python's name of a text encoding; None for None.

    Raises:
        UsageError: there is no such encoding.
    """
    if encoding is None:
        return None
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, ValueError) as exc:
        raise UsageError(_unknown(encoding)) from exc
    if name in _NO_FILE_ENCODINGS:
        raise UsageError(_unknown(encoding))
    return name


def _unknown(encoding: str) -> str:
    return f"Unknown encoding {encoding!r}: try utf-8, utf-16, cp1252, latin-1 or shift_jis."


class TextChunks:
    """Chunks of an input's decoded text; a byte order mark is never part of it.

    Arguments:
        stream: the bytes.
        encoding: as returned by `check_encoding`; None decides by the byte order mark, else
            UTF-8, strictly.
    """

    def __init__(self, stream: ByteStream, encoding: str | None) -> None:
        head = read_head(stream, len(codecs.BOM_UTF32_LE))
        found = next((name for bom, name in _BOMS if head.startswith(bom)), None)
        self._stream = stream
        self._encoding = encoding or found or "utf-8"
        self._decoder = codecs.getincrementaldecoder(self._encoding)("strict")
        self._is_explicit = encoding is not None
        self._line_start = 0
        self._at_start = True
        self._at_end = False
        self._bytes_fed = 0
        self._lines_decoded = 0
        self._letters = 0
        self._may_be_utf8 = encoding is not None and not self._encoding.startswith("utf-")
        self._warnings: tuple[Warned, ...] = ()
        self.had_bom = found is not None

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far: that the encoding named is hardly the file's."""
        return self._warnings

    def read(self) -> str:
        """Return the next chunk; empty at the end.

        Raises:
            InputError: a byte does not belong to the encoding, or the file cannot be read.
        """
        text = ""
        while not text and not self._at_end:
            chunk = self._stream.read()
            self._at_end = not chunk
            text = self._decode(chunk)
        self._lines_decoded += text.count("\n")
        return text

    def _decode(self, chunk: bytes) -> str:
        """Return the text of `chunk`, without a byte order mark at the very start."""
        self._bytes_fed += len(chunk)
        if self._may_be_utf8 and not chunk.isascii():
            self._may_be_utf8 = False
            self._doubt(chunk)
        try:
            text = self._decoder.decode(chunk, final=self._at_end)
        except UnicodeError as exc:
            # Only newer Pythons (3.13) say with a place that the mark is missing.
            if not isinstance(exc, UnicodeDecodeError) or exc.reason.endswith(_NO_MARK):
                raise self._without_mark(chunk) from exc
            raise self._explain(exc) from exc
        if not text.isascii() and self._letters < _MIN_LETTERS:
            self._letters += _letters(text)
        end = chunk.rfind(b"\n") + 1
        if end:
            self._line_start = self._bytes_fed - len(chunk) + end
        if self._at_start and text:
            text = text.lstrip(BOM)  # programs that join files leave more than one
            self._at_start = not text
        return text

    def _doubt(self, chunk: bytes) -> None:
        """Warn when the first bytes beyond ASCII are UTF-8, and another encoding was named."""
        try:
            # The chunk may end within a character.
            text = codecs.getincrementaldecoder("utf-8")("strict").decode(chunk)
        except UnicodeDecodeError:
            return
        if _letters(text) >= _MIN_LETTERS:
            name = self._encoding.upper()
            message = (
                f"the text is valid UTF-8 and is read as {name}, as --encoding says: if letters "
                "come out wrong, leave --encoding out"
            )
            self._warnings = (Warned("encoding_doubtful", message),)

    def _without_mark(self, head: bytes) -> InputError:
        """Return the error for UTF-16 or UTF-32 whose byte order nothing tells."""
        guess = guess_wide(head)
        advice = f"add --encoding {guess}" if guess else "if it is another, leave --encoding out"
        name = self._encoding.upper()
        return InputError(
            f"{name} was named, but no byte order mark stands at the beginning, so the order "
            f"of the bytes is unknown: {advice}"
            + ("" if guess else f", else name the order: {self._encoding}-le or -be"),
            path=self._stream.name,
        )

    def _explain(self, exc: UnicodeDecodeError) -> InputError:
        """Return the error that names the byte, its place and a likely encoding."""
        data = exc.object
        first = self._bytes_fed - len(data)
        before = data[: exc.start]
        line = 1 + self._lines_decoded + before.decode(self._encoding, "ignore").count("\n")
        column = None
        if "\n".encode(self._encoding) == b"\n":
            start = before.rfind(b"\n")
            start = self._line_start if start < 0 else first + start + 1
            column = first + exc.start - start + 1
        where = (
            f"byte 0x{data[exc.start]:02x} at offset {first + exc.start} is not "
            f"{self._encoding.upper()}"
        )
        return InputError(
            f"{where}; {self._advice(exc, before)}",
            path=self._stream.name,
            line=line,
            column=column,
        )

    def _advice(self, exc: UnicodeDecodeError, before: bytes) -> str:
        """Return what to do about bytes that do not belong to the encoding."""
        if self._at_end and exc.end == len(exc.object):
            return "the file ends within a character, so it is torn: export it again"
        if self._is_explicit:
            return "is --encoding right?"
        if self.had_bom:
            return "the file begins with that encoding's mark, so it is damaged: export it again"
        letters = self._letters + _letters(before.decode(self._encoding))
        if letters >= _MIN_LETTERS:
            return "what stands before it is, so this line was damaged or pasted in: mend the line"
        return _advice_to_name(guess_encoding(exc.object), is_mixed=letters > 0)


def _advice_to_name(guess: str | None, *, is_mixed: bool) -> str:
    """Return the advice to name the encoding; `is_mixed` if some characters are UTF-8."""
    if is_mixed:
        return (
            "before it stand characters beyond ASCII that are, so the file may mix encodings: "
            "save it in one, or mend this line; if all of it is in another, name that"
            + (f", perhaps --encoding {guess}" if guess else " with --encoding")
        )
    if guess is None:
        return "name the file's encoding, for example --encoding cp1252"
    return f"name the file's encoding, probably --encoding {guess}"


def _letters(text: str) -> int:
    """Return how many characters beyond ASCII there are."""
    return sum(char > "\x7f" for char in text)


def read_head(stream: ByteStream, size: int) -> bytes:
    """Return at least `size` first bytes, fewer only when there are no more; nothing is lost."""
    head = b""
    while len(head) < size:
        chunk = stream.read()
        if not chunk:
            break
        head += chunk
    if head:
        stream.push_back(head)
    return head


class Utf8Chunks:
    """Chunks of an input's text as UTF-8 bytes; what is UTF-8 already is not looked into.

    Arguments:
        stream: the bytes.
        encoding: as returned by `check_encoding`; None decides by the byte order mark.
    """

    def __init__(self, stream: ByteStream, encoding: str | None) -> None:
        head = read_head(stream, len(codecs.BOM_UTF8))
        is_utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        needs_decoding = is_utf16 if encoding is None else encoding != "utf-8"
        self._stream = stream
        self._text = TextChunks(stream, encoding) if needs_decoding else None
        self.had_bom = is_utf16 or head.startswith(codecs.BOM_UTF8)
        if self._text is None and self.had_bom and not is_utf16:
            stream.push_back(stream.read()[len(codecs.BOM_UTF8) :])

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know, so far."""
        return () if self._text is None else self._text.warnings

    def read(self) -> bytes:
        """Return the next chunk; empty at the end.

        Raises:
            InputError: the file cannot be read, or decoded from an encoding other than UTF-8.
        """
        if self._text is None:
            return self._stream.read()
        return self._text.read().encode("utf-8")

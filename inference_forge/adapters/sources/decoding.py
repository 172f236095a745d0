"""Turn an input's bytes into text: encoding, byte order mark, physical lines."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING

from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from inference_forge.adapters.sources.bytestream import ByteStream

MAX_RECORD_CHARS = 16 * 1024 * 1024
"""Longest line or record of a table: far above any ticket, far below the memory of a run."""

BOM = "\ufeff"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# More than this share of zero bytes is no text in UTF-8, but half of every ASCII text in UTF-16.
_UTF16_ZERO_SHARE = 0.2


# Encodings of names and of source code, in which no export is written.
_NO_FILE_ENCODINGS = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "unicode-escape", "raw-unicode-escape"}
    | {"raw_unicode_escape"}
)


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
        head = read_head(stream, len(codecs.BOM_UTF8))
        found = next((name for bom, name in _BOMS if head.startswith(bom)), None)
        self._stream = stream
        self._encoding = encoding or found or "utf-8"
        self._decoder = codecs.getincrementaldecoder(self._encoding)("strict")
        self._is_explicit = encoding is not None
        self._at_start = True
        self._at_end = False
        self._bytes_fed = 0
        self._lines_decoded = 0
        self.had_bom = found is not None

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
        try:
            text = self._decoder.decode(chunk, final=self._at_end)
        except UnicodeDecodeError as exc:
            raise self._explain(exc) from exc
        if self._at_start and text:
            text = text.lstrip(BOM)  # programs that join files leave more than one
            self._at_start = not text
        return text

    def _explain(self, exc: UnicodeDecodeError) -> InputError:
        """Return the error that names the byte, its place and a likely encoding."""
        data = exc.object
        offset = self._bytes_fed - len(data) + exc.start
        before = data[: exc.start].decode(self._encoding, "ignore")
        line = 1 + self._lines_decoded + before.count("\n")
        where = f"byte 0x{data[exc.start]:02x} at offset {offset} is not {self._encoding.upper()}"
        advice = (
            "is --encoding right?"
            if self._is_explicit
            else f"name the file's encoding, probably --encoding {_likely_encoding(data)}"
        )
        return InputError(f"{where}; {advice}", path=self._stream.name, line=line)


def _likely_encoding(data: bytes) -> str:
    """Return the encoding to suggest for bytes that are not UTF-8."""
    if data.count(0) > _UTF16_ZERO_SHARE * len(data):
        return "utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be"
    return "cp1252"


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

    def read(self) -> bytes:
        """Return the next chunk; empty at the end.

        Raises:
            InputError: the file cannot be read, or decoded from an encoding other than UTF-8.
        """
        if self._text is None:
            return self._stream.read()
        return self._text.read().encode("utf-8")


class PhysicalLines:
    r"""Lines as they stand in the file, with their ends: "\n", "\r\n" or "\r".

    Arguments:
        chunks: the text.
        path: what messages call the input.
    """

    def __init__(self, chunks: TextChunks, path: str) -> None:
        self._chunks = chunks
        self._path = path
        self._torn = ""
        self._lines_read = 0
        self._at_end = False

    def read(self) -> list[str]:
        """Return the next whole lines, at least one; an empty list at the end.

        Raises:
            InputError: a line is longer than 16 Mi characters, or as for `TextChunks.read`.
        """
        lines: list[str] = []
        while not lines and not self._at_end:
            chunk = self._chunks.read()
            self._at_end = not chunk
            lines = self._split(self._torn + chunk)
        self._lines_read += len(lines)
        return lines

    def _split(self, text: str) -> list[str]:
        """Return the whole lines of `text` and keep what may go on in the next chunk."""
        # A "\r" at the very end may be the first half of "\r\n".
        end = max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
        if self._at_end:
            end = len(text)
        self._torn = text[end:]
        if len(self._torn) > MAX_RECORD_CHARS:
            raise InputError(
                f"the line is longer than {MAX_RECORD_CHARS:,} characters; is this a table? "
                "Name the format with --input-format",
                path=self._path,
                line=self._lines_read + 1,
            )
        return list(io.StringIO(text[:end], newline=""))

"""Tell by its first bytes what an input is that is not what its name says."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from inference_forge.adapters.sources.decoding import read_head
from inference_forge.adapters.sources.encoding_guess import guess_wide
from inference_forge.core.json_text import JsonTextError, load
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from inference_forge.adapters.sources.bytestream import ByteStream

_HEAD_BYTES = 4096
# Of a pipe no more is waited for than the shortest input of one row has.
_LIVE_BYTES = 3

_SAVE_AS_CSV = "open it in a spreadsheet and save it as CSV UTF-8"
_UNPACK = "unpack it, and classify the files in it"
_EXPORT_AGAIN = "export the tickets as CSV or JSON"

_BINARY = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or protected Excel workbook", _SAVE_AS_CSV),
    (b"%PDF-", "a PDF document", _EXPORT_AGAIN),
    (b"{\\rtf", "a document in rich text", _EXPORT_AGAIN),
    (b"PAR1", "a Parquet file", "convert it to CSV or JSON lines"),
    (b"Obj\x01", "an Avro file", "convert it to CSV or JSON lines"),
    (b"SQLite format 3\0", "an SQLite database", "export the table of tickets as CSV"),
    (b"\x1f\x8b", "a gzip file inside of another", "unpack it until it is text (gunzip)"),
    (b"BZh", "a file packed with bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "a file packed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file packed with Zstandard", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", _EXPORT_AGAIN),
    (b"\xff\xd8\xff", "a picture (JPEG)", _EXPORT_AGAIN),
)
"""First bytes, what has them, what to do; from the formats' own specifications."""

# APPNOTE.TXT, section 4.3.7: the local header of an archive's first file.
_ZIP = b"PK\x03\x04"
_IN_WORKBOOK = re.compile(rb"xl/|\[Content_Types\]\.xml|opendocument\.spreadsheet")
_MARKUP = re.compile(rb"<(?:!doctype|html|head|body|\?xml|table)\b", re.IGNORECASE)
# RFC 1468: the escape sequences that switch to the Japanese sets.
_ISO_2022_JP = re.compile(rb"\x1b\$[@B]")
_JSON = re.compile(rb'\{\s*"[^"]*"\s*:|\[\s*[{"\[]|[{\[]\s*\Z')


def refuse_foreign(stream: ByteStream, *, is_table: bool, has_encoding: bool) -> None:
    """Make sure that the input's first bytes can be what its name says; nothing is lost.

    Arguments:
        stream: the bytes, unpacked.
        is_table: whether it is to be read as CSV or TSV.
        has_encoding: whether the user named the encoding.

    Raises:
        InputError: they are something else; the message says what, and what to do.
    """
    head = read_head(stream, _LIVE_BYTES if stream.is_live else _HEAD_BYTES)
    found = _binary(head)
    if found is None and not has_encoding and head.isascii() and _ISO_2022_JP.search(head):
        found = "looks like ISO-2022-JP, which Japanese mail is in: add --encoding iso2022_jp"
    if found is None and is_table:
        found = _text(head.removeprefix(codecs.BOM_UTF8).lstrip())
        if found is None and not has_encoding and not head.startswith(_BOMS):
            found = _wide(head)
    if found is not None:
        raise InputError(found, path=stream.name)


_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def _binary(head: bytes) -> str | None:
    """Return the message for a format that is no text."""
    if head.startswith(_ZIP):
        if _IN_WORKBOOK.search(head):
            return f"looks like a workbook (.xlsx or .ods), not text: {_SAVE_AS_CSV}"
        return f"looks like a ZIP archive, not text: {_UNPACK}"
    for magic, what, advice in _BINARY:
        if head.startswith(magic):
            return f"looks like {what}, not text: {advice}"
    return None


def _text(head: bytes) -> str | None:
    """Return the message for text that is no table."""
    if _MARKUP.match(head):
        return (
            "looks like a web page or XML, not a table: was it downloaded without signing in? "
            f"If not, {_SAVE_AS_CSV}"
        )
    if _JSON.match(head):
        kind = "jsonl" if _is_object(head.split(b"\n", 1)[0]) else "json"
        return f"looks like JSON, not a table: add --input-format {kind}"
    return None


def _is_object(line: bytes) -> bool:
    """Return whether a line is a whole JSON object."""
    try:
        return isinstance(load(line.strip()), dict)
    except JsonTextError:
        return False


def _wide(head: bytes) -> str | None:
    """Return the message for UTF-16 or UTF-32 that does not say so."""
    encoding = guess_wide(head)
    if encoding is None:
        return None
    return f"looks like {encoding.upper()} without a byte order mark: add --encoding {encoding}"

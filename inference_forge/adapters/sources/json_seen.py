"""Tell by its first bytes how JSON stands in an input, if it is JSON at all."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from inference_forge.adapters.sources.dialect import NO_DELIMITER, detect_delimiter
from inference_forge.adapters.sources.json_document import LIST_KEYS
from inference_forge.adapters.sources.json_fields import choose_fields
from inference_forge.adapters.sources.wanted import WantedColumns
from inference_forge.core.json_text import JsonTextError, load
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from inference_forge.adapters.sources.bytestream import ByteStream

_SNIFFED_BYTES = 64 * 1024
_LIST_OF_TICKETS = re.compile(rb'\[\s*(?:[{"\]]|$)')
_OBJECT_WITH_LIST = re.compile(
    rb'\{\s*"(?:' + "|".join(LIST_KEYS).encode() + rb')"\s*:\s*\[\s*(?:[{"\]]|$)'
)
_SCALAR = re.compile(rb"(?:null|true|false|NaN|-?Infinity|-?[0-9][0-9.eE+-]*)")

# A ticket's own text may look like a table's line; so many lines of one do not.
_MIN_TABLE_LINES = 2
_MAX_TABLE_LINES = 20


def sniff(stream: ByteStream) -> bytes:
    """Return the first bytes, up to a whole line or 64 KiB; nothing is lost."""
    head = b""
    while len(head) < _SNIFFED_BYTES and b"\n" not in head.lstrip():
        chunk = stream.read()
        if not chunk:
            break
        head += chunk
    if head:
        stream.push_back(head)
    return head


def is_table(head: bytes) -> bool:
    """Return whether the first lines are none of JSON, and lines of CSV."""
    whole = head[: head.rfind(b"\n") + 1] or head
    # Programs that join files leave byte order marks anywhere.
    whole = whole.replace(codecs.BOM_UTF8, b"")
    lines = [line for line in whole.splitlines() if line.strip()][:_MAX_TABLE_LINES]
    if len(lines) < _MIN_TABLE_LINES or b"\0" in whole or any(map(may_be_json, lines)):
        return False
    return detect_delimiter([line.decode("utf-8", "replace") for line in lines]) != NO_DELIMITER


def may_be_json(head: bytes) -> bool:
    """Return whether the first line could be a JSON text, if only a torn one."""
    line = head.split(b"\n", 1)[0].strip()
    if not line or line[:1] in b"{[":
        return True
    if line[:1] == b'"':
        return _load(line) is not None or b'"' not in line[1:]
    return _SCALAR.fullmatch(line) is not None


def is_lines(head: bytes) -> bool:
    """Return whether a `.json` file's content is one object per line."""
    line, _, rest = head.partition(b"\n")
    return rest.lstrip()[:1] == b"{" and isinstance(_load(line), dict)


def is_document(head: bytes) -> bool:
    """Return whether standard input is clearly one JSON document, not lines."""
    line, newline, rest = head.partition(b"\n")
    value = _load(line)
    if isinstance(value, list | dict) and rest.strip():
        return False
    if isinstance(value, dict):
        return _holds_tickets(value)
    if newline and line.strip() == b"{":
        return True
    return bool(_LIST_OF_TICKETS.match(head) or _OBJECT_WITH_LIST.match(head))


def _holds_tickets(value: dict[str, object]) -> bool:
    """Return whether an object is a list of tickets with a frame, not a ticket with a list."""
    lists = [held for key in LIST_KEYS if isinstance(held := value.get(key), list)]
    if not lists:
        return False
    first = lists[0][0] if lists[0] else {}
    return isinstance(first, dict) and (_has_text(first) or not _has_text(value))


def _has_text(value: dict[str, object]) -> bool:
    """Return whether an object has a member that is known to hold a ticket's text."""
    try:
        choose_fields([value], WantedColumns())
    except UsageError:
        return False
    return True


def _load(line: bytes) -> object:
    """Return the value of one line; None when it is no JSON text (or null)."""
    try:
        value: object = load(line.strip())
    except JsonTextError:
        return None
    return value

"""Guess the encoding of text that is not UTF-8, for a message only: nothing is decoded by it."""

from __future__ import annotations

_CANDIDATES = (
    *("cp1252", "cp1250", "iso8859_2", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "mac_roman", "cp850"),
    "iso8859_15",
)
"""Encodings in which exports are written, likelier ones first: it decides between encodings that
give the same text. Without the list every code page that Python knows would be a candidate."""

_MAX_BYTES = 64 * 1024

# Text in UTF-16 and UTF-32 has zero bytes in the same place of every character of ASCII, if only
# of delimiters and line ends; other text has none.
_MIN_ZEROS = 4
_MIN_ZERO_SHARE = 0.02
_MIN_SHARE_IN_PLACE = 0.9


def guess_encoding(data: bytes) -> str | None:
    """Return the encoding that `data`, which is not UTF-8, is probably in; None without a guess.

    Arguments:
        data: some of the file, from the start of a character.
    """
    if 0 in data:
        return guess_wide(data)
    # Only needed here, and slow to import.
    from charset_normalizer import from_bytes  # noqa: PLC0415

    best = from_bytes(_telling(data), cp_isolation=list(_CANDIDATES)).best()
    if best is None:
        return None
    same_text = {best.encoding, *best.could_be_from_charset}
    return next((name for name in _CANDIDATES if name in same_text), best.encoding)


def guess_wide(data: bytes) -> str | None:
    """Return which encoding of two or four bytes `data` shows by its zeros; None for none of them.

    Arguments:
        data: the file's first bytes, without a byte order mark.
    """
    zeros = data.count(0)
    if zeros < max(_MIN_ZEROS, _MIN_ZERO_SHARE * len(data)):
        return None
    quarter = len(data) // 4
    by_place = [data[place::4].count(0) for place in range(4)]
    # The highest byte of UTF-32 is always zero, the next for all but emoji, the lowest never.
    for encoding, (lowest, *high) in (("utf-32-le", (0, 2, 3)), ("utf-32-be", (3, 1, 0))):
        if by_place[lowest] < quarter / 2 and all(
            by_place[place] >= _MIN_SHARE_IN_PLACE * quarter for place in high
        ):
            return encoding
    for encoding, places in (("utf-16-le", (1, 3)), ("utf-16-be", (0, 2))):
        if sum(by_place[place] for place in places) >= _MIN_SHARE_IN_PLACE * zeros:
            return encoding
    return None


def _telling(data: bytes) -> bytes:
    """Return so much of `data` as tells the encoding: of a long text the lines beyond ASCII."""
    if len(data) <= _MAX_BYTES:
        return data
    whole = data[: data.rfind(b"\n") + 1] or data
    lines = (line for line in whole.split(b"\n") if not line.isascii())
    telling = b"\n".join(lines)
    # Cut between lines: part of a character would rule out the encoding that it is in.
    return telling[: telling.find(b"\n", _MAX_BYTES)] if len(telling) > _MAX_BYTES else telling

"""Find out how a table separates its cells."""

from __future__ import annotations

import csv
import re
from itertools import islice
from typing import TYPE_CHECKING

from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

CANDIDATES = (",", ";", "\t", "|")

NO_DELIMITER = "\x1f"
"""Separates nothing: in a file of one column, commas belong to the text."""

_SEPARATOR_LINE = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?[\r\n]*', re.IGNORECASE)
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_SAMPLE_RECORDS = 50

# Without a header a character that many rows happen to hold as often must not be taken for one.
_MIN_SHARE_WITHOUT_HEADER = 0.9

# So many records of one cell under a header of several: the character is punctuation there.
_MIN_RECORDS_AGAINST = 3


def check_delimiter(delimiter: str | None) -> str | None:
    r"""Return the delimiter the user means, `tab` or `\t` included; None for None.

    Raises:
        UsageError: it is not one character that can separate cells.
    """
    if delimiter is None:
        return None
    meant = _NAMED.get(delimiter.casefold(), delimiter)
    if len(meant) != 1 or meant in '"\r\n\0 ':
        raise UsageError(
            f"A delimiter is one character other than a quote, not {delimiter!r}; "
            "try ',' ';' '|' or tab."
        )
    return meant


def separator_line(line: str) -> str | None:
    """Return the delimiter that a first line `sep=;` names, as Excel writes it; None without."""
    match = _SEPARATOR_LINE.fullmatch(line)
    return match["delimiter"] if match else None


def has_space_before_quotes(line: str, delimiter: str) -> bool:
    """Return whether a header puts a space between a delimiter and a quote, as people do."""
    return re.search(f'{re.escape(delimiter)} +"', line) is not None


def detect_delimiter(lines: Sequence[str], *, has_header: bool = True) -> str:
    """Return the delimiter under which the first records look most like a table.

    That is the one that splits the header and whose records have the header's width most often;
    among equals the one that gives more columns. A file whose header no candidate splits has
    one column.

    Arguments:
        lines: the first physical lines, from the header on.
        has_header: whether the first record names the columns; else nearly all records must
            have one width.
    """
    best = NO_DELIMITER
    best_score = (0.0, 0)
    for candidate in CANDIDATES:
        score = _score(lines, candidate)
        if score <= best_score:
            continue
        share, _ = score
        is_prose = is_punctuation(lines if not has_header else lines[:1], candidate)
        if share < (1.0 if is_prose else _MIN_SHARE_WITHOUT_HEADER * (not has_header)):
            continue
        if is_prose and not has_header:
            continue
        best, best_score = candidate, score
    return best


def is_punctuation(lines: Sequence[str], candidate: str) -> bool:
    """Return whether a space, and no quote, follows wherever the character stands."""
    if candidate == "\t":
        return False
    follows = [part[:2] for line in lines for part in line.rstrip().split(candidate)[1:]]
    return bool(follows) and all(two[:1] == " " and two != ' "' for two in follows)


def _score(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """Return the share of records as wide as the header, and that width; zero for no table."""
    space = bool(lines) and has_space_before_quotes(lines[0], delimiter)
    records = csv.reader(iter(lines), delimiter=delimiter, skipinitialspace=space)
    try:
        sample = [record for record in islice(records, _SAMPLE_RECORDS) if record]
    except csv.Error:
        return (0.0, 0)
    width = len(sample[0]) if sample else 0
    if width < 2:  # noqa: PLR2004 - a delimiter separates at least two
        return (0.0, 0)
    body = sample[1:]
    if not body:
        return (1.0, width)
    if len(body) >= _MIN_RECORDS_AGAINST and max(map(len, body)) == 1:
        return (0.0, 0)
    return (sum(len(record) == width for record in body) / len(body), width)

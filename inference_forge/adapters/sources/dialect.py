"""Find out how a table separates its cells."""

from __future__ import annotations

import csv
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

CANDIDATES = (",", ";", "\t", "|")

NO_DELIMITER = "\ufdd0"
"""Separates nothing: in a file of one column, commas belong to the text. Unicode keeps this code
point for the inner use of programs (chapter 23.7), so no text holds it."""

_SEPARATOR_LINE = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?[\r\n]*', re.IGNORECASE)
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_SAMPLE_RECORDS = 50

# Without a header a character that many rows happen to hold as often must not be taken for one.
_MIN_SHARE_WITHOUT_HEADER = 0.9

# A character that every record holds is likelier to be one, if rows are ragged.
_MIN_SHARE_IF_ALL_SPLIT = 0.5

# So many records of one cell under a header of several: the character is punctuation there.
_MIN_RECORDS_AGAINST = 3


class _Score(NamedTuple):
    """The share of records as wide as the first, that width, and whether all have two cells."""

    share: float = 0.0
    width: int = 0
    splits_all: bool = False


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
    best_score = _Score()
    for candidate in CANDIDATES:
        score = _score(lines, candidate)
        if score[:2] <= best_score[:2]:
            continue
        is_prose = is_punctuation(lines if not has_header else lines[:1], candidate)
        if not _is_enough(score, is_prose=is_prose, has_header=has_header):
            continue
        best, best_score = candidate, score
    return best


def _is_enough(score: _Score, *, is_prose: bool, has_header: bool) -> bool:
    """Return whether a candidate splits the records as a delimiter does."""
    if has_header:
        return not is_prose or score.share == 1.0
    min_share = _MIN_SHARE_IF_ALL_SPLIT if score.splits_all else _MIN_SHARE_WITHOUT_HEADER
    return not is_prose and score.share >= min_share


def is_punctuation(lines: Sequence[str], candidate: str) -> bool:
    """Return whether a space, and no quote, follows wherever the character stands."""
    if candidate == "\t":
        return False
    follows = [part[:2] for line in lines for part in line.rstrip().split(candidate)[1:]]
    return bool(follows) and all(two[:1] == " " and two != ' "' for two in follows)


def _score(lines: Sequence[str], delimiter: str) -> _Score:
    """Return how well the records fit the first; nothing for no table."""
    space = bool(lines) and has_space_before_quotes(lines[0], delimiter)
    records = csv.reader(iter(lines), delimiter=delimiter, skipinitialspace=space)
    try:
        sample = [record for record in islice(records, _SAMPLE_RECORDS) if record]
    except csv.Error:
        return _Score()
    width = len(sample[0]) if sample else 0
    if width < 2:  # noqa: PLR2004 - a delimiter separates at least two
        return _Score()
    body = sample[1:]
    if not body:
        return _Score(1.0, width)
    if len(body) >= _MIN_RECORDS_AGAINST and max(map(len, body)) == 1:
        return _Score()
    share = sum(len(record) == width for record in body) / len(body)
    splits_all = len(body) >= _MIN_RECORDS_AGAINST - 1 and min(map(len, body)) > 1
    return _Score(share, width, splits_all)

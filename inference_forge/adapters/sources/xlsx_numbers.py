"""Show an XLSX cell's number as text: plain, as a date, or with leading zeros."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from msgspec import Struct

SHOWN_DIGITS = 15
"""Significant digits that Excel keeps and shows of a number."""

_PLAIN = re.compile(rf"-?(?:0|[1-9][0-9]{{0,{SHOWN_DIGITS - 1}}})")
_WHOLE = re.compile(r"-?[0-9]+")
# Excel shows longer numbers with an exponent; up to here plain digits read better.
_MAX_PLAIN_EXPONENT = 40
_MIN_PLAIN_EXPONENT = -12

# ECMA-376, part 1, section 18.8.30: the formats that need no definition. 27-36 and 50-58 are
# those of Chinese, Japanese, Korean and Thai Excel.
_DATES = frozenset((14, 15, 16, 17, *range(27, 32), 36, *range(50, 55), 57, 58))
_TIMES = frozenset((18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 55, 56))
_BOTH = 22
_DURATION = 46

_SET_ASIDE = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]|general', re.IGNORECASE)
_PADDED = re.compile(r'(?:"([^"]*)")?(0{2,})(?:"([^"]*)")?')
_LAST_SERIAL = 2_958_466  # 9999-12-31 is the day before
_FALSE_LEAP_DAY = 60  # Excel's 1900-02-29, which was none
_DAY_MS = 86_400_000


class NumberFormat(Struct, frozen=True):
    """How a number is shown, as far as it changes what it means.

    Attributes:
        has_date: whether a day is shown.
        has_time: whether a time of day is shown.
        is_duration: whether hours count on beyond 24.
        digits: least number of digits, filled with zeros.
        before: text in front of a filled number.
        behind: text behind it.
    """

    has_date: bool = False
    has_time: bool = False
    is_duration: bool = False
    digits: int = 0
    before: str = ""
    behind: str = ""


GENERAL = NumberFormat()


def built_in_format(number: str) -> NumberFormat | None:
    """Return the format of a number that Excel knows without a definition; None for no date."""
    if not (number.isascii() and number.isdigit() and len(number) < 6):  # noqa: PLR2004 - any small bound
        return None
    code = int(number)
    if code == _DURATION:
        return NumberFormat(is_duration=True)
    has_date, has_time = code in _DATES or code == _BOTH, code in _TIMES or code == _BOTH
    return NumberFormat(has_date, has_time) if has_date or has_time else None


def read_format(code: str) -> NumberFormat:
    """Return what a format code such as `dd.mm.yyyy hh:mm` or `"T-"00000` makes of a number."""
    padded = _PADDED.fullmatch(code)
    if padded:
        return NumberFormat(digits=len(padded[2]), before=padded[1] or "", behind=padded[3] or "")
    letters = set(_SET_ASIDE.sub("", code).partition(";")[0].casefold())
    if "[" in letters:
        return NumberFormat(is_duration=True)
    has_time = bool(letters & set("hs"))
    has_date = bool(letters & set("yd")) or ("m" in letters and not has_time)
    return NumberFormat(has_date, has_time) if has_date or has_time else GENERAL


def number_text(text: str, shown: NumberFormat, *, is_1904: bool) -> str:
    """Return a cell's number as text.

    Whole numbers come without `.0` and with all digits that are in the file; others with the 15
    digits that Excel shows; dates and times as ISO 8601. What is no number, or no date where one
    should be, stays as it is written.

    Arguments:
        text: the number as written in the file.
        shown: the cell's format.
        is_1904: whether days are counted from 1904.
    """
    if shown is GENERAL:
        return text if _PLAIN.fullmatch(text) else _plain(text)
    if shown.has_date or shown.has_time or shown.is_duration:
        return _moment(text, shown, is_1904=is_1904) or _plain(text)
    plain = _plain(text)
    if shown.digits and plain.isdigit():
        return f"{shown.before}{plain.zfill(shown.digits)}{shown.behind}"
    return plain


def _plain(text: str) -> str:
    """Return a number without exponent where that stays readable."""
    if _WHOLE.fullmatch(text):
        return text
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite():
        return text
    if not _MIN_PLAIN_EXPONENT <= value.adjusted() <= _MAX_PLAIN_EXPONENT:
        return text if value else "0"
    if value == value.to_integral_value():
        return f"{value:.0f}"
    rounded = Decimal(f"{value:.{SHOWN_DIGITS - 1}e}")
    return f"{rounded.normalize():f}"


def _moment(text: str, shown: NumberFormat, *, is_1904: bool) -> str | None:
    """Return a serial day as ISO 8601; None when it is none."""
    try:
        serial = float(text)
    except ValueError:
        return None
    if not 0 <= serial < _LAST_SERIAL:
        return None
    day, ms = divmod(round(serial * _DAY_MS), _DAY_MS)
    if shown.is_duration:
        return _clock(ms, hours=24 * day)
    if not shown.has_date and day == 0:
        return _clock(ms)
    date = _date(day, is_1904=is_1904)
    if date is None:
        return None
    # A time that the format hides is still part of what was recorded.
    return f"{date}T{_clock(ms)}" if shown.has_time or ms else date


def _date(day: int, *, is_1904: bool) -> str | None:
    """Return the day of a serial number; None for Excel's day 0."""
    if is_1904:
        first = datetime(1904, 1, 1)  # noqa: DTZ001 - a workbook's days have no time zone
    elif day == 0:
        return None
    elif day == _FALSE_LEAP_DAY:
        return "1900-02-29"
    else:
        first = datetime(1899, 12, 31 if day < _FALSE_LEAP_DAY else 30)  # noqa: DTZ001 - as above
    try:
        return (first + timedelta(days=day)).date().isoformat()
    except OverflowError:
        return None


def _clock(ms: int, hours: int = 0) -> str:
    """Return milliseconds as `hh:mm:ss`, with a fraction if there is one."""
    seconds, fraction = divmod(ms, 1_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{hours + hour:02d}:{minute:02d}:{second:02d}"
    return f"{text}.{fraction:03d}" if fraction else text

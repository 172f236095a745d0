"""Find payment card numbers: the issuers' prefixes and lengths, and the check digit."""

from __future__ import annotations

import re
from typing import Final

# Runs of digits with one separator between groups; windows of groups are looked at within.
_RUN: Final = re.compile(r"(?<!\w)[0-9]++(?:[ .-][0-9]++)*+(?!\w)")
_GROUP: Final = re.compile(r"[0-9]++")
_MIN_DIGITS, _MAX_DIGITS = 13, 19  # ISO/IEC 7812-1: up to 19; the shortest in use have 13
_MAX_GROUPS: Final = 5
_FIRST_GROUP: Final = 4  # every issuer prints four digits first
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

# Prefix ranges and lengths of the networks' public number plans.
_ISSUERS: Final = (
    ("4", "4", {13, 16, 19}),  # Visa
    ("51", "55", {16}),  # Mastercard
    ("2221", "2720", {16}),
    ("34", "34", {15}),  # American Express
    ("37", "37", {15}),
    ("6011", "6011", {16, 17, 18, 19}),  # Discover, RuPay
    ("644", "659", {16, 17, 18, 19}),
    ("60", "60", {16}),
    ("508", "508", {16}),
    ("81", "82", {16}),
    ("3528", "3589", {16, 17, 18, 19}),  # JCB
    ("300", "305", {14}),  # Diners Club
    ("36", "36", {14}),
    ("38", "39", {14}),
    ("62", "62", {16, 17, 18, 19}),  # UnionPay
    ("2200", "2204", {16, 17, 18, 19}),  # Mir
    ("50", "50", {16, 19}),  # Maestro
    ("56", "58", {16, 19}),
    ("67", "67", {16, 19}),
)


def redact_cards(text: str) -> tuple[str, int]:
    """Return the text with `[card]` for each card number, and how many there were."""
    pieces: list[str] = []
    number = at = 0
    for run in _RUN.finditer(text):
        if run.end() - run.start() < _MIN_DIGITS:
            continue
        for start, end in _cards_in(text, run):
            pieces += (text[at:start], "[card]")
            number, at = number + 1, end
    return ("".join((*pieces, text[at:])) if pieces else text), number


def is_card_number(digits: str) -> bool:
    """Return whether `digits` is a number that a card network gives out."""
    return any(
        first <= digits[: len(first)] <= last and len(digits) in lengths
        for first, last, lengths in _ISSUERS
    ) and _has_check_digit(digits)


def _cards_in(text: str, run: re.Match[str]) -> list[tuple[int, int]]:
    """Return where cards begin and end in a run of groups, from left to right."""
    groups = list(_GROUP.finditer(text, run.start(), run.end()))
    found: list[tuple[int, int]] = []
    first = 0
    while first < len(groups):
        size = _window(text, groups, first)
        if size:
            found.append((groups[first].start(), groups[first + size - 1].end()))
        first += size or 1
    return found


def _window(text: str, groups: list[re.Match[str]], first: int) -> int:
    """Return how many groups from `first` on are a card number; 0 when none are."""
    digits = ""
    for size, group in enumerate(groups[first : first + _MAX_GROUPS], start=1):
        digits += group[0]
        if len(digits) > _MAX_DIGITS:
            return 0
        if size == 1 and len(digits) >= _MIN_DIGITS:
            # A fraction such as 0.4111111111111111 is no card.
            is_whole = text[max(0, group.start() - 1) : group.start()] != "."
            return int(is_whole and is_card_number(digits))
        is_printed = len(groups[first][0]) == _FIRST_GROUP or len(digits) == 2 * len(group[0])
        if is_printed and len(digits) >= _MIN_DIGITS and is_card_number(digits):
            return size
    return 0


def _has_check_digit(digits: str) -> bool:
    """Return whether the last digit fits the others (Luhn, ISO/IEC 7812-1 annex B)."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0

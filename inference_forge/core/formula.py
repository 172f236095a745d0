"""Guard CSV cells against being run as formulas by a spreadsheet.

The dangerous first characters are those of OWASP's page "CSV Injection".
"""

from __future__ import annotations

import re

TRIGGERS = frozenset("=+-@\t\r\0")
"""First characters that can make a cell a formula; callers that are in a hurry ask here first."""

# Digits with separators, exponent and percent sign: a spreadsheet reads it as a number, and
# guarding it would turn the column into text.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,'\u00a0 ]\d+)*[.,]?|[.,]\d+)(?:[eE][+-]?\d{1,4})?[ ]?%?")

# ITU-T E.164: a plus sign and at most 15 digits; people write blanks, dots, dashes, slashes and
# brackets between them.
_PHONE = re.compile(r"\+\d[\d ()./-]{3,28}")


def guard_cell(cell: str) -> str:
    """Return `cell`, with a leading apostrophe when a spreadsheet could take it for a formula.

    Numbers (`-12.50`) and phone numbers (`+49 30 123456`) stay as they are: neither can name a
    function, a cell or a command.
    """
    if cell[:1] not in TRIGGERS or _NUMBER.fullmatch(cell) or _PHONE.fullmatch(cell):
        return cell
    return "'" + cell

"""Find phone numbers by how people write them, and leave other numbers alone.

A number is taken for a phone number when it begins with `+` or `00` and a country, when it is
grouped as in North America, India, France or behind a trunk `0`, when it has the length of a
mobile number that begins with 0, or when a word such as "tel" stands directly before it. Behind
words such as "order no." only `+` and a phone word count.
"""

from __future__ import annotations

import re
from typing import Final

_GAP: Final = r"[ ().\-/]{0,3}"
_PHONE_WORD: Final = (
    r"(?:tel(?:efono?|[eé]phone|éfono|\.)?|(?:tele|cell|mobile |smart)?phone|mobil(?:e|nummer)?"
    r"|cell|fax|whatsapp|handy(?:nummer)?|rufnummer|telefonnummer|rückruf|m[oó]vil|celular"
    r"|portable|call(?: me| us)?|reach (?:me|us)|ring (?:me|us)|text me|sms|phn|ph|mob"
    r"|फ़ोन|फोन|मोबाइल|नंबर|कॉल)"
)
_FILLER: Final = r"(?:no|nr|num|number|nummer|numéro|número|is|ist|es|est|at|on|unter|al|au|है|पर)"
_NAMED: Final = (
    rf"(?i:(?<!\w){_PHONE_WORD}(?!\w)(?:[ .:#(]{{1,3}}{_FILLER}(?!\w)){{0,2}}[ .:#(]{{0,3}})"
    rf"(?P<named>\+?[0-9](?:{_GAP}[0-9]){{6,14}})"
)
_ABROAD: Final = rf"\+[1-9](?:{_GAP}[0-9]){{7,14}}"
_SHAPES: Final = (
    rf"00[1-9][0-9]{{0,2}}[ ().\-/]{{1,3}}[0-9](?:{_GAP}[0-9]){{6,11}}"
    r"|(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}"
    r"|0[1-9](?:(?: [0-9]{2}){4}|(?:\.[0-9]{2}){4}|(?:-[0-9]{2}){4})"
    r"|\(0[1-9][0-9]{0,4}\) ?[0-9](?:[ /-]?[0-9]){4,9}"
    r"|0[1-9][0-9]{0,4}(?: ?[/-] ?| )[0-9](?:[ -]?[0-9]){5,9}"
    r"|[6-9][0-9]{4}[ -][0-9]{5}"
    r"|0[67][0-9]{8}|07[0-9]{9}|01[567][0-9]{8,9}"
)
_PHONE: Final = re.compile(
    rf"(?:{_NAMED}|(?<![\w+])(?P<abroad>{_ABROAD})|(?<![\w#/=.,+@-])(?P<shaped>{_SHAPES}))"
    r"(?!\w|[-.:/,][0-9]|%)"
)
_ENOUGH_DIGITS: Final = re.compile(r"[0-9](?:[^0-9]{0,3}[0-9]){6}")

# What stands before a number that is none to call; a line end or a sentence end parts them.
_ID_WORD: Final = re.compile(
    r"(?<!\w)(?:order|ticket|case|invoice|ref|reference|serial|sku|part|model|version|build|item"
    r"|article|customer|account|contract|tracking|shipment|delivery|booking|policy|claim|id|isbn"
    r"|ean|upc|imei|s/n|sn|asset|incident|request|po|iban|transaction|receipt|error|code"
    r"|bestell\w*|auftrag\w*|rechnung\w*|kunden\w*|artikel\w*|serien\w*|vorgang\w*"
    r"|pedido|factura|incidencia|cliente|commande|facture|dossier|référence"
    r"|ऑर्डर|टिकट|चालान|आईडी)(?!\w)"
    r"[ :.#(-]{0,3}(?:(?:no|nr|num|number|nummer|numéro|número|id|code|is|ref)(?!\w)"
    r"[ :.#(-]{0,3}){0,2}$",
    re.IGNORECASE,
)
_CONTEXT_CHARS: Final = 48
_DATE: Final = re.compile(
    r"(?:[0-3]?[0-9]([-/. ])[01]?[0-9]\1(?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[-/. ]?[01][0-9][-/. ]?[0-3][0-9])(?![0-9])"
)
_IP: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_MIN_SHAPED_DIGITS: Final = 9


def redact_phones(text: str) -> tuple[str, int]:
    """Return the text with `[phone]` for each phone number, and how many there were."""
    if not _ENOUGH_DIGITS.search(text):
        return text, 0
    pieces: list[str] = []
    number = written = at = 0
    while found := _PHONE.search(text, at):
        group = found.lastgroup or 0
        date = _DATE.match(found[group])
        if date is None and _is_phone(found, found[group]):
            pieces += (text[written : found.start(group)], "[phone]")
            number, written = number + 1, found.end(group)
        # Behind a date a number may begin within what was found.
        at = found.end(group) if date is None else found.start(group) + date.end()
    return ("".join((*pieces, text[written:])) if pieces else text), number


def _is_phone(found: re.Match[str], candidate: str) -> bool:
    if _IP.fullmatch(candidate):
        return False
    if found.lastgroup != "shaped":
        return True
    if sum(map(str.isdigit, candidate)) < _MIN_SHAPED_DIGITS:
        return False
    before = found.string[max(0, found.start() - _CONTEXT_CHARS) : found.start()]
    return _ID_WORD.search(before) is None

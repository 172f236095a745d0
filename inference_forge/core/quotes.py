"""Cut what a mail quotes: replies below "On ... wrote:", `> ` lines, headers of forwarded mail.

Works line by line, each looked at a bounded number of times, and on the first characters of very
long lines only. English, German, Spanish, French and Hindi programs are known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEEN_CHARS: Final = 400  # an attribution, a header or a marker is shorter
_SHORTEST: Final = 4  # "wrote:" may stand on a line of its own
_ATTRIBUTION_LINES: Final = 3  # mail programs break lines at 72 to 80 characters
_HEADER_LINES: Final = 12

_MAX_LEVEL: Final = 5
_MARK: Final = re.compile(r"[ \t]{0,3}>[ \t]?")
_IS_QUOTED: Final = re.compile(r"[ \t]{0,3}>(?=[\s>]|$)")
_VERB: Final = re.compile(r"wrote|schrieb|escribi[óo]|a écrit|ने लिखा", re.IGNORECASE)
_NAMES_SENDER: Final = re.compile(
    r"@\S{3,253}>\)?,? (?:wrote|schrieb|escribi[óo]|a écrit) ?:\s*$", re.IGNORECASE
)
_OPENER: Final = re.compile(r"(?:on|am|el|le)[ ,]", re.IGNORECASE)
_DATE: Final = re.compile(r"\b(?:19|20)\d\d\b|\d{1,2}[:h]\d\d|\d{1,2}[./-]\d{1,2}[./-]\d\d")
_SIGNAL: Final = re.compile(r"^[ \t]*+(?:>|--)|:[ \t]*$|^[ \t*]{0,9}\S{2,9} ?:", re.MULTILINE)
"""What every line has with which something quoted begins; most tickets have none."""

_REPLY_MARKER: Final = re.compile(
    r"[ \t]*-{2,}[ \t]*(?:original (?:message|appointment)|ursprüngliche (?:nachricht|e-?mail)"
    r"|original-?nachricht|mensaje original|message d['\u2019]origine|message original|मूल संदेश)"
    r"[ \t]*-{2,}",
    re.IGNORECASE,
)
_FORWARD_MARKER: Final = re.compile(
    r"[ \t]*(?:-{2,}[ \t]*(?:forwarded message|weitergeleitete nachricht|mensaje reenviado"
    r"|message transféré|(?:अग्रेषित|फ़ॉरवर्ड किया गया) (?:संदेश|मैसेज))[ \t]*-{2,}"
    r"|(?:begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-mail)"
    r"|inicio del mensaje reenviado|début du message (?:transféré|réexpédié)) ?:)",
    re.IGNORECASE,
)
_HEADERS: Final = {
    name: part
    for part, names in {
        "from": "from von de प्रेषक",
        "date": "sent date gesendet datum enviado enviada fecha envoyé date दिनांक भेजा",
        "to": "to an para à pour प्रति",
        "copy": "cc bcc kopie",
        "subject": "subject betreff asunto objet sujet विषय",
        "other": "reply-to importance attachments",
    }.items()
    for name in names.split()
}
_HEADER: Final = re.compile(
    rf"[ \t]*\*?({'|'.join(_HEADERS)})(?: le| el| am)?\*? ?:\*?(?=\s|$)", re.IGNORECASE
)
_RULE: Final = re.compile(r"[ \t]*[_-]{5,}[ \t]*")
FORWARD_SUBJECT: Final = re.compile(r"\s*(?:fwd?|wg|rv|tr) ?:", re.IGNORECASE)
"""The beginning of a forwarded mail's subject; Outlook says so nowhere else."""


def cut_quotes(text: str, *, is_forward: bool = False) -> str:
    r"""Return `text` without what it quotes, its lines joined by "\n".

    A reply's header ends the text, unless `> ` lines follow: then only these go, because the
    answer may stand below. Of a forwarded mail the header goes and the content stays; so it does
    where nothing else would be left.

    Arguments:
        text: a mail's text, with its line breaks.
        is_forward: the subject says that this is a forwarded mail.
    """
    lines = text.splitlines()
    if not any(map(_SIGNAL.search, lines)):
        return text
    cutter = _Cutter(lines, keeps_next=is_forward)
    kept = cutter.cut()
    if not cutter.is_changed:
        return text
    if not is_forward and not _has_text(kept):
        kept = _Cutter(lines, keeps_next=True).cut()
    if not _has_text(kept):
        kept = [_unquoted(line, _MAX_LEVEL) for line in lines]
    return "\n".join(kept).strip("\n")


def begins_quote(line: str) -> bool:
    """Return whether what a mail quotes begins at `line`, as far as one line tells."""
    head = line[:_SEEN_CHARS]
    if _IS_QUOTED.match(head) or _REPLY_MARKER.match(head) or _FORWARD_MARKER.match(head):
        return True
    return _is_from(head) or (head.rstrip().endswith(":") and _VERB.search(head) is not None)


class _Cutter:
    """Goes through the lines once.

    Arguments:
        lines: the text.
        keeps_next: of the next quoted mail only the header is cut.
    """

    def __init__(self, lines: Sequence[str], *, keeps_next: bool) -> None:
        self._lines = lines
        self._keeps_next = keeps_next
        self._kept: list[str] = []
        self._level = 0
        self.is_changed = False

    def cut(self) -> list[str]:
        """Return the lines that stay."""
        at = 0
        while at < len(self._lines):
            line = self._lines[at]
            if self._level:
                line = _unquoted(line, self._level)
            head = line[:_SEEN_CHARS]
            if _IS_QUOTED.match(head):
                self.is_changed = True
                at += 1
                continue
            after, is_forward = self._after_header(at, head)
            if after == at:
                self._kept.append(line)
                at += 1
                continue
            at = self._behind(after, is_forward=is_forward)
        return self._kept

    def _after_header(self, at: int, head: str) -> tuple[int, bool]:
        """Return the line behind a quoted mail's header at `at`, and whether it is forwarded.

        The line itself when there is no header.
        """
        stripped = head.strip()
        has_colon = ":" in stripped
        if (
            has_colon
            and stripped[-1] == ":"
            and len(stripped) > _SHORTEST
            and (number := self._attribution_lines(at))
        ):
            del self._kept[len(self._kept) - number + 1 :]
            return at + 1, False
        if has_colon or stripped[:2] == "--":
            if _REPLY_MARKER.match(stripped):
                return self._after_block(at + 1), False
            if _FORWARD_MARKER.match(stripped):
                return self._after_block(at + 1), True
        after = self._after_block(at) if has_colon and _is_from(stripped) else at
        if after > at and self._kept and _RULE.fullmatch(self._kept[-1][:_SEEN_CHARS]):
            self._kept.pop()
        return after, False

    def _behind(self, at: int, *, is_forward: bool) -> int:
        """Return where to go on behind a header: at the end of a reply that is not marked."""
        self.is_changed = True
        first = at
        while first < len(self._lines) and not self._lines[first].strip():
            first += 1
        following = self._lines[first] if first < len(self._lines) else ""
        is_quoted = _IS_QUOTED.match(_unquoted(following, self._level)) is not None
        if is_forward or self._keeps_next:
            self._keeps_next = False
            self._level = min(self._level + is_quoted, _MAX_LEVEL)
            return first
        return first if is_quoted else len(self._lines)

    def _joined(self, at: int, number: int) -> str:
        """Return the line at `at` behind those kept directly before it, `number` in all."""
        before = self._kept[max(0, len(self._kept) - number + 1) :] if number > 1 else []
        return " ".join(line[:_SEEN_CHARS] for line in (*before, self._lines[at]))

    def _attribution_lines(self, at: int) -> int:
        """Return over how many lines "On ... wrote:" stretches that ends at `at`; 0 for none."""
        longest = self._joined(at, _ATTRIBUTION_LINES)
        if not _VERB.search(longest) or not ("@" in longest or _DATE.search(longest)):
            return 0
        for number in range(1, _ATTRIBUTION_LINES + 1):
            if number > 1 and (len(self._kept) < number - 1 or not self._kept[1 - number].strip()):
                break
            if _is_dated(_unquoted(self._joined(at, number), self._level), is_one_line=number == 1):
                return number
        return int(_NAMES_SENDER.search(self._lines[at][:_SEEN_CHARS]) is not None)

    def _after_block(self, at: int) -> int:
        """Return the line behind the header lines at `at`; `at` when there are too few."""
        seen: set[str] = set()
        end = at
        for place in range(at, min(at + _HEADER_LINES, len(self._lines))):
            line = self._lines[place][:_SEEN_CHARS]
            header = _HEADER.match(_unquoted(line, self._level + 1))
            if header is None:
                if seen and not line.strip() and "subject" in seen:
                    break
                continue
            part = _HEADERS[header[1].lower()]
            if part in seen and part != "other":
                break
            seen.add(part)
            end = place + 1
        return end if "from" in seen and seen & {"date", "to"} and len(seen) > 2 else at  # noqa: PLR2004 - two lines may be prose


def _is_from(line: str) -> bool:
    header = _HEADER.match(line)
    return header is not None and _HEADERS[header[1].lower()] == "from"


def _is_dated(text: str, *, is_one_line: bool) -> bool:
    """Return whether `text` says who wrote what follows, and when; prose rarely says both."""
    text = text.strip(" \t*_")
    verb = _VERB.search(text)
    if verb is None or len(text) > _SEEN_CHARS or _DATE.search(text) is None:
        return False
    return bool(_OPENER.match(text)) or verb[0] == "ने लिखा" or (is_one_line and "@" in text)


def _unquoted(line: str, level: int) -> str:
    """Return `line` without its first `level` quote marks."""
    for _ in range(level):
        mark = _MARK.match(line)
        if mark is None:
            break
        line = line[mark.end() :]
    return line


def _has_text(lines: Sequence[str]) -> bool:
    return any(map(str.strip, lines))

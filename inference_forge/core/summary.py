"""Shorten a ticket to its most telling sentence, in its own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference_forge.core.text import printable_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REVISION = 1
"""Raised when summaries change, so that cached answers of before are not reused."""

_HEAD_CHARS = 4_000  # a ticket says what it is about early; bounds the time
_MAX_SENTENCES = 24  # for the same reasons
_MAX_SUBJECT_WORDS = 15  # a longer first line is the text itself
_MAX_SUBJECT_CHARS = 150  # the same, for text without spaces
_NOTHING_READABLE = "…"  # a text of control characters has nothing to show
_MIN_WORDS = 3  # "Please help." says nothing
_UNSPACED_CHARS = 40  # a longer run without spaces is cut by characters, two to a word

_SENTENCE_END = re.compile("(?<=[.!?…])[\"'»”)]*\\s+|(?<=[।॥\u3002\uff01\uff1f])\\s*")
_GREETING = re.compile(
    r"(?:hello|hi|hey|dear sir or madam|dear|good (?:morning|afternoon|evening|day)|greetings"
    r"|hola|buenos d[ií]as|buenas(?: tardes| noches)?|estimad[oa]s?"
    r"|namaste|namaskar|नमस्ते|नमस्कार|प्रिय|महोदय|आदरणीय)(?!\w)"
    r"(?:[ /]+[^\s,.:;!?।/-]+){0,3}\s*(?:[,.:;!।-]+\s*|$)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:(?:best|kind|warm|many)?\s*(?:regards|wishes|thanks)|thank you(?: very much| so much)?"
    r"|thanks|thx|cheers|sincerely|yours (?:sincerely|faithfully)|sent from my .*"
    r"|(?:muchas |mil )?gracias|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente"
    r"|dhanyavad|dhanyawad|shukriya|धन्यवाद|शुक्रिया|सादर|भवदीय)"
    r"(?: (?:in advance|de antemano))?[\s,.!।]*",
    re.IGNORECASE,
)
_QUOTED_BELOW = re.compile(
    r"-{3,} ?original message ?-{3,}|\bon [^\n]{5,80} wrote:|\bel [^\n]{5,80} escribi[oó]:",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"--\s*$|__+$|sent from my\b", re.IGNORECASE)


def summarise(text: str, evidence: Callable[[str], float], *, max_words: int = 20) -> str:
    """Return one line of at most `max_words` words out of `text`; never empty for a text.

    A short first line is taken for the subject and put before the sentence. Greetings,
    closings, signatures and quoted lines are passed over.

    Arguments:
        text: the ticket.
        evidence: how much a sentence speaks for the ticket's label; the most telling wins.
        max_words: at least 1; in text without spaces two characters count as a word.
    """
    text = text.strip()[:_HEAD_CHARS]
    lines = _own_lines(_QUOTED_BELOW.split(text, maxsplit=1)[0]) or [printable_line(text)]
    subject = _subject(lines)
    best = _most_telling(_sentences(lines[1:] if subject else lines), evidence)
    if not subject:
        chosen = best or lines[0]
    elif not best or best.casefold().startswith(subject.casefold().rstrip(".!?… ")):
        chosen = best or subject
    else:
        chosen = f"{subject.rstrip('.:; ।')}: {best}"
    return _cut(chosen, max_words) or _NOTHING_READABLE


def extract_summary(text: str, *, max_words: int = 20) -> str:
    """Return one line out of `text` without weighing it: the subject and what is said first.

    Arguments:
        text: the ticket.
        max_words: at least 1, as for `summarise`.
    """
    return summarise(text, lambda _: 0.0, max_words=max_words)


def _own_lines(text: str) -> list[str]:
    """Return what the writer wrote in this message, without the quoted part and signature."""
    lines: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if lines and _SIGNATURE.match(stripped):
            break
        if stripped and not stripped.startswith(">"):
            cleaned = printable_line(stripped)
            if cleaned:
                lines.append(cleaned)
    return lines


def _subject(lines: Sequence[str]) -> str:
    """Return the first line when it reads like a subject, else nothing."""
    if len(lines) < 2 or len(lines[0].split()) > _MAX_SUBJECT_WORDS:  # noqa: PLR2004 - line, body
        return ""
    if len(lines[0]) > _MAX_SUBJECT_CHARS or _GREETING.match(lines[0]):
        return ""
    return lines[0]


def _sentences(lines: Sequence[str]) -> list[str]:
    """Return the sentences that say something, in order."""
    found: list[str] = []
    for line in lines:
        for part in _SENTENCE_END.split(line):
            sentence = _GREETING.sub("", part.strip(), count=1).strip()
            if sentence and not _CLOSING.fullmatch(sentence):
                found.append(sentence)
            if len(found) == _MAX_SENTENCES:
                return found
    return found


def _most_telling(sentences: Sequence[str], evidence: Callable[[str], float]) -> str:
    """Return the sentence with the strongest evidence, the earliest of equals."""
    if len(sentences) <= 1:
        return "".join(sentences)
    telling = [text for text in sentences if len(text.split()) >= _MIN_WORDS] or sentences
    return max(telling, key=evidence)


def _cut(text: str, max_words: int) -> str:
    """Return at most `max_words` words of `text`, with an ellipsis when something is missing."""
    words = text.split()
    kept: list[str] = []
    used = 0
    for word in words:
        cost = 1 if len(word) <= _UNSPACED_CHARS else (len(word) + 1) // 2
        if used + cost > max_words:
            room = (max_words - used) * 2
            if cost > 1 and room:
                kept.append(word[:room])
            break
        kept.append(word)
        used += cost
    short = " ".join(kept)
    return short if short == text else short.rstrip(" ,;:-\u2013\u2014") + "…"

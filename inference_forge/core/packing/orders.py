"""Tell whether a ticket gives orders.

Wide nets on purpose: a ticket that travels alone costs a fraction of a cent more, one that speaks
for its neighbours gives wrong labels. Words of the languages that support desks of this tool's
users write in; the forms are those of published collections of such attacks.

A pattern of many branches is tried at every character, and is slow. So each form is a pattern for
itself, and is looked for only in texts that have the words without which it cannot match.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

_WORD: Final = re.compile(r"\w+")

# Letters beyond ASCII that `re.IGNORECASE` takes for ASCII ones (Python's documentation of re).
_TAKEN_FOR_ASCII: Final = {0x130: "i", 0x131: "i", 0x17F: "s", 0x212A: "k"}


class _Form(Struct, frozen=True):
    """A form of orders.

    Attributes:
        needed: one word of each group is in every text that the pattern matches; one with a `*` at
            its end may go on, or stand within another.
        pattern: verbose, in any case.
    """

    needed: tuple[str, ...]
    pattern: str


_FORMS: Final = (
    _Form(
        ("ignore disregard forget override overrule bypass skip neglect",),
        r"""\b(?:ignore|disregard|forget|override|overrule|bypass|skip|neglect)\b .{0,80}? \b
          (?:instruct\w*|prompts?|rules?|above|previous|prior|earlier|before|everything|guidelines?
            |polic\w+|system|context|directions?|orders?)\b""",
    ),
    _Form(
        ("ignor* vergiss vergessen missacht* olvida* oubli* dimentica* esque*",),
        r"""\b(?:ignor\w+|vergiss|vergessen|missacht\w+|olvida\w*|oubli\w+|dimentica\w*
            |esque[cç]\w+)\b
          .{0,80}? \b(?:anweisung\w*|regeln?|instruc\w+|instruções|istruzion\w+|consignes?|prompt
            |anterior\w*|précédent\w*|precedent\w*|vorherig\w*|obige\w*|bisherig\w*)\b""",
    ),
    _Form(
        (
            "answer respond reply output print return write say repeat emit",
            """with only exactly as json object nothing verbatim line lines the category priority
            label labels code codes""",
        ),
        r"""\b(?:answer|respond|reply|output|print|return|write|say|repeat|emit)\b
          \s{1,4}(?:\w+\s{1,4}){0,3}? (?:with|only|exactly|as\s{1,4}\w+:|json|object|nothing
            |verbatim|lines?|the\s{1,4}(?:text|prompt|words?)|category|priority|labels?|codes?)\b""",
    ),
    _Form(
        (
            """classif* label* mark treat categori* tag rate flag priorit* assign set change choose
            pick select use""",
            "as to for in into",
            """all every each other others next previous ticket tickets critical low high medium
            category priority label labels class""",
        ),
        r"""\b(?:classif\w+|label\w*|mark|treat|categori[sz]e\w*|tag|rate|flag|priorit\w+|assign
            |set|change|choose|pick|select|use)\b .{0,60}? \b(?:as|to|for|in|into)\b
          .{0,40}? \b(?:all|every|each|others?|next|previous|tickets?|critical|low|high|medium
            |category|priority|labels?|class)\b""",
    ),
    _Form(
        ("classif* label categori* treat mark tag", "this it me them", "as"),
        r"""\b(?:classif\w+|label|categori[sz]e|treat|mark|tag)\s{1,4}(?:this|it|me|them)
          \s{1,4}as\b""",
    ),
    _Form(
        (
            "all every each any other next following previous remaining these those neighbo*",
            """ticket tickets answer answers label labels line lines id ids message messages entries
            item items row rows""",
        ),
        r"""\b(?:all|every|each|any|other|next|following|previous|remaining|these|those
            |neighbou?r\w*)\b
          .{0,20}? \b(?:tickets?|answers?|labels?|lines?|ids?|messages?|entries|items?|rows?)\b""",
    ),
    _Form(
        ("you", "must are should"),
        r"\byou\s{1,4}(?:must|are\s{1,4}(?:now|a|an|the)|should\s{1,4}(?:now|only))\b",
    ),
    _Form(
        ("system developer assistant admin operator",),
        r"""\b(?:system|developer|assistant|admin|operator)\b \s{0,4}
          (?:prompt|message|note|override|mode)?\s{0,4}[:>\]]""",
    ),
    _Form(
        ("system developer",),
        r"\b(?:system|developer)\s{1,4}(?:prompt|message|instructions?|mode)\b",
    ),
    _Form(
        ("jailbreak prompt anything dan taxonomy llm language chatgpt gpt ai",),
        r"""\b(?:jailbreak|prompt\s{1,4}injection|do\s{1,4}anything\s{1,4}now|DAN|taxonomy|LLM
            |language\s{1,4}model|chat\s?gpt|as\s{1,4}an\s{1,4}ai)\b""",
    ),
    _Form(
        ("category priority label class",),
        r"""\b(?:category|priority|label|class)\b \s{0,4}["'`]?\s{0,4}
          (?:is|:|=|=>|must\s{1,4}be|to) \s{0,4}["'`]?\w""",
    ),
    _Form(("marker",), r"\bmarker\b"),
    _Form(
        ("new", "policy rule rules instruction instructions"),
        r"\bnew\s{1,4}(?:policy|rules?|instructions?)\b",
    ),
    _Form(("end", "of"), r"\bend\s{1,4}of\s{1,4}(?:ticket|text|data|prompt)\b"),
)


def _patterns() -> tuple[dict[str, int], dict[str, int], list[tuple[int, re.Pattern[str]]]]:
    """Return the groups of words and of stems as bits, and each pattern with those it needs."""
    words: dict[str, int] = {}
    stems: dict[str, int] = {}
    patterns: list[tuple[int, re.Pattern[str]]] = []
    group = 1
    for form in _FORMS:
        first = group
        for needed in form.needed:
            for word in needed.split():
                groups = stems if word.endswith("*") else words
                key = word.removesuffix("*")
                groups[key] = groups.get(key, 0) | group
            group <<= 1
        pattern = re.compile(form.pattern, re.IGNORECASE | re.VERBOSE | re.DOTALL)
        patterns.append((group - first, pattern))
    return words, stems, patterns


_WORDS, _STEMS, _PATTERNS = _patterns()


def gives_orders(text: str) -> bool:
    """Return whether a ticket looks like it gives orders to whoever answers."""
    lower = (text if text.isascii() else text.translate(_TAKEN_FOR_ASCII)).lower()
    seen = 0
    for word in _WORDS.keys() & _WORD.findall(lower):
        seen |= _WORDS[word]
    for stem, groups in _STEMS.items():
        if stem in lower:
            seen |= groups
    return any(
        pattern.search(text) is not None for needed, pattern in _PATTERNS if seen & needed == needed
    )

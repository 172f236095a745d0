"""Which tickets look like instructions, and so travel alone."""

from __future__ import annotations

import re
from typing import Final

# Wide nets on purpose: a ticket that travels alone costs a fraction of a cent more, one that
# speaks for its neighbours gives wrong labels. Words of the languages that support desks of this
# tool's users write in; the forms are those of published collections of such attacks.
_ORDERS: Final = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override|overrule|bypass|skip|neglect)\b .{0,80}? \b
      (?:instruct\w*|prompts?|rules?|above|previous|prior|earlier|before|everything|guidelines?
        |polic\w+|system|context|directions?|orders?)\b
  | \b(?:ignor\w+|vergiss|vergessen|missacht\w+|olvida\w*|oubli\w+|dimentica\w*|esque[cç]\w+)\b
      .{0,80}? \b(?:anweisung\w*|regeln?|instruc\w+|instruções|istruzion\w+|consignes?|prompt
        |anterior\w*|précédent\w*|precedent\w*|vorherig\w*|obige\w*|bisherig\w*)\b
  | \b(?:answer|respond|reply|output|print|return|write|say|repeat|emit)\b
      \s{1,4}(?:\w+\s{1,4}){0,3}? (?:with|only|exactly|as\s{1,4}\w+:|json|object|nothing|verbatim
        |lines?|the\s{1,4}(?:text|prompt|words?)|category|priority|labels?|codes?)\b
  | \b(?:classif\w+|label\w*|mark|treat|categori[sz]e\w*|tag|rate|flag|priorit\w+|assign|set|change
        |choose|pick|select|use)\b .{0,60}? \b(?:as|to|for|in|into)\b
      .{0,40}? \b(?:all|every|each|others?|next|previous|tickets?|critical|low|high|medium
        |category|priority|labels?|class)\b
  | \b(?:classif\w+|label|categori[sz]e|treat|mark|tag)\s{1,4}(?:this|it|me|them)\s{1,4}as\b
  | \b(?:all|every|each|any|other|next|following|previous|remaining|these|those|neighbou?r\w*)\b
      .{0,20}? \b(?:tickets?|answers?|labels?|lines?|ids?|messages?|entries|items?|rows?)\b
  | \byou\s{1,4}(?:must|are\s{1,4}(?:now|a|an|the)|should\s{1,4}(?:now|only))\b
  | \b(?:system|developer|assistant|admin|operator)\b \s{0,4}
      (?:prompt|message|note|override|mode)?\s{0,4}[:>\]]
  | \b(?:system|developer)\s{1,4}(?:prompt|message|instructions?|mode)\b
  | \b(?:jailbreak|prompt\s{1,4}injection|do\s{1,4}anything\s{1,4}now|DAN|taxonomy|LLM
        |language\s{1,4}model|chat\s?gpt|as\s{1,4}an\s{1,4}ai)\b
  | \b(?:category|priority|label|class)\b \s{0,4}["'`]?\s{0,4}
      (?:is|:|=|=>|must\s{1,4}be|to) \s{0,4}["'`]?\w
  | \b(?:marker|new\s{1,4}(?:policy|rules?|instructions?))\b
  | \bend\s{1,4}of\s{1,4}(?:ticket|text|data|prompt)\b
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# Not Latin: word boundaries mean little there, so these stand alone.
_FOREIGN: Final = re.compile(
    "指令|指示|提示词|忽略|无视|無視|プロンプト|игнорир|инструкц|забудь|निर्देश|अनदेखा|تجاهل|التعليمات"
    "|התעלם|ההוראות|지시|무시"
)
# What marks data, roles or answers, in prompts and in chat templates.
_FORMS: Final = re.compile(
    r"""
    </?\s{0,4}(?:ticket|system|user|assistant|instructions?|data|text|prompt|answer|final|think\w*)\b
  | <\|.{0,40}?\|> | \[/?(?:INST|SYS\w*|THINK)\] | <</?SYS>> | ```
  | ^\s{0,4}(?:\#{1,6}\s{0,4})?(?:system|user|assistant|human|instructions?)\s{0,4}:
  | \{\s{0,4}["'“] | ["'”]\s{0,4}:\s{0,4}["'“{\[]
  | ^\W{0,4}\d{1,6}(?:-\d{1,4})?[ \t]*[:.)|\-]?
      [ \t]+[a-z]{1,3}(?:[ \t]+[a-z]{1,3}){0,3}[ \t]*(?:\||$)
  | ^\W{0,4}\d{3}-(?:\d{3}[ \t]|end\b)
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
# Text that a person cannot see or read, but a model can.
_HIDDEN: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\U000e0000-\U000e007f]|[A-Za-z0-9+/]{48,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){32,}"
    r"|(?:\b\w[ ]{1,4}){12,}|(?:\\u[0-9a-fA-F]{4}){4,}|(?:%[0-9a-fA-F]{2}){6,}"
    r"|(?:&\#x?[0-9a-fA-F]{2,6};){4,}"
)


MAX_LOOKED_AT: Final = 4_000
"""Characters of a ticket. A longer one counts as suspicious: sharing the instructions would save it
little, and what strangers write must not take long to look through."""


def is_suspicious(text: str) -> bool:
    """Return whether a ticket looks like it gives orders, marks data or hides something.

    It says nothing about intent, and misses what is not like anything known: what no ticket can do
    is name another, whose number it does not know (see `PackNames`).
    """
    return len(text) > MAX_LOOKED_AT or any(
        pattern.search(text) is not None for pattern in (_ORDERS, _FORMS, _HIDDEN, _FOREIGN)
    )

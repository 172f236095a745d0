"""Which tickets look like instructions, and so travel alone."""

from __future__ import annotations

import re
from typing import Final

from inference_forge.core.packing.orders import gives_orders

# Not Latin: word boundaries mean little there, so these stand alone.
_FOREIGN: Final = re.compile(
    "指令|指示|提示词|忽略|无视|無視|プロンプト|игнорир|инструкц|забудь|निर्देश|अनदेखा|تجاهل|التعليمات"
    "|התעלם|ההוראות|지시|무시"
)
# Every form in `_FORMS` has one of `<[`{:`, or begins a line with a number.
_NUMBERED: Final = re.compile(r"^\W{0,4}\d", re.MULTILINE)
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
# Text that a person cannot see, but a model can.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\U000e0000-\U000e007f]"
)
# Text that a person cannot read. Each pattern for itself: as one, they take five times as long.
_CODED: Final = (
    re.compile(r"[A-Za-z0-9+/]{48}"),
    re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){32}"),
    re.compile(r"(?:\b\w[ ]{1,4}){12}"),
)
_ESCAPED: Final = re.compile(
    r"(?:\\u[0-9a-fA-F]{4}){4}|(?:%[0-9a-fA-F]{2}){6}|(?:&\#x?[0-9a-fA-F]{2,6};){4}"
)


MAX_LOOKED_AT: Final = 4_000
"""Characters of a ticket. A longer one counts as suspicious: sharing the instructions would save it
little, and what strangers write must not take long to look through."""


def is_suspicious(text: str) -> bool:
    """Return whether a ticket looks like it gives orders, marks data or hides something.

    It says nothing about intent, and misses what is not like anything known: what no ticket can do
    is name another, whose number it does not know (see `PackNames`).
    """
    if len(text) > MAX_LOOKED_AT:
        return True
    return (
        gives_orders(text)
        or (_may_have_forms(text) and _FORMS.search(text) is not None)
        or (not text.isascii() and (_INVISIBLE.search(text) or _FOREIGN.search(text)) is not None)
        or any(pattern.search(text) for pattern in _CODED)
        or (("\\" in text or "%" in text or "&" in text) and _ESCAPED.search(text) is not None)
    )


def _may_have_forms(text: str) -> bool:
    """Return False when `_FORMS` cannot match, for lack of what each form has."""
    return any(map(text.__contains__, "<[`{:")) or _NUMBERED.search(text) is not None

"""Writing taxonomy files: a starter, or one made from labelled tickets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.taxonomy import BUILT_IN, PRIORITY_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.core.taxonomy import Label

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_HEAD: Final = """\
# {made}
#
#     forge taxonomy check {file}
#     forge classify tickets.csv --taxonomy {file}
#
# A label is a name with a description, or a table with a description and examples. Say in the
# description what belongs to it, and what does not where two are close. The first two examples of
# a label go into every prompt; all of them teach the embedded classifier, which needs three.
"""
_KEYS: Final = """\
name = {name}

# Said to the model at the end of its instructions: house rules, what is meant by a word.
# notes = "When a ticket holds several matters, choose the one to act on first."

# The language of the summary and other texts; without it the model chooses. Labels stay.
# language = "English"

# The most categories that a ticket can have; above 1 the column reads "billing; delivery".
{max_labels}

# false leaves out the one-line summary.
summary = true
"""
_PRIORITIES: Final = """\

# Priorities with definitions of your own; these are used without the table. `priorities = false`,
# above all tables, leaves priority out.
[priorities]
{labels}

# Further columns: an enum (labels, as above; max_labels for several), a boolean, or a short text.
#
# [fields.sentiment]
# labels = {{ calm = "", annoyed = "", angry = "threats, insults, capitals" }}
#
# [fields.needs_human]
# kind = "boolean"
# description = "a person must read this before anything is answered"
#
# [fields.product]
# kind = "text"
# max_words = 4
# description = "the product in question, empty when none is named"
"""


class FoundLabel(Struct, frozen=True):
    """A label to be written.

    Attributes:
        name: usable in a taxonomy.
        found_as: how it stands in the data.
        count: tickets that have it.
        examples: some of them, as they may be shown.
    """

    name: str
    found_as: str
    count: int
    examples: tuple[str, ...]


def starter_toml(file: str) -> str:
    """Return the built-in taxonomy as a file to be changed, which means the same unchanged.

    Arguments:
        file: its name, for the command lines in it.
    """
    lines = [
        f"{_key(label.name)} = {_text(label.description)}" for label in BUILT_IN.fields[0].labels
    ]
    head = _HEAD.format(
        made="The built-in taxonomy, to be changed into your own.", file=_comment(file)
    )
    keys = _KEYS.format(name=_text("my own"), max_labels="# max_labels = 3")
    return "\n".join([head, keys, "[categories]", *lines, _priorities()])


def found_toml(
    labels: Sequence[FoundLabel], *, file: str, name: str, made: str, max_labels: int = 1
) -> str:
    """Return a file with labels found in data.

    Arguments:
        labels: in the order to be written.
        file: its name, for the command lines in it.
        name: what the taxonomy is called.
        made: a sentence that says from what it was made.
        max_labels: the most labels that a ticket had.
    """
    several = f"max_labels = {max_labels}" if max_labels > 1 else "# max_labels = 3"
    head = _HEAD.format(made=_comment(made), file=_comment(file))
    keys = _KEYS.format(name=_text(name), max_labels=several)
    return "\n".join([head, keys, *map(_table, labels), _priorities()])


def _table(label: FoundLabel) -> str:
    count = "1 ticket" if label.count == 1 else f"{label.count:,} tickets"
    was = "" if label.found_as == label.name else f", in the data {_comment(repr(label.found_as))}"
    lines = [
        f"# {count}{was}",
        f"[categories.{_key(label.name)}]",
        'description = ""',
        "examples = [",
    ]
    return "\n".join([*lines, *(f"    {_text(text)}," for text in label.examples), "]", ""])


def _priorities() -> str:
    return _PRIORITIES.format(labels="\n".join(map(_line, PRIORITY_FIELD.labels)))


def _line(label: Label) -> str:
    return f"{_key(label.name)} = {_text(label.description)}"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """Return a TOML basic string; its escapes are JSON's, and DEL is one (toml.io/en/v1.0.0)."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Return `text` as it can stand in a comment: without control characters."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)

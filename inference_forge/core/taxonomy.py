"""What a model is asked for: fields and their labels."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

# The ranges are accents and vowel signs, Indic and Thai above all: parts of letters, but not \w.
LABEL_CHARACTERS: Final = r"\w .&/+\u0300-\u036f\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e-"
"""What a label is made of, for a character class; nothing that parts labels in a list."""

MAX_LABEL_CHARS: Final = 64
LABEL_NAME: Final = re.compile(rf"[^\W_][{LABEL_CHARACTERS}]{{0,{MAX_LABEL_CHARS - 1}}}")
"""A label starts with a letter or digit, so that no label can be a formula in a spreadsheet."""

FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
SUMMARY_MAX_WORDS: Final = 20
RESERVED_FIELDS: Final = frozenset(
    {"complexity", "cache_hit", "tokens", "cost", "currency", "model", "reasoning"}
    | {"truncated", "error", "error_detail", "attempts"}
)
"""Columns that forge itself adds; a taxonomy's field cannot take their names."""


class FieldKind(StrEnum):
    """What values a field can have."""

    ENUM = "enum"
    BOOLEAN = "boolean"
    TEXT = "text"


class Label(Struct, frozen=True):
    """One allowed value of an enum field."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


class Field(Struct, frozen=True):
    """One thing to ask the model for.

    Attributes:
        name: column name in the output.
        kind: `enum`, `boolean` or `text`.
        labels: allowed values of an enum, in the file's order; empty for other kinds.
        description: what the field means, for the model.
        max_words: cap on a text's length.
        max_labels: how many labels of an enum a ticket can have at most.
    """

    name: str
    kind: FieldKind
    labels: tuple[Label, ...] = ()
    description: str = ""
    max_words: int = SUMMARY_MAX_WORDS
    max_labels: int = 1

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the allowed values, in the file's order."""
        return tuple(label.name for label in self.labels)

    @property
    def is_multiple(self) -> bool:
        """Return whether a ticket can have several of the labels."""
        return self.max_labels > 1


class Taxonomy(Struct, frozen=True):
    """The fields to produce, in output order.

    Attributes:
        name: for people.
        fields: at least one.
        notes: further advice to the model (house rules, what is meant by a word).
        language: what texts such as the summary are written in; empty leaves it to the model.
    """

    name: str
    fields: tuple[Field, ...]
    notes: str = ""
    language: str = ""

    @property
    def field_names(self) -> tuple[str, ...]:
        """Return the names of the fields, in output order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field | None:
        """Return the field called `name`, None when there is none."""
        return next((field for field in self.fields if field.name == name), None)

    def canonical(self) -> list[object]:
        """Return a JSON-ready form that does not depend on the order of labels.

        What a taxonomy does not use leaves no trace in it, so that answers which were paid for
        before there was such a thing are found again.
        """
        fields = [_canonical(field) for field in sorted(self.fields, key=lambda field: field.name)]
        return [fields, self.notes, *([self.language] if self.language else [])]


def _canonical(field: Field) -> list[object]:
    return [
        field.name,
        field.kind.value,
        field.description,
        field.max_words,
        sorted([label.name, label.description, *label.examples] for label in field.labels),
        *([field.max_labels] if field.is_multiple else []),
    ]


SUMMARY_FIELD: Final = Field(
    name="summary",
    kind=FieldKind.TEXT,
    description="the problem in one line",
    max_words=SUMMARY_MAX_WORDS,
)

PRIORITY_FIELD: Final = Field(
    name="priority",
    kind=FieldKind.ENUM,
    labels=(
        Label("low", "question, cosmetic, suggestion, no time pressure"),
        Label("medium", "degraded or annoying, workaround exists, action this week"),
        Label("high", "main work of a person or team blocked, no workaround, near deadline"),
        Label("critical", "production down, data loss, security, danger, many users blocked now"),
    ),
)

BUILT_IN: Final = Taxonomy(
    name="built-in",
    fields=(
        Field(
            name="category",
            kind=FieldKind.ENUM,
            labels=(
                Label("hardware_issue", "a physical device or part fails or is damaged"),
                Label(
                    "software_issue",
                    "application, website, API, login, integration, update, latency, outage",
                ),
                Label(
                    "model_quality",
                    "output of an AI model is wrong: facts, translation, transcription, bias",
                ),
                Label("billing", "invoices, charges, refunds, payments, plans, taxes, prices"),
                Label("other", "everything else: questions, requests, account data, feedback"),
            ),
        ),
        PRIORITY_FIELD,
        SUMMARY_FIELD,
    ),
)
"""Used when no taxonomy file is given."""

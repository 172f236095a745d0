"""What a model is asked for: fields, their labels, and how a taxonomy file is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from inference_forge.errors import TaxonomyError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The ranges are accents and vowel signs, Indic and Thai above all: parts of letters, but not \w.
LABEL_NAME: Final = re.compile(
    r"[^\W_][\w .&/+\u0300-\u036f\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e-]{0,63}"
)
"""A label starts with a letter or digit, so that no label can be a formula in a spreadsheet."""

FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
SUMMARY_MAX_WORDS: Final = 20
RESERVED_FIELDS: Final = frozenset(
    {"complexity", "cache_hit", "tokens", "cost", "currency", "model", "reasoning"}
    | {"error", "error_detail", "attempts"}
)
"""Columns that forge itself adds; a taxonomy's field cannot take their names."""


class FieldKind(StrEnum):
    """What values a field can have."""

    ENUM = "enum"
    BOOLEAN = "boolean"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Label:
    """One allowed value of an enum field."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask the model for.

    Attributes:
        name: column name in the output.
        kind: `enum`, `boolean` or `text`.
        labels: allowed values of an enum, in the file's order; empty for other kinds.
        description: what the field means, for the model.
        max_words: cap on a text's length.
    """

    name: str
    kind: FieldKind
    labels: tuple[Label, ...] = ()
    description: str = ""
    max_words: int = SUMMARY_MAX_WORDS

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the allowed values, in the file's order."""
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The fields to produce, in output order.

    Attributes:
        name: for people.
        fields: at least one.
        notes: further advice to the model (language, house rules).
    """

    name: str
    fields: tuple[Field, ...]
    notes: str = ""

    @property
    def field_names(self) -> tuple[str, ...]:
        """Return the names of the fields, in output order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field | None:
        """Return the field called `name`, None when there is none."""
        return next((field for field in self.fields if field.name == name), None)

    def canonical(self) -> list[object]:
        """Return a JSON-ready form that does not depend on the order of labels."""
        return [
            [
                [
                    field.name,
                    field.kind.value,
                    field.description,
                    field.max_words,
                    sorted(
                        [label.name, label.description, *label.examples] for label in field.labels
                    ),
                ]
                for field in sorted(self.fields, key=lambda field: field.name)
            ],
            self.notes,
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


def taxonomy_from_data(data: Mapping[str, Any], *, source: str) -> Taxonomy:
    """Build a taxonomy from a parsed TOML file.

    Arguments:
        data: `name`, `notes`, `summary` (true or false), and the tables `categories`,
            `priorities` and `fields`. A label is a description, or a table with `description`
            and `examples`. Without `priorities` the built-in four are used;
            `priorities = false` leaves priority out.
        source: what to call the file in errors.

    Raises:
        TaxonomyError: naming the key and what it should hold.
    """
    _refuse_unknown(
        data, ("categories", "fields", "name", "notes", "priorities", "summary"), source
    )
    fields = [_category_field(data, source), *_priority_fields(data, source)]
    fields += _own_fields(data.get("fields", {}), source)
    if _flag(data.get("summary", True), source, "summary"):
        fields.append(SUMMARY_FIELD)
    names = [field.name for field in fields]
    if len(set(names)) < len(names):
        raise TaxonomyError(f"{source}: two fields have the same name: {', '.join(names)}")
    return Taxonomy(
        name=_text(data.get("name", source), source, "name"),
        fields=tuple(fields),
        notes=_text(data.get("notes", ""), source, "notes"),
    )


def _category_field(data: Mapping[str, Any], source: str) -> Field:
    if "categories" not in data:
        raise TaxonomyError(
            f"{source}: no categories; add a table [categories] with lines like "
            'billing = "invoices, refunds, prices"'
        )
    labels = _labels(data["categories"], source, "categories")
    return Field(name="category", kind=FieldKind.ENUM, labels=labels)


def _priority_fields(data: Mapping[str, Any], source: str) -> list[Field]:
    priorities = data.get("priorities")
    if priorities is None:
        return [PRIORITY_FIELD]
    if priorities is False:
        return []
    labels = _labels(priorities, source, "priorities")
    return [Field(name="priority", kind=FieldKind.ENUM, labels=labels)]


def _own_fields(data: object, source: str) -> list[Field]:
    return [
        _own_field(name, spec, source, f"fields.{name}")
        for name, spec in _table(data, source, "fields").items()
    ]


def _own_field(name: str, spec: object, source: str, where: str) -> Field:
    table = _table(spec, source, where)
    if not FIELD_NAME.fullmatch(name) or name in RESERVED_FIELDS:
        raise TaxonomyError(
            f"{source}: [{where}] is not a usable field name; use lower-case letters, digits "
            f"and _, and none of {', '.join(sorted(RESERVED_FIELDS))}"
        )
    _refuse_unknown(table, ("kind", "labels", "description", "max_words"), f"{source}: [{where}]")
    try:
        kind = FieldKind(table.get("kind", "enum"))
    except ValueError:
        raise TaxonomyError(
            f"{source}: [{where}] kind is {table['kind']!r}; use enum, boolean or text"
        ) from None
    max_words = table.get("max_words", SUMMARY_MAX_WORDS)
    if not isinstance(max_words, int) or isinstance(max_words, bool) or max_words < 1:
        raise TaxonomyError(f"{source}: [{where}] max_words must be a whole number above 0")
    is_enum = kind is FieldKind.ENUM
    return Field(
        name=name,
        kind=kind,
        labels=_labels(table.get("labels", {}), source, f"{where}.labels") if is_enum else (),
        description=_text(table.get("description", ""), source, f"{where}.description"),
        max_words=max_words,
    )


def _labels(data: object, source: str, where: str) -> tuple[Label, ...]:
    labels = tuple(
        _label(name, spec, source, f"{where}.{name}")
        for name, spec in _table(data, source, where).items()
    )
    if len(labels) < 2:  # noqa: PLR2004 - one label leaves nothing to decide
        raise TaxonomyError(f"{source}: [{where}] needs at least two labels")
    folded = {label.name.casefold() for label in labels}
    if len(folded) < len(labels):
        raise TaxonomyError(f"{source}: [{where}] has labels that differ only in case")
    return labels


def _label(name: str, spec: object, source: str, where: str) -> Label:
    if not LABEL_NAME.fullmatch(name) or name.endswith(" "):
        raise TaxonomyError(
            f"{source}: {where!r} is not a usable label; start with a letter or digit and use "
            "letters, digits, spaces and _ . & / + - (at most 64 characters)"
        )
    if isinstance(spec, str):
        return Label(name, " ".join(spec.split()))
    table = _table(spec, source, where)
    _refuse_unknown(table, ("description", "examples"), f"{source}: [{where}]")
    examples = table.get("examples", [])
    if not isinstance(examples, list) or not all(isinstance(text, str) for text in examples):
        raise TaxonomyError(f"{source}: [{where}] examples must be a list of texts")
    return Label(
        name,
        _text(table.get("description", ""), source, f"{where}.description"),
        tuple(" ".join(text.split()) for text in examples),
    )


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise TaxonomyError(f"{where}: unknown key {unknown[0]!r}; known keys: {', '.join(known)}")


def _table(data: object, source: str, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TaxonomyError(f"{source}: [{where}] must be a table")
    return data


def _text(data: object, source: str, where: str) -> str:
    if not isinstance(data, str):
        raise TaxonomyError(f"{source}: {where} must be a text")
    return " ".join(data.split())


def _flag(data: object, source: str, where: str) -> bool:
    if not isinstance(data, bool):
        raise TaxonomyError(f"{source}: {where} must be true or false")
    return data

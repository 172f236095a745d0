"""From the data of a taxonomy file to a taxonomy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.taxonomy import (
    FIELD_NAME,
    LABEL_NAME,
    PRIORITY_FIELD,
    RESERVED_FIELDS,
    SUMMARY_FIELD,
    SUMMARY_MAX_WORDS,
    Field,
    FieldKind,
    Label,
    Taxonomy,
)
from inference_forge.errors import TaxonomyError

if TYPE_CHECKING:
    from collections.abc import Mapping


_KEYS = (
    *("categories", "fields", "language", "max_labels", "name", "notes"),
    *("priorities", "summary"),
)
_FIELD_KEYS = ("kind", "labels", "description", "max_words", "max_labels")

# What a table should be, for who wrote something else.
_FIELDS: Final = "a table for each field: write a line [fields.NAME], and its keys below"
_FIELD: Final = (
    'a table: write a line [{}], and below it kind = "enum", "boolean" or "text" and the other keys'
)
_LABELS: Final = 'a table: write a line [{}], and below it a line NAME = "what it means" a label'
_LABEL: Final = "a description in quotes, or a table with description and examples"


def taxonomy_from_data(data: Mapping[str, Any], *, source: str) -> Taxonomy:
    """Build a taxonomy from a parsed TOML file.

    Arguments:
        data: `name`, `notes`, `language`, `max_labels` (of a ticket's categories), `summary`
            (true or false), and the tables `categories`, `priorities` and `fields`. A label is
            a description, or a table with `description` and `examples`. Without `priorities`
            the built-in four are used; `priorities = false` leaves priority out.
        source: what to call the file in errors.

    Raises:
        TaxonomyError: naming the key and what it should hold.
    """
    _refuse_unknown(data, _KEYS, source)
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
        language=_text(data.get("language", ""), source, "language"),
    )


def _category_field(data: Mapping[str, Any], source: str) -> Field:
    if "categories" not in data:
        raise TaxonomyError(
            f"{source}: no categories; add a table [categories] with lines like "
            'billing = "invoices, refunds, prices"'
        )
    labels = _labels(data["categories"], source, "categories")
    most = _most(data, labels, f"{source}:")
    return Field(name="category", kind=FieldKind.ENUM, labels=labels, max_labels=most)


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
        for name, spec in _table(data, source, "fields", _FIELDS).items()
    ]


def _own_field(name: str, spec: object, source: str, where: str) -> Field:
    table = _table(spec, source, where, _FIELD.format(where))
    if not FIELD_NAME.fullmatch(name) or name in RESERVED_FIELDS:
        raise TaxonomyError(
            f"{source}: [{where}] is not a usable field name; use lower-case letters, digits "
            f"and _, and none of {', '.join(sorted(RESERVED_FIELDS))}"
        )
    _refuse_unknown(table, _FIELD_KEYS, f"{source}: [{where}]")
    try:
        kind = FieldKind(table.get("kind", "enum"))
    except ValueError:
        raise TaxonomyError(
            f"{source}: [{where}] kind is {table['kind']!r}; use enum, boolean or text"
        ) from None
    is_enum = kind is FieldKind.ENUM
    for key, owner in (("labels", FieldKind.ENUM), ("max_words", FieldKind.TEXT)):
        if key in table and kind is not owner:
            raise TaxonomyError(
                f"{source}: [{where}] {key} is for fields of kind {owner}, and this is of kind "
                f"{kind}; leave it out, or change kind"
            )
    labels = _labels(table.get("labels", {}), source, f"{where}.labels") if is_enum else ()
    return Field(
        name=name,
        kind=kind,
        labels=labels,
        description=_text(table.get("description", ""), source, f"{where}.description"),
        max_words=_count(table, "max_words", SUMMARY_MAX_WORDS, f"{source}: [{where}]"),
        max_labels=_most(table, labels, f"{source}: [{where}]"),
    )


def _most(table: Mapping[str, Any], labels: tuple[Label, ...], where: str) -> int:
    """Return how many labels a ticket can have; as many as there are is enough."""
    if "max_labels" in table and not labels:
        raise TaxonomyError(f"{where} max_labels is for fields of kind enum; leave it out")
    return min(_count(table, "max_labels", 1, where), max(1, len(labels)))


def _count(table: Mapping[str, Any], key: str, default: int, where: str) -> int:
    count = table.get(key, default)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise TaxonomyError(f"{where} {key} must be a whole number above 0")
    return count


def _labels(data: object, source: str, where: str) -> tuple[Label, ...]:
    labels = tuple(
        _label(name, spec, source, f"{where}.{name}")
        for name, spec in _table(data, source, where, _LABELS.format(where)).items()
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
    table = _table(spec, source, where, _LABEL)
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


def _table(data: object, source: str, where: str, wanted: str) -> dict[str, Any]:
    """Return `data`, which is a table; else say what it should be."""
    if not isinstance(data, dict):
        raise TaxonomyError(f"{source}: [{where}] must be {wanted}")
    return data


def _text(data: object, source: str, where: str) -> str:
    if not isinstance(data, str):
        raise TaxonomyError(f"{source}: {where} must be a text")
    return " ".join(data.split())


def _flag(data: object, source: str, where: str) -> bool:
    if not isinstance(data, bool):
        raise TaxonomyError(f"{source}: {where} must be true or false")
    return data

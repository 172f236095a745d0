"""The answers of a model that is none: chosen by keywords, and by chance where none fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference_forge.core.simulation.chance import rank
from inference_forge.core.simulation.form import stems_of
from inference_forge.core.simulation.injection import Orders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.core.simulation.form import Form
    from inference_forge.core.simulation.subject import Item, Subject

MAX_NODES: Final = 2_000
"""Values in one answer. A schema can refer to itself and would otherwise go on for ever."""

_MAX_DEPTH: Final = 24
_SUMMARY_WORDS: Final = 12
_SCALE: Final = 5
_HUNDREDTHS: Final = 100
_LARGEST: Final = 2**53
_SUMMARY_CHARS: Final = 200
_ID_NAMES: Final = frozenset(
    {"id", "index", "i", "n", "no", "number", "ticket", "ticket_id", "row"}
)
_CHOICES: Final = ("anyOf", "oneOf", "allOf")


class Answerer:
    """Fills in a schema for one request.

    Arguments:
        seed: the plan's.
        form: what the instructions say about labels.
        subject: what is to be labelled.
        schema: JSON Schema of the answer.
        disagreement: None for the usual labels; else a word that chooses others.
        is_gullible: True to do what the subject tells.
    """

    def __init__(
        self,
        seed: int,
        form: Form,
        subject: Subject,
        schema: Mapping[str, Any],
        *,
        disagreement: str | None = None,
        is_gullible: bool = False,
    ) -> None:
        self._seed = seed
        self._form = form
        self._items = subject.items
        self._root = schema
        self._disagreement = disagreement
        self._is_gullible = is_gullible
        self._nodes = 0
        self._stems: dict[int, frozenset[str]] = {}
        self._orders: dict[int, Orders] = {}

    def answer(self) -> Any:
        """Return a JSON value that follows the schema as far as it is understood."""
        return self._value(self._root, "label", self._items[0], 0)

    def _value(self, schema: Any, name: str, item: Item, depth: int) -> Any:
        self._nodes += 1
        if not isinstance(schema, dict) or depth > _MAX_DEPTH or self._nodes > MAX_NODES:
            return None
        labels = _labels(schema)
        if labels:
            return self._chosen(labels, name, item)
        inner = self._inner(schema)
        if inner is not None:
            return self._value(inner, name, item, depth + 1)
        return self._of_kind(schema, name, item, depth)

    def _inner(self, schema: Mapping[str, Any]) -> Any | None:
        """Return the schema that stands behind a reference or a choice, None without one."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            found: Any = self._root
            for step in filter(None, reference.removeprefix("#").split("/")):
                found = found.get(step) if isinstance(found, dict) else None
            return {} if found is None else found
        for key in _CHOICES:
            choices = schema.get(key)
            if isinstance(choices, list) and choices:
                return next((c for c in choices if c != {"type": "null"}), choices[0])
        return None

    def _of_kind(self, schema: Mapping[str, Any], name: str, item: Item, depth: int) -> Any:
        value: Any = None
        match _kind(schema):
            case "object":
                value = self._object(schema, item, depth)
            case "array":
                value = self._array(schema, name, item, depth)
            case "string":
                value = self._string(name, item)
            case "boolean":
                value = self._chosen([True, False], name, item)
            case "integer":
                value = self._integer(schema, name, item)
            case "number":
                value = rank(self._seed, name, item.text) % (_HUNDREDTHS + 1) / _HUNDREDTHS
        return value

    def _object(self, schema: Mapping[str, Any], item: Item, depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return {}
        by_number = {str(other.number): other for other in self._items}
        return {
            name: self._value(inner, name, by_number.get(name, item), depth + 1)
            for name, inner in properties.items()
        }

    def _array(self, schema: Mapping[str, Any], name: str, item: Item, depth: int) -> list[Any]:
        """Return an entry for each item: in a list of lists, for one."""
        items: Sequence[Item] = self._items if item is self._items[0] else (item,)
        inner = schema.get("items", {"type": "string"})
        return [self._value(inner, name, each, depth + 1) for each in items]

    def _chosen(self, labels: list[Any], name: str, item: Item) -> Any:
        if name in _ID_NAMES:
            own = [label for label in labels if str(label) == str(item.number)]
            if own:
                return own[0]
        told = self._told(name, labels, item)
        if told is not None:
            return told
        usual = self._usual(labels, name, item)
        others = [label for label in labels if label != usual]
        if self._disagreement is None or not others:
            return usual
        return self._drawn(others, item, name, self._disagreement)

    def _usual(self, labels: list[Any], name: str, item: Item) -> Any:
        """Return the label that most words speak for, and of several the luckiest."""
        if item.number not in self._stems:
            self._stems[item.number] = stems_of(item.text)
        words = self._stems[item.number]
        spoken = [len(words & self._stems_for(str(label))) for label in labels]
        most = max(spoken)
        best = [label for label, count in zip(labels, spoken, strict=True) if count == most]
        return best[0] if len(best) == 1 else self._drawn(best, item, name)

    def _drawn(self, labels: Sequence[Any], item: Item, *words: str) -> Any:
        return max(labels, key=lambda label: rank(self._seed, *words, item.text, str(label)))

    def _stems_for(self, label: str) -> frozenset[str]:
        known = self._form.stems.get(label)
        return stems_of(label) if known is None else known

    def _string(self, name: str, item: Item) -> str:
        if name in _ID_NAMES:
            return str(item.number)
        told = self._told(name, (), item)
        if told is not None:
            return str(told)
        line = " ".join(item.text.split(maxsplit=_SUMMARY_WORDS)[:_SUMMARY_WORDS])
        return line[:_SUMMARY_CHARS] or "nothing was said"

    def _integer(self, schema: Mapping[str, Any], name: str, item: Item) -> int:
        if name in _ID_NAMES:
            return item.number
        least, most = schema.get("minimum"), schema.get("maximum")
        first = least if isinstance(least, int) else 1
        span = most - first + 1 if isinstance(most, int) and most >= first else _SCALE
        chosen = first + rank(self._seed, name, item.text) % span
        return max(-_LARGEST, min(_LARGEST, chosen))

    def _told(self, name: str, labels: Sequence[Any], item: Item) -> Any | None:
        if not self._is_gullible:
            return None
        if item.number not in self._orders:
            self._orders[item.number] = Orders(item.text)
        return self._orders[item.number].value(name, labels)


def _labels(schema: Mapping[str, Any]) -> list[Any]:
    """Return what may be answered, without values that are no labels."""
    labels = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(labels, list):
        return []
    return [label for label in labels if not isinstance(label, dict | list)]


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "string"
    return kind if isinstance(kind, str) else "null"

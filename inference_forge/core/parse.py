"""From a model's answer to a validated classification."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, assert_never

from inference_forge.core.answer_object import fields_of, scalar_in
from inference_forge.core.fields_in_text import FieldReader
from inference_forge.core.json_in_text import find_objects, object_of
from inference_forge.core.labels import LabelMatcher, fold_label
from inference_forge.core.packing.stored import stored_line
from inference_forge.core.reasoning import MAX_REASONING_CHARS, split_reasoning
from inference_forge.core.refusal import is_refusal
from inference_forge.core.repeated import Repeated
from inference_forge.core.several_labels import join_labels, split_labels
from inference_forge.core.taxonomy import Field, FieldKind, Taxonomy
from inference_forge.errors import AnswerError
from inference_forge.models import Classification, Finish, ModelAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+"
)
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "1"), "true"),
    **dict.fromkeys(("false", "no", "0"), "false"),
}
_CHARS_PER_WORD: Final = 15

_BEGUN_OBJECT: Final = re.compile(r"\{\s*[\"'\w“„]")
_JOINING: Final = frozenset({"or", "and", "json", "oder", "und"})


class AnswerParser:
    """Reads answers for one taxonomy."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._fields = taxonomy.fields
        self._folded = {field: fold_label(field.name) for field in taxonomy.fields}
        self._names = frozenset(self._folded.values())
        self._closed = frozenset(
            field.name for field in taxonomy.fields if field.kind is not FieldKind.TEXT
        )
        self._text_fields = tuple(
            field.name for field in taxonomy.fields if field.kind is FieldKind.TEXT
        )
        self._reader = FieldReader(taxonomy.field_names)
        self._matchers = {
            field.name: LabelMatcher(field.label_names)
            for field in taxonomy.fields
            if field.kind is FieldKind.ENUM
        }
        self._has_lists = any(field.is_multiple for field in taxonomy.fields)

    def parse(self, answer: ModelAnswer) -> Classification:
        """Return the classification that `answer` holds.

        An answer whose only content is an object where reasoning was expected (a tag that the
        server put in front, a reasoning field that took everything) is read from there. The
        stored line of a packed answer is read by the codes that were stored with it.

        Raises:
            AnswerError: with the code `filtered`, `refused`, `truncated`, `empty`,
                `invalid_json` or `invalid_label`.
        """
        check_finish(answer)
        if (packed := stored_line(answer.text)) is not None:
            said = {fold_label(k): v for k, v in packed.values(self._text_fields).items()}
            return Classification(self._validated(said), answer.model)
        thoughts = split_reasoning(answer.text)
        reasoning = answer.reasoning.strip() or thoughts.reasoning
        text = thoughts.answer
        if not text and object_of(reasoning) is not None:
            text, reasoning = reasoning, ""
        try:
            values = self._values(text, is_cut=answer.finish is Finish.LENGTH)
        except AnswerError as error:
            if answer.finish is Finish.LENGTH:
                raise AnswerError(
                    "truncated", "The answer was cut off by its length limit."
                ) from error
            raise
        return Classification(values, answer.model, reasoning[:MAX_REASONING_CHARS])

    def _values(self, text: str, *, is_cut: bool) -> dict[str, str]:
        if not text:
            raise AnswerError("empty", "The answer was empty.")
        if _ends_inside_object(text, is_cut=is_cut):
            # What stands before it is a draft; the answer itself is the object that was cut off.
            raise AnswerError("invalid_json", "The JSON object was not complete.")
        values = self._from_objects(text)
        if values is None and not is_cut:
            values = self._from_text(text)
        if values is not None:
            return values
        if is_refusal(text):
            raise AnswerError("refused", "The model refused to answer, in words.")
        raise AnswerError("invalid_json", "That was not a JSON object.")

    def _from_objects(self, text: str) -> dict[str, str] | None:
        """Return the last valid object, which nothing side by side with it may contradict."""
        chosen: dict[str, str] | None = None
        problem: AnswerError | None = None
        for found in find_objects(text):
            if chosen is not None and not _is_side_by_side(found.behind):
                break
            try:
                values = self._validated(fields_of(found.value, self._names))
            except AnswerError as error:
                problem = problem or error
                continue
            if chosen is None:
                chosen = values
            elif any(values[name] != chosen[name] for name in self._closed):
                raise AnswerError("invalid_label", "Those were several different answers.")
        if chosen is None and problem is not None:
            raise problem
        return chosen

    def _from_text(self, text: str) -> dict[str, str] | None:
        """Read an answer that holds no object: lines, a table, tags, or a label alone."""
        # A list may go on in further lines, of which the reader would take the first for all.
        found = {} if self._has_lists else self._reader.read(text)
        if self._closed and found.keys() >= self._closed:
            return self._validated({fold_label(name): value for name, value in found.items()})
        if len(self._fields) != 1 or self._fields[0].kind is not FieldKind.ENUM:
            return None
        field, bare = self._fields[0], text.strip(" \t\n\"'`.*")
        label = self._joined(field, bare) if field.is_multiple else self._label(field, bare)
        return None if label is None else {field.name: label}

    def _validated(self, found: Mapping[str, Any]) -> dict[str, str]:
        return {
            field.name: self._value(field, found.get(name)) for field, name in self._folded.items()
        }

    def _value(self, field: Field, value: object) -> str:
        if not isinstance(value, Repeated):
            return self._single_value(field, value)
        if field.kind is FieldKind.TEXT:
            return self._single_value(field, value[-1])
        values = {self._single_value(field, each) for each in value}
        if len(values) > 1:
            raise AnswerError("invalid_label", f'"{field.name}" was given more than once.')
        return values.pop()

    def _single_value(self, field: Field, value: object) -> str:
        if field.is_multiple:
            return self._labels(field, value)
        scalar = scalar_in(value)
        match field.kind:
            case FieldKind.ENUM:
                label = self._label(field, scalar)
                if label is None:
                    raise AnswerError(
                        "invalid_label",
                        f'"{field.name}" must be one of: {", ".join(field.label_names)}.',
                    )
                return label
            case FieldKind.BOOLEAN:
                boolean = _BOOLEANS.get(fold_label(str(scalar)))
                if boolean is None:
                    raise AnswerError("invalid_label", f'"{field.name}" must be true or false.')
                return boolean
            case FieldKind.TEXT:
                return one_line(scalar, field.max_words) if isinstance(scalar, str) else ""
            case _:
                assert_never(field.kind)

    def _labels(self, field: Field, value: object) -> str:
        joined = self._joined(field, value)
        if joined is None:
            raise AnswerError(
                "invalid_label",
                f'"{field.name}" must be a list of at least one and at most {field.max_labels} '
                f"of: {', '.join(field.label_names)}.",
            )
        return joined

    def _joined(self, field: Field, value: object) -> str | None:
        """Return the labels that a list, a text or one label names; None when it is no answer.

        An empty list is the label `none`, where there is one.
        """
        given = value if isinstance(value, list) else [value]
        parts: list[str | bool | None] = []
        for scalar in map(scalar_in, given or ["none"]):
            parts += split_labels(scalar) if isinstance(scalar, str) else [scalar]
        named = [self._label(field, part) for part in parts]
        labels = {label for label in named if label is not None}
        if None in named or not 0 < len(labels) <= field.max_labels:
            return None
        return join_labels(labels)

    def _label(self, field: Field, scalar: str | bool | None) -> str | None:
        matcher = self._matchers[field.name]
        if isinstance(scalar, bool):
            words = ("true", "yes") if scalar else ("false", "no")
            return matcher.match(words[0]) or matcher.match(words[1])
        return None if scalar is None else matcher.match(scalar)


def one_line(text: str, max_words: int) -> str:
    """Return `text` on one line without control characters, cut to `max_words` words."""
    # Nothing that is printable is looked for.
    words = (text if text.isprintable() else _CONTROL.sub(" ", text)).split()
    line = " ".join(words[:max_words])
    limit = max_words * _CHARS_PER_WORD
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _ends_inside_object(text: str, *, is_cut: bool) -> bool:
    """Return whether the text ends in an object that was begun.

    A lone brace is one only when the answer is known to be cut.
    """
    begun = text.find("{", text.rfind("}") + 1)
    return begun >= 0 and (is_cut or _BEGUN_OBJECT.search(text, begun) is not None)


def _is_side_by_side(between: str) -> bool:
    """Return whether two objects with `between` in between are alternatives.

    As in a list: where words lead from one to the other, the later one is the answer.
    """
    return _JOINING.issuperset(fold_label(between).split())


def check_finish(answer: ModelAnswer) -> None:
    """Raise when the provider or the model refused.

    Raises:
        AnswerError: `filtered` or `refused`.
    """
    if answer.finish is Finish.FILTER:
        raise AnswerError("filtered", "The provider's content filter stopped the answer.")
    if answer.finish is Finish.REFUSAL:
        raise AnswerError("refused", "The model refused to answer.")

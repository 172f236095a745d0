"""From a model's answer to a validated classification."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, assert_never

from inference_forge.core.json_in_text import objects_in
from inference_forge.core.labels import LabelMatcher, fold_label
from inference_forge.core.reasoning import MAX_REASONING_CHARS, split_reasoning
from inference_forge.core.taxonomy import Field, FieldKind, Taxonomy
from inference_forge.errors import AnswerError
from inference_forge.models import Classification, Finish, ModelAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+"
)
_BOOLEANS: Final = {"true": "true", "yes": "true", "false": "false", "no": "false"}
_CHARS_PER_WORD: Final = 15


class AnswerParser:
    """Reads answers for one taxonomy."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._fields = taxonomy.fields
        self._matchers = {
            field.name: LabelMatcher(field.label_names)
            for field in taxonomy.fields
            if field.kind is FieldKind.ENUM
        }

    def parse(self, answer: ModelAnswer) -> Classification:
        """Return the classification that `answer` holds.

        Raises:
            AnswerError: with the code `filtered`, `refused`, `truncated`, `empty`,
                `invalid_json` or `invalid_label`.
        """
        _check_finish(answer)
        thoughts = split_reasoning(answer.text)
        try:
            values = self._values(thoughts.answer)
        except AnswerError as error:
            if answer.finish is Finish.LENGTH:
                raise _truncated() from error
            raise
        if answer.finish is Finish.LENGTH and _ends_inside_object(thoughts.answer):
            # What was found is a draft; the answer itself is the object that was cut off.
            raise _truncated()
        reasoning = answer.reasoning.strip() or thoughts.reasoning
        return Classification(values, answer.model, reasoning[:MAX_REASONING_CHARS])

    def _values(self, text: str) -> dict[str, str]:
        if not text:
            raise AnswerError("empty", "The answer was empty.")
        problem: AnswerError | None = None
        for found in objects_in(text):
            try:
                return self._validated(found)
            except AnswerError as error:
                problem = problem or error
        if problem is not None:
            raise problem
        bare = self._bare_label(text)
        if bare is not None:
            return bare
        raise AnswerError("invalid_json", "That was not a JSON object.")

    def _validated(self, found: Mapping[Any, Any]) -> dict[str, str]:
        by_name = {
            fold_label(name): value for name, value in found.items() if isinstance(name, str)
        }
        return {
            field.name: self._value(field, by_name.get(fold_label(field.name)))
            for field in self._fields
        }

    def _value(self, field: Field, value: object) -> str:
        match field.kind:
            case FieldKind.ENUM:
                label = self._matchers[field.name].match(value) if isinstance(value, str) else None
                if label is None:
                    raise AnswerError(
                        "invalid_label",
                        f'"{field.name}" must be one of: {", ".join(field.label_names)}.',
                    )
                return label
            case FieldKind.BOOLEAN:
                boolean = _BOOLEANS.get(str(value).strip().casefold())
                if boolean is None:
                    raise AnswerError("invalid_label", f'"{field.name}" must be true or false.')
                return boolean
            case FieldKind.TEXT:
                return one_line(value, field.max_words) if isinstance(value, str) else ""
            case _:
                assert_never(field.kind)

    def _bare_label(self, text: str) -> dict[str, str] | None:
        """Accept a label alone when one enum is all that was asked for."""
        if len(self._fields) != 1 or self._fields[0].kind is not FieldKind.ENUM:
            return None
        label = self._matchers[self._fields[0].name].match(text.strip(" \t\n\"'`.*"))
        return None if label is None else {self._fields[0].name: label}


def one_line(text: str, max_words: int) -> str:
    """Return `text` on one line without control characters, cut to `max_words` words."""
    words = _CONTROL.sub(" ", text).split()
    line = " ".join(words[:max_words])
    limit = max_words * _CHARS_PER_WORD
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _ends_inside_object(text: str) -> bool:
    return text.rfind("{") > text.rfind("}")


def _truncated() -> AnswerError:
    return AnswerError("truncated", "The answer was cut off by its length limit.")


def _check_finish(answer: ModelAnswer) -> None:
    if answer.finish is Finish.FILTER:
        raise AnswerError("filtered", "The provider's content filter stopped the answer.")
    if answer.finish is Finish.REFUSAL:
        raise AnswerError("refused", "The model refused to answer.")

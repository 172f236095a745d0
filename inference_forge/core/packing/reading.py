"""From the lines of an answer to one classification per ticket."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.packing.stored import StoredLine
from inference_forge.core.parse import check_finish, one_line
from inference_forge.core.reasoning import split_reasoning
from inference_forge.core.refusal import is_refusal
from inference_forge.core.several_labels import join_labels, split_labels
from inference_forge.core.taxonomy import FieldKind
from inference_forge.errors import AnswerError
from inference_forge.models import Classification, Finish, ModelAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference_forge.core.packing.codes import CodeBook
    from inference_forge.core.packing.prompt import PackNames
    from inference_forge.core.taxonomy import Field, Taxonomy

_LINE: Final = re.compile(r"[\s*\-•`#>]*(?:(\d{1,12})-)?(\d{3})(?!\d)[ \t]*[:.)\-|,]?(.*)")
# Where nothing has a code, the bar behind the id is that before the text.
_TEXT_LINE: Final = re.compile(_LINE.pattern.replace(r"\-|,", r"\-,"))
_SEPARATORS: Final = re.compile(r"[\s,;/]+")
_NUMBERS: Final = re.compile(r"(?<!\d)\d{3}(?!\d)")
_TEXT_MARK: Final = "|"

ID_DIGITS: Final = 3
"""Of a ticket's id, as `prompt.pack_names` makes them."""


class LineRead(Struct, frozen=True):
    """What a line says of its ticket.

    Attributes:
        outcome: the ticket's classification.
        stored: the line as it is kept in the cache, with the codes that it uses.
    """

    outcome: Classification
    stored: str


class PackReader:
    """Reads answers to packed requests; every line stands for itself.

    A line counts only when it names a ticket of this request, gives exactly one code for each
    field (or as many as the field allows), and is the only thing said about that ticket. Anything
    else leaves the ticket without an answer: it is asked again, which costs less than a wrong
    label.
    """

    def __init__(self, taxonomy: Taxonomy, codes: CodeBook) -> None:
        self._fields = taxonomy.fields
        self._texts = [field for field in taxonomy.fields if field.kind is FieldKind.TEXT]
        self._most = {field.name: field.max_labels for field in taxonomy.fields}
        self._codes = codes
        self._has_codes = len(self._texts) < len(self._fields)
        self._line = _LINE if self._has_codes else _TEXT_LINE

    def read(self, answer: ModelAnswer, names: PackNames) -> dict[str, LineRead]:
        """Return what the answer says, by ticket id; tickets without a valid line are left out.

        Raises:
            AnswerError: not one line is valid, with the codes of `AnswerParser.parse`.
        """
        check_finish(answer)
        text = split_reasoning(answer.text).answer
        lines = text.splitlines()
        if answer.finish is Finish.LENGTH:
            lines = lines[:-1]  # it may have lost its end
        said = self._said(lines, names)
        read = {
            ticket_id: LineRead(Classification(values, answer.model), stored)
            for ticket_id, found in said.items()
            if (values := self._agreed(found)) is not None
            and (stored := self._stored(found[0], values)) is not None
        }
        if not read:
            raise self._nothing(answer, text)
        return read

    def _said(self, lines: Iterable[str], names: PackNames) -> dict[str, list[str]]:
        """Return what stands behind each id of the request, line by line.

        Of an id in the middle of a line, as in two lines run together, nothing certain is said.
        """
        said: dict[str, list[str]] = {}
        known = frozenset(names.ids)
        for line in lines:
            match = self._line.fullmatch(line)
            if match is None or match[2] not in known or match[1] not in (None, names.marker):
                continue
            coded, _, texts = match[3].partition(_TEXT_MARK)
            others = known.intersection(_SEPARATORS.split(coded)) | self._begun(texts, known)
            # Two lines run together: what one of them says may stand in the other's text.
            said.setdefault(match[2], []).append("" if others else match[3].strip())
            for other in others:
                said.setdefault(other, []).append("")
        return said

    def _begun(self, text: str, known: frozenset[str]) -> set[str]:
        """Return the ids in `text` behind which a code stands, as at the beginning of a line.

        Where an answer comes in several parts the line before may end without a break, so that its
        last word and the id are one. Where nothing has a code, every id in a text may be such a
        beginning.
        """
        if not self._has_codes:
            return set(known.intersection(_NUMBERS.findall(text)))
        words = _SEPARATORS.split(text)
        return {
            word[-ID_DIGITS:]
            for word, following in pairwise(words)
            if word[-ID_DIGITS:] in known and self._codes.meaning(following.casefold()) is not None
        }

    def _agreed(self, found: list[str]) -> dict[str, str] | None:
        """Return the values that all lines about a ticket give, None when they do not agree."""
        values = self._values(found[0])
        if any(self._values(other) != values for other in found[1:]):
            return None
        return values

    def _values(self, line: str) -> dict[str, str] | None:
        """Return a value for each field, None when one is missing, unknown or given twice."""
        coded, *texts = line.split(_TEXT_MARK)
        if len(self._texts) == 1:
            texts = [_TEXT_MARK.join(texts)] if texts else []
        labels = self._labels(coded)
        if labels is None or len(texts) != len(self._texts):
            return None  # with a bar too many it could be told in two ways where a text ends
        # A blank text is an answer, as it is for a single ticket: "empty when none is named".
        told = {
            field.name: one_line(text.strip(" \t`*"), field.max_words)
            for field, text in zip(self._texts, texts, strict=True)
        }
        values = labels | told
        if any(field.name not in values for field in self._fields):
            return None
        return {field.name: values[field.name] for field in self._fields}

    def _labels(self, coded: str) -> dict[str, str] | None:
        """Return the labels that the codes stand for, None when one is unknown or too many."""
        said: dict[str, list[str]] = {}
        codes = coded.strip(" \t`*.")
        for code in _SEPARATORS.split(codes) if codes else ():
            meaning = self._codes.meaning(code.casefold())
            if meaning is None:
                return None
            said.setdefault(meaning[0], []).append(meaning[1])
        for name, labels in said.items():
            if len(labels) > self._most[name] or len(set(labels)) < len(labels):
                return None
        return {name: join_labels(labels) for name, labels in said.items()}

    def _stored(self, line: str, values: Mapping[str, str]) -> str:
        return StoredLine(line, self._code_map(self._fields, values)).text()

    def _code_map(
        self, fields: Iterable[Field], values: Mapping[str, str]
    ) -> dict[str, tuple[str, str]]:
        return {
            self._codes.code(field.name, label): (field.name, label)
            for field in fields
            if field.kind is not FieldKind.TEXT
            for label in split_labels(values[field.name])
        }

    def _nothing(self, answer: ModelAnswer, text: str) -> AnswerError:
        if answer.finish is Finish.LENGTH:
            return AnswerError("truncated", "The answer was cut off by its length limit.")
        if not text:
            return AnswerError("empty", "The answer was empty.")
        if is_refusal(text):
            return AnswerError("refused", "The model refused to answer, in words.")
        return AnswerError("invalid_label", "No line held a ticket's ID and valid codes.")

"""What makes a taxonomy's labels hard to tell apart, or its prompt dear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.complexity import word_count
from inference_forge.core.label_examples import words_of
from inference_forge.core.labels import fold_label
from inference_forge.core.overlap import overlapping_pairs
from inference_forge.core.prompt import EXAMPLES_SHOWN
from inference_forge.core.shortening import shorten
from inference_forge.core.taxonomy import FieldKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference_forge.core.taxonomy import Field, Taxonomy

MAX_EXAMPLE_WORDS: Final = 40
"""Longer examples in the prompt cost with every ticket more than a description would."""

_ALIKE_NAMES: Final = 0.65  # refund and refunds share four of five runs of three letters
_ALIKE_DESCRIPTIONS: Final = 0.6
_ALIKE_EXAMPLES: Final = 0.8
_MIN_WORDS: Final = 3  # two words in common are no description in common
_RUN: Final = 3
_SHOWN_CHARS: Final = 60
_SHOWN_LABELS: Final = 10


class Note(Struct, frozen=True):
    """Something to think about; the taxonomy can be used all the same.

    Attributes:
        code: stable machine code.
        field: the field it is about.
        labels: the labels it is about; empty for the field itself.
        text: one line for people.
    """

    code: str
    field: str
    labels: tuple[str, ...]
    text: str


def review(taxonomy: Taxonomy) -> list[Note]:
    """Return what could be better, field by field."""
    return [note for field in taxonomy.fields for note in _notes(field)]


def _notes(field: Field) -> Iterator[Note]:
    if field.kind is not FieldKind.ENUM:
        if not field.description:
            yield Note("no_description", field.name, (), "has no description")
        return
    yield from _undescribed(field)
    yield from _alike_names(field)
    yield from _alike_descriptions(field)
    yield from _shared_examples(field)
    yield from _long_examples(field)


def _undescribed(field: Field) -> Iterator[Note]:
    bare = tuple(label.name for label in field.labels if not label.description)
    if bare:
        yield Note("no_description", field.name, bare, f"no description: {_listed(bare)}")


def _alike_names(field: Field) -> Iterator[Note]:
    folded = [fold_label(label.name) for label in field.labels]
    within = {
        (inner, outer)
        for inner, short in enumerate(folded)
        for outer, long in enumerate(folded)
        if inner != outer and f" {short} " in f" {long} "
    }
    for pair in overlapping_pairs([_runs(name) for name in folded], _ALIKE_NAMES):
        if pair not in within and pair[::-1] not in within:
            labels = _names(field, pair)
            yield Note("similar_names", field.name, labels, f"nearly the same name: {_two(labels)}")
    for inner in sorted({inner for inner, _ in within}):
        outer = sorted(place for found, place in within if found == inner)
        first, *others = labels = _names(field, (inner, *outer))
        shown = " and ".join(map(repr, others))
        text = f"the name {first!r} stands in {shown}: say in their descriptions what parts them"
        yield Note("name_within", field.name, labels, text)


def _alike_descriptions(field: Field) -> Iterator[Note]:
    words = [words_of(label.description) for label in field.labels]
    compared = [found if len(found) >= _MIN_WORDS else frozenset() for found in words]
    for pair in overlapping_pairs(compared, _ALIKE_DESCRIPTIONS):
        labels = _names(field, pair)
        text = f"nearly the same description: {_two(labels)}"
        yield Note("similar_descriptions", field.name, labels, text)


def _shared_examples(field: Field) -> Iterator[Note]:
    places = [(place, text) for place, label in enumerate(field.labels) for text in label.examples]
    told: set[tuple[int, int]] = set()
    for one, other in overlapping_pairs([words_of(text) for _, text in places], _ALIKE_EXAMPLES):
        pair = (places[one][0], places[other][0])
        if pair[0] != pair[1] and pair not in told:
            told.add(pair)
            labels = _names(field, pair)
            shown = shorten(places[one][1], _SHOWN_CHARS)
            text = f"an example stands under both {_two(labels)}: {shown!r}"
            yield Note("shared_example", field.name, labels, text)


def _long_examples(field: Field) -> Iterator[Note]:
    long = tuple(
        label.name
        for label in field.labels
        if any(word_count(text) > MAX_EXAMPLE_WORDS for text in label.examples[:EXAMPLES_SHOWN])
    )
    if long:
        text = (
            f"an example of more than {MAX_EXAMPLE_WORDS} words goes into every prompt: "
            f"{_listed(long)}; put shorter ones first"
        )
        yield Note("long_example", field.name, long, text)


def _runs(name: str) -> frozenset[str]:
    """Return the runs of three characters in a name's words, whose order does not count."""
    return frozenset(
        word[start : start + _RUN]
        for word in name.split()
        for start in range(max(1, len(word) - _RUN + 1))
    )


def _names(field: Field, places: Iterable[int]) -> tuple[str, ...]:
    return tuple(field.labels[place].name for place in places)


def _two(labels: tuple[str, ...]) -> str:
    return " and ".join(map(repr, labels))


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:_SHOWN_LABELS])
    more = len(labels) - _SHOWN_LABELS
    return f"{shown} and {more} more" if more > 0 else shown

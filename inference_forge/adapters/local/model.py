"""The local model: fields of a taxonomy answered by linear scores, without any network."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson
from msgspec import Struct

from inference_forge.adapters.local.corpus import CATEGORIES, PRIORITIES
from inference_forge.adapters.local.features import features_of
from inference_forge.adapters.local.learn import learn
from inference_forge.adapters.local.scorer import Scorer
from inference_forge.adapters.local.shipped import shipped, shipped_revision, shipped_scorer
from inference_forge.core.summary import REVISION as SUMMARY_REVISION
from inference_forge.core.summary import extract_summary, summarise
from inference_forge.core.taxonomy import FieldKind
from inference_forge.errors import TaxonomyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.core.taxonomy import Field, Taxonomy


class Head(Struct, frozen=True):
    """Answers one field by the highest of some of a scorer's columns.

    Attributes:
        labels: what can be answered, in the order of the columns.
        scorer: returns where the scores come from; heads may share one.
        first_column: where this head's columns begin.
    """

    labels: tuple[str, ...]
    scorer: Callable[[], Scorer]
    first_column: int = 0

    def best(self, scores: Sequence[float]) -> str:
        """Return the label with the highest of the scorer's scores, the first of equals."""
        own = self._own(scores)
        return self.labels[own.index(max(own))]

    def margin(self, scores: Sequence[float], label: str) -> float:
        """Return by how much `label` is ahead of the average label."""
        own = self._own(scores)
        return own[self.labels.index(label)] - sum(own) / len(own)

    def _own(self, scores: Sequence[float]) -> Sequence[float]:
        return scores[self.first_column : self.first_column + len(self.labels)]


class LocalModel:
    """Answers the fields of one taxonomy.

    Arguments:
        heads: field name -> head, for every field with labels; the first one also decides
            which sentence is the summary.
        summaries: field name -> most words, for the fields that hold a summary.
        revision: a short hash that changes whenever answers may change.
    """

    def __init__(self, heads: dict[str, Head], summaries: dict[str, int], revision: str) -> None:
        self._heads = heads
        self._summaries = summaries
        self.revision = revision

    @classmethod
    def from_taxonomy(cls, taxonomy: Taxonomy) -> LocalModel:
        """Return a model for `taxonomy`.

        Fields whose labels are the built-in categories or priorities use the shipped weights;
        every other field is learned here from its labels' examples, which takes milliseconds.

        Raises:
            TaxonomyError: a label has too few examples, or a field cannot be answered from
                labels; says which and what to do.
        """
        heads: dict[str, Head] = {}
        summaries: dict[str, int] = {}
        revisions: list[str] = []
        for field in taxonomy.fields:
            if field.kind is FieldKind.ENUM:
                heads[field.name], revision = _head_for(field)
                revisions.append(f"{field.name} {revision}")
            elif field.kind is FieldKind.TEXT and field.name == "summary":
                summaries[field.name] = field.max_words
                revisions.append(f"{field.name} {SUMMARY_REVISION}, {field.max_words} words")
            else:
                raise TaxonomyError(
                    f"field {field.name!r}: the local model answers fields with labels and the "
                    f"summary, not {field.kind.value} fields; remove the field or choose a "
                    "language model with --provider"
                )
        digest = hashlib.sha256("\n".join(revisions).encode()).hexdigest()[:12]
        return cls(heads, summaries, digest)

    def answer(self, text: str) -> dict[str, str]:
        """Return field name -> value for `text`; reads at most 5,000 characters of it."""
        features = features_of(text, shipped().lexicon)
        # The built-in category and priority share a scorer: score once for both.
        scored: dict[Scorer, list[float]] = {}
        values = {}
        for name, head in self._heads.items():
            scorer = head.scorer()
            if scorer not in scored:
                scored[scorer] = scorer.scores(features)
            values[name] = head.best(scored[scorer])
        for name, max_words in self._summaries.items():
            values[name] = self._summary(text, values, max_words)
        return values

    def _summary(self, text: str, values: dict[str, str], max_words: int) -> str:
        """Return the sentence that speaks most for the first field's label."""
        if not self._heads:
            return extract_summary(text, max_words=max_words)
        name, head = next(iter(self._heads.items()))
        label, lexicon, scorer = values[name], shipped().lexicon, head.scorer()

        def evidence(sentence: str) -> float:
            features = features_of(sentence, lexicon, with_shape=False)
            return head.margin(scorer.scores(features), label)

        return summarise(text, evidence, max_words=max_words)


def _head_for(field: Field) -> tuple[Head, str]:
    """Return the head for a field with labels, and the revision of what it knows."""
    revision = shipped_revision()
    if set(field.label_names) == set(CATEGORIES):
        return Head(CATEGORIES, shipped_scorer), revision
    if set(field.label_names) == set(PRIORITIES):
        return Head(PRIORITIES, shipped_scorer, first_column=len(CATEGORIES)), revision
    examples = {label.name: label.examples for label in field.labels}
    descriptions = {label.name: label.description for label in field.labels}
    weights = learn(examples, descriptions, field=field.name, lexicon=shipped().lexicon)
    known = orjson.dumps([revision, list(examples.items()), list(descriptions.items())])
    scorer = Scorer(weights, len(examples), shipped().lexicon)
    return Head(tuple(examples), lambda: scorer), hashlib.sha256(known).hexdigest()

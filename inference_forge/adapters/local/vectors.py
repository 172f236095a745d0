"""How much each feature of a text counts; the same in training and in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.adapters.local.features import token_features

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.local.features import Features
    from inference_forge.adapters.local.lexicon import Lexicon
    from inference_forge.adapters.local.svm import Weights

SCALES = {"l": 2.0, "s": 2.0, "w": 1.5, "k": 1.5, "c": 0.8}
"""Weight of a kind of feature by its first letter: concepts say most, n-grams are many.

Found by cross-validation on the corpus.
"""


def token_share(features: Features) -> float:
    """Return what one token counts: long texts must not shout down their concepts."""
    return float((len(features.tokens) or 1) ** -0.5)


def term_share(features: Features) -> float:
    """Return what one term of the lexicon counts."""
    return float((len(features.terms) or 1) ** -0.5)


def parts_of_term(term: str, lexicon: Lexicon) -> Iterator[str]:
    """Yield the features that a term of the lexicon stands for."""
    for concept in lexicon.concepts[term]:
        yield f"l{concept}"


def scaled(weights: Weights) -> Weights:
    """Return trained weights times their scale: what one occurrence adds before its share."""
    return {
        feature: tuple(weight * SCALES[feature[0]] for weight in row)
        for feature, row in weights.items()
    }


def vector_of(features: Features, lexicon: Lexicon) -> dict[str, float]:
    """Return feature -> value, for training."""
    vector: dict[str, float] = {}

    def add(feature: str, share: float) -> None:
        vector[feature] = vector.get(feature, 0.0) + share * SCALES[feature[0]]

    share = token_share(features)
    for token in features.tokens:
        for feature in token_features(token):
            add(feature, share)
    for mark in features.shape:
        add(mark, share)
    share = term_share(features)
    for term in features.terms:
        for feature in parts_of_term(term, lexicon):
            add(feature, share)
    return vector

"""Learn the labels of somebody's own taxonomy from the examples given in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference_forge.adapters.local import svm
from inference_forge.adapters.local.features import features_of
from inference_forge.adapters.local.vectors import scaled, vector_of
from inference_forge.errors import TaxonomyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.adapters.local.lexicon import Lexicon

MIN_EXAMPLES = 3
"""Fewer examples of a label than this teach its accidents, not its meaning."""

_COST = 0.03
"""C of the support vector machines: loose, since a few examples are easily learned by heart.

Found by leaving out one example after the other of `examples/taxonomy.toml`, as was that the
keywords of a description are worth having as examples of their own (41 -> 55 right of 82).
"""

_KEYWORD_BREAKS = re.compile("[,;:()\u0964]")


def learn(
    examples: Mapping[str, Sequence[str]],
    descriptions: Mapping[str, str],
    *,
    field: str,
    lexicon: Lexicon,
) -> svm.Weights:
    """Return feature -> one weight per label, in the order of `examples`.

    Arguments:
        examples: label -> texts that belong to it.
        descriptions: label -> what it means; it, its keywords and the label's name count as
            further examples.
        field: the field's name, for the error.
        lexicon: the lexicon to see concepts with.

    Raises:
        TaxonomyError: labels have fewer than `MIN_EXAMPLES` examples; names them.
    """
    short = [name for name, texts in examples.items() if len(_usable(texts)) < MIN_EXAMPLES]
    if short:
        raise TaxonomyError(
            f"the local model learns {field} from examples, and needs at least {MIN_EXAMPLES} for "
            f'each label; too few for: {", ".join(short)}. Add examples = ["...", ...] to those '
            "labels in the taxonomy file, or choose a language model with --provider"
        )
    vectors, labels = [], []
    for name, texts in examples.items():
        for text in [*_usable(texts), *_meanings(name, descriptions.get(name, ""))]:
            features = features_of(text, lexicon, with_shape=False)
            vectors.append(vector_of(features, lexicon))
            labels.append(name)
    return scaled(svm.train(vectors, labels, tuple(examples), cost=_COST))


def _usable(texts: Sequence[str]) -> list[str]:
    """Return the distinct texts that are not blank."""
    return [text for text in dict.fromkeys(texts) if text.strip()]


def _meanings(name: str, description: str) -> list[str]:
    """Return what a label's name and description say, whole and keyword by keyword."""
    spoken = name.replace("_", " ")
    keywords = [word for word in _KEYWORD_BREAKS.split(description) if word.strip()]
    return [f"{spoken} {description}", spoken, *keywords]

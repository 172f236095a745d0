"""Train the built-in model: `python -m inference_forge.adapters.local.train`.

Reads the shipped corpus and lexicon, writes `weights.json` beside them, and gives the same
bytes for the same input. Run it after every change of corpus, lexicon or features.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from inference_forge.adapters.local import svm
from inference_forge.adapters.local.corpus import (
    CATEGORIES,
    PRIORITIES,
    corpus_bytes,
    load_corpus,
)
from inference_forge.adapters.local.features import features_of
from inference_forge.adapters.local.lexicon import Lexicon, lexicon_bytes, parse_lexicon
from inference_forge.adapters.local.shipped import WEIGHTS_FILE
from inference_forge.adapters.local.vectors import scaled, vector_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.adapters.local.corpus import Example

MIN_DOCUMENTS = 2
"""A feature of one ticket alone teaches nothing about others."""

CATEGORY_COST = 0.1
PRIORITY_COST = 0.1
"""C of the support vector machines; found by cross-validation on the corpus."""

_STEPS = 1_000  # the largest weight becomes this whole number
_LEAST_STEP = 6  # features that move no label by more are left out of the file


def weights_of(examples: Sequence[Example], lexicon: Lexicon) -> dict[str, list[int]]:
    """Return feature -> whole-number weights for `CATEGORIES`, then for `PRIORITIES`."""
    vectors = [vector_of(features_of(example.text, lexicon), lexicon) for example in examples]
    categories = svm.train(
        vectors,
        [example.category for example in examples],
        CATEGORIES,
        cost=CATEGORY_COST,
        min_documents=MIN_DOCUMENTS,
    )
    priorities = svm.train(
        vectors,
        [example.priority for example in examples],
        PRIORITIES,
        cost=PRIORITY_COST,
        min_documents=MIN_DOCUMENTS,
    )
    category_steps, priority_steps = _in_steps(scaled(categories)), _in_steps(scaled(priorities))
    rows = {name: category_steps[name] + priority_steps[name] for name in sorted(categories)}
    return {name: row for name, row in rows.items() if max(map(abs, row)) >= _LEAST_STEP}


def trained_file() -> bytes:
    """Return what `weights.json` must hold for the shipped corpus and lexicon."""
    terms = parse_lexicon(lexicon_bytes().decode().splitlines())
    document = {
        "trained_on": hashlib.sha256(corpus_bytes() + lexicon_bytes()).hexdigest(),
        "labels": {"category": CATEGORIES, "priority": PRIORITIES},
        "lexicon": terms,
        "weights": weights_of(load_corpus(), Lexicon(terms)),
    }
    return orjson.dumps(document) + b"\n"


def _in_steps(weights: Mapping[str, Sequence[float]]) -> dict[str, list[int]]:
    largest = max(abs(weight) for row in weights.values() for weight in row)
    return {
        name: [round(weight / largest * _STEPS) for weight in row] for name, row in weights.items()
    }


def main() -> None:
    """Write `weights.json` beside this module."""
    path = Path(__file__).with_name(WEIGHTS_FILE)
    path.write_bytes(trained_file())
    sys.stdout.write(f"wrote {path} ({path.stat().st_size:,} bytes)\n")


if __name__ == "__main__":
    main()

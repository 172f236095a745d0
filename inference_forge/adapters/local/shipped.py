"""The built-in model as shipped: lexicon and weights, read from one file."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from msgspec import Struct

from inference_forge.adapters.local.corpus import CATEGORIES, PRIORITIES
from inference_forge.adapters.local.lexicon import Lexicon
from inference_forge.adapters.local.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WEIGHTS_FILE = "weights.json"
COLUMNS = len(CATEGORIES) + len(PRIORITIES)
"""The weights of a feature: one per category, then one per priority."""


class Shipped(Struct, frozen=True):
    """What `weights.json` holds.

    Attributes:
        lexicon: the lexicon in the form that is quick to load.
        scorer: scores for `CATEGORIES`, then for `PRIORITIES`.
        revision: hash of the file.
    """

    lexicon: Lexicon
    scorer: Scorer
    revision: str


@cache
def shipped() -> Shipped:
    """Return the built-in model; the file is read once per process."""
    stored = Path(__file__).with_name(WEIGHTS_FILE).read_bytes()
    document = orjson.loads(stored)
    terms: Mapping[str, Sequence[str]] = document["lexicon"]
    weights: Mapping[str, Sequence[float]] = document["weights"]
    lexicon = Lexicon(terms)
    return Shipped(
        lexicon=lexicon,
        scorer=Scorer(weights, COLUMNS, lexicon),
        revision=hashlib.sha256(stored).hexdigest(),
    )

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
    """

    lexicon: Lexicon
    scorer: Scorer


@cache
def shipped_revision() -> str:
    """Return the hash of the file: all of it that a run needs whose answers are all cached."""
    return hashlib.sha256(_stored()).hexdigest()


def shipped_scorer() -> Scorer:
    """Return the built-in model's scorer."""
    return shipped().scorer


@cache
def shipped() -> Shipped:
    """Return the built-in model; made once per process, at the first text."""
    document = orjson.loads(_stored())
    _stored.cache_clear()
    terms: Mapping[str, Sequence[str]] = document["lexicon"]
    weights: Mapping[str, Sequence[float]] = document["weights"]
    lexicon = Lexicon(terms)
    return Shipped(
        lexicon=lexicon,
        scorer=Scorer(weights, COLUMNS, lexicon),
    )


@cache
def _stored() -> bytes:
    return Path(__file__).with_name(WEIGHTS_FILE).read_bytes()

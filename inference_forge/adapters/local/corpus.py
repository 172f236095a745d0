"""The hand-written tickets that the built-in model is trained on."""

from __future__ import annotations

from pathlib import Path

import orjson
from msgspec import Struct

CATEGORIES = ("hardware_issue", "software_issue", "model_quality", "billing", "other")
"""Categories of the built-in taxonomy."""

PRIORITIES = ("low", "medium", "high", "critical")
"""Priorities of the built-in taxonomy, the least first."""


class Example(Struct, frozen=True):
    """One labelled ticket.

    Attributes:
        text: the ticket.
        category: one of `CATEGORIES`.
        priority: one of `PRIORITIES`.
        lang: `en`, `es`, `hi` (Devanagari) or `hinglish` (Hindi in Latin script).
    """

    text: str
    category: str
    priority: str
    lang: str


def corpus_bytes() -> bytes:
    """Return the shipped corpus as stored: one JSON object per line."""
    return Path(__file__).with_name("corpus.jsonl").read_bytes()


def load_corpus() -> list[Example]:
    """Return the shipped corpus, in file order."""
    return [Example(**orjson.loads(line)) for line in corpus_bytes().splitlines()]

"""Score a text's features against the labels of one or more fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.adapters.local.features import token_features
from inference_forge.adapters.local.vectors import parts_of_term, term_share, token_share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inference_forge.adapters.local.features import Features
    from inference_forge.adapters.local.lexicon import Lexicon

_MAX_KEPT = 20_000  # rows kept per kind: 6 MB at most, most words of an export


class Scorer:
    """Linear scores for a fixed number of columns.

    Arguments:
        weights: feature -> what one occurrence adds to each column, see `vectors.scaled`.
        columns: how many columns there are.
        lexicon: the lexicon that the weights were trained with.
    """

    def __init__(
        self, weights: Mapping[str, Sequence[float]], columns: int, lexicon: Lexicon
    ) -> None:
        self._weights = weights
        self._zero: Sequence[float] = (0.0,) * columns
        self._lexicon = lexicon
        self._token_rows: dict[str, Sequence[float]] = {}
        self._term_rows: dict[str, Sequence[float]] = {}

    def scores(self, features: Features) -> list[float]:
        """Return one score per column; only their order within a field means anything."""
        weights, kept = self._weights, self._token_rows
        rows = [self._zero]  # a sentence may be nothing but a colon
        rows += [kept.get(token) or self._token_row(token) for token in features.tokens]
        rows += [weights.get(mark, self._zero) for mark in features.shape]
        terms = [self._zero]
        terms += [self._term_rows.get(term) or self._term_row(term) for term in features.terms]
        token_weight, term_weight = token_share(features), term_share(features)
        return [
            sum(of_tokens) * token_weight + sum(of_terms) * term_weight
            for of_tokens, of_terms in zip(
                zip(*rows, strict=True), zip(*terms, strict=True), strict=True
            )
        ]

    def _token_row(self, token: str) -> Sequence[float]:
        return self._keep(self._token_rows, token, token_features(token))

    def _term_row(self, term: str) -> Sequence[float]:
        return self._keep(self._term_rows, term, parts_of_term(term, self._lexicon))

    def _keep(
        self, kept: dict[str, Sequence[float]], key: str, features: Iterable[str]
    ) -> Sequence[float]:
        """Work out what `features` add to each column, and keep it for the next text."""
        rows = [row for row in map(self._weights.get, features) if row is not None]
        totals = list(map(sum, zip(*rows, strict=True))) if rows else self._zero
        if len(kept) >= _MAX_KEPT:
            kept.clear()
        kept[key] = totals
        return totals

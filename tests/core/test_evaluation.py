"""Figures agree with scikit-learn's and scipy's over random labels."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    jaccard_score,
    precision_recall_fscore_support,
)
from sklearn.preprocessing import MultiLabelBinarizer

from inference_forge.core.evaluation import (
    Averages,
    ClassFigures,
    Share,
    accuracy,
    averages,
    class_figures,
    wilson,
)
from inference_forge.core.evaluation_agreement import (
    EXACT_BELOW,
    Weights,
    kappa,
    mcnemar,
    within_one,
)
from inference_forge.core.evaluation_several import label_figures, set_figures

LABELS = ["a", "b", "c", "d", "e"]
FAILED = "(failed)"

rows = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1, max_size=60
)
full_rows = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=60
)
labels = st.frozensets(st.sampled_from(LABELS), max_size=3)
set_rows = st.lists(st.tuples(labels.filter(bool), labels), min_size=1, max_size=40)


def used(pairs: Counter[tuple[str, str | None]]) -> list[str]:
    """Return the labels in `pairs`, sorted as scikit-learn sorts them."""
    return sorted({label for pair in pairs for label in pair if label is not None})


@given(rows)
@settings(deadline=None)
def test_figures_are_those_of_scikit_learn(data: list[tuple[str, str | None]]) -> None:
    """Accuracy, confusion, precision, recall, F1 and their means, failed rows included."""
    pairs = Counter(data)
    gold = [one for one, _ in data]
    found = [other or FAILED for _, other in data]
    names = used(pairs)
    classes = class_figures(pairs, names)
    assert accuracy(pairs).value == pytest.approx(accuracy_score(gold, found))
    expected = precision_recall_fscore_support(gold, found, labels=names, zero_division=0)
    undefined = precision_recall_fscore_support(gold, found, labels=names, zero_division=np.nan)
    assert [c.precision.value or 0.0 for c in classes] == pytest.approx(expected[0])
    assert [c.recall.value or 0.0 for c in classes] == pytest.approx(expected[1])
    assert [c.f1 for c in classes] == pytest.approx(expected[2])
    assert [c.gold for c in classes] == list(expected[3])
    assert [c.precision.value is None for c in classes] == list(np.isnan(undefined[0]))
    assert [c.recall.value is None for c in classes] == list(np.isnan(undefined[1]))
    matrix = confusion_matrix(gold, found, labels=[*names, FAILED])
    assert matrix.tolist() == [
        [pairs.get((one, other), 0) for other in [*names, None]] for one in names
    ] + [[0] * (len(names) + 1)]
    means = averages(classes)
    macro = precision_recall_fscore_support(
        gold, found, labels=names, average="macro", zero_division=0
    )
    assert (means.macro_precision, means.macro_recall, means.macro_f1) == pytest.approx(macro[:3])
    weighted = f1_score(gold, found, labels=names, average="weighted", zero_division=0)
    assert means.weighted_f1 == pytest.approx(weighted)


@given(full_rows)
@settings(deadline=None)
def test_kappa_is_that_of_scikit_learn(data: list[tuple[str, str]]) -> None:
    """Unweighted, linear and quadratic, over an order with labels that nobody used."""
    pairs = Counter(data)
    gold, found = [one for one, _ in data], [other for _, other in data]
    is_defined = len({*gold, *found}) > 1
    for weights in Weights:
        name = None if weights is Weights.NONE else weights.value
        ours = kappa(pairs, LABELS, weights)
        assert (ours is not None) == is_defined
        if ours is not None:
            theirs = cohen_kappa_score(gold, found, labels=LABELS, weights=name)
            assert ours == pytest.approx(theirs)


@given(set_rows)
@settings(deadline=None)
def test_sets_are_as_scikit_learn_has_them(
    data: list[tuple[frozenset[str], frozenset[str]]],
) -> None:
    """Exact match, sample-averaged Jaccard and F1, and each label by itself."""
    pairs = Counter(data)
    binarizer = MultiLabelBinarizer(classes=LABELS)
    gold = binarizer.fit_transform([one for one, _ in data])
    found = binarizer.transform([other for _, other in data])
    figures = set_figures(pairs)
    assert figures.exact.value == pytest.approx(accuracy_score(gold, found))
    jaccard = jaccard_score(gold, found, average="samples", zero_division=0)
    assert figures.jaccard == pytest.approx(jaccard)
    assert figures.f1 == pytest.approx(f1_score(gold, found, average="samples", zero_division=0))
    classes = label_figures(pairs, LABELS)
    expected = precision_recall_fscore_support(gold, found, zero_division=0)
    assert [c.precision.value or 0.0 for c in classes] == pytest.approx(expected[0])
    assert [c.recall.value or 0.0 for c in classes] == pytest.approx(expected[1])
    assert [c.f1 for c in classes] == pytest.approx(expected[2])
    assert averages(classes).macro_f1 == pytest.approx(
        f1_score(gold, found, average="macro", zero_division=0)
    )


@given(st.integers(1, 5_000), st.data())
@settings(deadline=None)
def test_wilson_is_that_of_scipy(whole: int, data: st.DataObject) -> None:
    """Over all shares, both ends included."""
    part = data.draw(st.integers(0, whole))
    theirs = binomtest(part, whole).proportion_ci(method="wilson")
    ours = wilson(part, whole)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= part / whole <= ours.high <= 1


@given(st.integers(0, 400), st.integers(0, 400))
@settings(deadline=None)
def test_mcnemar_is_that_of_scipy(first: int, second: int) -> None:
    """The exact binomial test for few rows, else chi-squared with continuity correction."""
    test = mcnemar(first, second)
    total = first + second
    assert test.is_exact == (total < EXACT_BELOW)
    if test.is_exact:
        expected = binomtest(first, total).pvalue if total else 1.0
    else:
        expected = chi2.sf(max(0, abs(first - second) - 1) ** 2 / total, 1)
    assert test.p_value == pytest.approx(expected)
    assert test.p_value == mcnemar(second, first).p_value


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
@settings(deadline=None)
def test_the_interval_of_f1_holds_it(right: int, more_gold: int, more_found: int) -> None:
    """It is that of the share of which F1 is a function, carried over."""
    item = ClassFigures("a", right + more_gold, right + more_found, right)
    interval = item.f1_interval
    if interval is None:
        assert right + more_gold + more_found == 0
        return
    assert interval.low <= item.f1 <= interval.high or math.isclose(interval.low, item.f1)
    share = binomtest(right, right + more_gold + more_found).proportion_ci(method="wilson")
    assert interval.low == pytest.approx(2 * share.low / (1 + share.low), abs=1e-12)
    assert interval.high == pytest.approx(2 * share.high / (1 + share.high), abs=1e-12)


@given(full_rows)
def test_within_one_counts_neighbours(data: list[tuple[str, str]]) -> None:
    """Right, or one place off."""
    near = sum(abs(LABELS.index(one) - LABELS.index(other)) <= 1 for one, other in data)
    assert within_one(Counter(data), LABELS) == Share(near, len(data))


def test_nothing_has_no_figures() -> None:
    """Not 0, and no division by it."""
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)
    assert averages(()) == Averages(None, None, None, None)
    assert averages([ClassFigures("a", 0, 2, 0)]).weighted_f1 is None
    empty = set_figures({})
    assert (empty.exact, empty.jaccard, empty.f1) == (Share(0, 0), None, None)
    assert kappa({}, LABELS, Weights.LINEAR) is None

"""Labels, counts and tickets from what people have labelled."""

from __future__ import annotations

import random

import pytest

from inference_forge.core.labelled_tickets import (
    KEPT_TICKETS,
    MAX_LABELS,
    LabelledTickets,
    LabelSeen,
)
from inference_forge.errors import UsageError


def test_labels_are_counted_the_most_frequent_first() -> None:
    """Spellings that differ in case or white space are one; blank cells are no label."""
    found = LabelledTickets("topic")
    cells = ("Billing", "billing ", "billing", "other", "", " ;")
    for cell, text in zip(cells, "abcdef", strict=True):
        found.add(cell, text)
    assert (found.labelled, found.unlabelled, found.most_labels) == (4, 2, 1)
    assert [(label.name, label.count) for label in found.labels()] == [("billing", 3), ("other", 1)]
    assert sorted(found.labels()[0].tickets) == ["a", "b", "c"]


def test_a_cell_may_name_several() -> None:
    """As forge writes them; the same twice is one."""
    found = LabelledTickets("topic")
    found.add("a; b;a ; A", "x")
    assert found.most_labels == 2
    assert found.labels() == [LabelSeen("a", 1, ("x",)), LabelSeen("b", 1, ("x",))]


def test_the_tickets_kept_do_not_depend_on_the_rows_order() -> None:
    """And are bounded in number, each once."""
    texts = [f"ticket {n}" for n in range(300)] * 2
    kept = []
    for seed in (1, 2):
        found = LabelledTickets("topic")
        for text in random.Random(seed).sample(texts, len(texts)):
            found.add("a", text)
        kept.append(found.labels()[0].tickets)
    assert kept[0] == kept[1]
    assert len(set(kept[0])) == len(kept[0]) == KEPT_TICKETS


def test_a_column_of_texts_is_no_column_of_labels() -> None:
    """It stops before the memory is full of them."""
    found = LabelledTickets("Description")
    for number in range(MAX_LABELS):
        found.add(f"label {number}", "x")
    with pytest.raises(UsageError, match="'Description' holds more than 2,000 different values"):
        found.add("one more", "x")

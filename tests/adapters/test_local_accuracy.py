"""The accuracy benchmark, and that the labelled example file is unseen by the corpus."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
GOLD = ROOT / "examples" / "tickets.gold.csv"
HEADER = "Ticket ID,Subject,Description,category,priority\n"


@pytest.fixture(scope="module")
def accuracy() -> ModuleType:
    """Return the benchmark script as a module."""
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["accuracy"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not GOLD.exists(), reason="no labelled example file")
def test_no_labelled_example_stands_in_the_corpus(
    accuracy: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its figures would be worth nothing."""
    code = accuracy.main(["--gold", str(GOLD), "--near-duplicates"])
    assert code == 0, capsys.readouterr().out


def test_near_duplicates_are_found(
    accuracy: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed word, an added sentence or other capitals hide nothing."""
    original = accuracy.corpus_tickets()[0].text.replace('"', "'")
    path = tmp_path / "gold.csv"
    rows = [
        f'A,,"{original.upper()} And so on and so forth.",other,low\n',
        'B,,"zebras graze quietly beyond the northern hills",other,low\n',
        'C,,"hi",other,low\n',
    ]
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    assert accuracy.main(["--gold", str(path), "--near-duplicates"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("A is ")
    assert "like corpus line 1\n1 of 3 tickets have a near-duplicate" in out


def test_a_labelled_file_is_reported_on(
    accuracy: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Accuracy, confusion and languages of the file, not of the corpus."""
    path = tmp_path / "gold.csv"
    path.write_text(
        HEADER + "1,Refund,I was charged twice on my card please refund,billing,medium\n"
        "2,,laptop ki screen toot gayi hai aur battery bhi kharab hai,hardware_issue,medium\n",
        encoding="utf-8",
    )
    assert accuracy.main(["--gold", str(path)]) == 0
    out = capsys.readouterr().out
    assert "category accuracy      1.000" in out
    assert "hinglish      1" in out
    assert "tickets/s" in out


def test_languages_are_guessed_by_script_and_small_words(accuracy: ModuleType) -> None:
    """Well enough to break figures down by."""
    assert accuracy.guess_lang("यह काम नहीं करता") == "hi"
    assert accuracy.guess_lang("yeh kaam nahi kar raha hai") == "hinglish"
    assert accuracy.guess_lang("la pantalla no se enciende") == "es"
    assert accuracy.guess_lang("the screen is broken") == "en"


def test_folds_are_even_and_repeatable(accuracy: ModuleType) -> None:
    """Each fold holds its share, the same one every time."""
    tickets = accuracy.corpus_tickets()
    folds = accuracy.stratified_folds(tickets)
    assert folds == accuracy.stratified_folds(tickets)
    assert {folds.count(fold) for fold in range(5)} <= {len(tickets) // 5, len(tickets) // 5 + 1}


@pytest.mark.slow
def test_cross_validated_accuracy_has_not_dropped(accuracy: ModuleType) -> None:
    """Below these something in features, lexicon or training is broken."""
    answered = accuracy.cross_validate(accuracy.corpus_tickets())
    right = sum(row.category == row.ticket.category for row in answered)
    assert right / len(answered) > 0.88
    assert accuracy.macro_f1(answered) > 0.88

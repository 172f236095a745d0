"""The shipped weights, the corpus they come from, and the trainer."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from inference_forge.adapters.local import svm, train
from inference_forge.adapters.local.corpus import CATEGORIES, PRIORITIES, load_corpus
from inference_forge.adapters.local.lexicon import lexicon_bytes
from inference_forge.adapters.local.shipped import COLUMNS, WEIGHTS_FILE

if TYPE_CHECKING:
    import pytest

SHIPPED = Path(train.__file__).with_name(WEIGHTS_FILE)


def test_the_shipped_weights_are_what_training_gives() -> None:
    """Nobody edits them by hand, and nobody forgets to train.

    One step of difference is allowed: Python 3.12 sums floats more exactly than 3.11.
    """
    stored, fresh = orjson.loads(SHIPPED.read_bytes()), orjson.loads(train.trained_file())
    assert stored["trained_on"] == fresh["trained_on"], "run the training script"
    assert stored["labels"] == fresh["labels"]
    assert stored["lexicon"] == fresh["lexicon"]
    in_both = stored["weights"].keys() & fresh["weights"].keys()
    assert len(in_both) >= 0.999 * max(len(stored["weights"]), len(fresh["weights"]))
    for name in in_both:
        pairs = zip(stored["weights"][name], fresh["weights"][name], strict=True)
        assert all(abs(one - other) <= 1 for one, other in pairs), name


def test_the_shipped_weights_are_compact_and_whole() -> None:
    """They are read at every start."""
    assert SHIPPED.stat().st_size < 1_000_000
    rows = orjson.loads(SHIPPED.read_bytes())["weights"].values()
    assert {len(row) for row in rows} == {COLUMNS}


def test_the_corpus_is_clean_and_balanced() -> None:
    """Known labels, no text twice, every category in every language."""
    corpus = load_corpus()
    assert len({" ".join(row.text.split()) for row in corpus}) == len(corpus)
    assert {row.category for row in corpus} == set(CATEGORIES)
    assert {row.priority for row in corpus} == set(PRIORITIES)
    counts = Counter((row.category, row.lang) for row in corpus)
    assert set(counts) == {
        (name, lang) for name in CATEGORIES for lang in ("en", "es", "hi", "hinglish")
    }
    assert min(counts.values()) >= 10


def test_the_lexicon_says_nothing_about_labels() -> None:
    """Concepts are words' meanings; what they count for is learned."""
    concepts = {
        line.partition(":")[0]
        for line in lexicon_bytes().decode().splitlines()
        if line and not line.startswith("#")
    }
    assert not concepts & {*CATEGORIES, *PRIORITIES}


def test_training_separates_what_can_be_separated() -> None:
    """Each document is scored highest for its own class."""
    vectors = [{"a": 1.0, "x": 0.5}, {"b": 1.0, "x": 0.5}, {"c": 1.0}, {"a": 2.0}]
    labels = ["one", "two", "three", "one"]
    classes = ("one", "two", "three")
    weights = svm.train(vectors, labels, classes, cost=10.0)
    for vector, label in zip(vectors, labels, strict=True):
        scores = [
            sum(weights[name][column] * value for name, value in vector.items())
            for column in range(len(classes))
        ]
        assert classes[scores.index(max(scores))] == label


def test_training_is_repeatable() -> None:
    """The same input gives the same weights, to the bit."""
    vectors = [{"a": 1.0, "b": 0.3}, {"b": 1.0}, {"a": 0.2, "c": 1.0}]
    arguments = (vectors, ["x", "y", "x"], ("x", "y"))
    assert svm.train(*arguments, cost=1.0) == svm.train(*arguments, cost=1.0)


def test_rare_features_are_left_out() -> None:
    """What only one document has teaches nothing about others."""
    vectors = [{"a": 1.0, "rare": 1.0}, {"a": 1.0, "b": 1.0}, {"b": 1.0}]
    weights = svm.train(vectors, ["x", "y", "y"], ("x", "y"), cost=1.0, min_documents=2)
    assert set(weights) == {"a", "b"}


def test_documents_without_a_known_feature_do_no_harm() -> None:
    """All of a document's features may be rare."""
    assert (
        svm.train([{"a": 1.0}, {"b": 1.0}], ["x", "y"], ("x", "y"), cost=1.0, min_documents=2) == {}
    )


def test_the_script_writes_the_file_beside_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says where and how much."""
    monkeypatch.setattr(train, "trained_file", lambda: b"{}\n")
    monkeypatch.setattr(train, "__file__", str(tmp_path / "train.py"))
    train.main()
    written = tmp_path / WEIGHTS_FILE
    assert written.read_bytes() == b"{}\n"
    assert capsys.readouterr().out == f"wrote {written} (3 bytes)\n"


def test_answering_needs_neither_the_trainer_nor_the_corpus() -> None:
    """Start-up reads one file; made of it is the model when the first text comes."""
    code = (
        "import sys\n"
        "from inference_forge.adapters.local import LocalModel\n"
        "from inference_forge.core.taxonomy import BUILT_IN\n"
        "import builtins, io, pathlib\n"
        "opened = []\n"
        "real = pathlib.Path.read_bytes\n"
        "pathlib.Path.read_bytes = lambda path: opened.append(path.name) or real(path)\n"
        "model = LocalModel.from_taxonomy(BUILT_IN)\n"
        "assert opened == ['weights.json'], opened\n"
        "from inference_forge.adapters.local.shipped import shipped\n"
        "assert shipped.cache_info().currsize == 0\n"
        "model.answer('text'), model.answer('another')\n"
        "assert opened == ['weights.json'], opened\n"
        "assert 'inference_forge.adapters.local.train' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

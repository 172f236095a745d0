"""The local model: built-in labels, other taxonomies, and what it refuses."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_forge.adapters.local import LocalModel
from inference_forge.adapters.local.corpus import CATEGORIES, PRIORITIES
from inference_forge.adapters.local.features import features_of
from inference_forge.adapters.local.model import Head
from inference_forge.adapters.local.scorer import Scorer
from inference_forge.adapters.local.shipped import shipped
from inference_forge.core.taxonomy import BUILT_IN, Taxonomy
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.errors import TaxonomyError

PETS = {
    "cats": {
        "description": "purring, meowing, kittens",
        "examples": [
            "my cat meows all night",
            "the kitten purrs on the sofa",
            "a cat scratched the chair",
        ],
    },
    "dogs": {
        "description": "barking, walks, puppies",
        "examples": [
            "the dog barks at the postman",
            "a puppy chewed the leash",
            "dogs need a long walk",
        ],
    },
}


@pytest.fixture(scope="module")
def built_in() -> LocalModel:
    """Return the model for the built-in taxonomy."""
    return LocalModel.from_taxonomy(BUILT_IN)


def pets(**more: object) -> Taxonomy:
    """Return a taxonomy of pets."""
    return taxonomy_from_data({"categories": PETS, **more}, source="pets.toml")


@pytest.mark.parametrize(
    ("text", "category", "priority"),
    [
        ("The laptop screen is cracked and the hinge is broken, please replace it this week",
         "hardware_issue", "medium"),
        ("Cannot log in to the portal, error 500 after the update, whole team blocked today",
         "software_issue", "high"),
        ("The chatbot invents answers and hallucinates citations", "model_quality", "medium"),
        ("I was charged twice on my credit card, please refund the invoice", "billing", "medium"),
        ("Thank you for the great support, just a small suggestion, no hurry", "other", "low"),
        ("प्रिंटर में कागज फंस गया है, कृपया इस हफ्ते ठीक करवा दें", "hardware_issue", "medium"),
        ("mere account se paise do baar kat gaye, refund kar do", "billing", "medium"),
        ("Ransomware: all files encrypted, production down, all users blocked right now!!",
         "software_issue", "critical"),
        ("me cobraron dos veces la factura, solicito reembolso", "billing", "medium"),
    ],
)  # fmt: skip
def test_plain_tickets_of_four_languages_are_recognised(
    built_in: LocalModel, text: str, category: str, priority: str
) -> None:
    """These leave no doubt about the category, and hardly any about the priority."""
    answer = built_in.answer(text)
    assert answer["category"] == category
    assert abs(PRIORITIES.index(answer["priority"]) - PRIORITIES.index(priority)) <= 1


def test_the_summary_is_the_sentence_of_the_category(built_in: LocalModel) -> None:
    """The rest of the ticket is passed over."""
    text = "I came back from lunch. My credit card was charged twice for the invoice. See you."
    assert built_in.answer(text)["summary"] == "My credit card was charged twice for the invoice."


def test_labels_are_chosen_by_name_not_by_order() -> None:
    """A file may list the built-in labels in its own order."""
    taxonomy = taxonomy_from_data(
        {"categories": dict.fromkeys(reversed(CATEGORIES), ""), "summary": False}, source="x"
    )
    answer = LocalModel.from_taxonomy(taxonomy).answer("I was charged twice, refund my card")
    assert list(answer) == ["category", "priority"]
    assert answer["category"] == "billing"


def test_another_taxonomy_is_learned_from_its_examples() -> None:
    """And keeps the built-in priorities."""
    answer = LocalModel.from_taxonomy(pets()).answer("Our puppy is barking. Very urgent.")
    assert answer["category"] == "dogs"
    assert answer["priority"] in PRIORITIES
    assert LocalModel.from_taxonomy(pets()).answer("kittens!")["category"] == "cats"


def test_a_description_helps_where_the_examples_are_silent() -> None:
    """Its keywords are examples too."""
    assert LocalModel.from_taxonomy(pets()).answer("meowing and purring")["category"] == "cats"


def test_too_few_examples_are_named_with_the_remedy() -> None:
    """Nothing is guessed from two examples."""
    short = {**PETS, "birds": "wings", "fish": {"examples": ["a", "a", " ", "b"]}}
    with pytest.raises(TaxonomyError) as caught:
        LocalModel.from_taxonomy(taxonomy_from_data({"categories": short}, source="x"))
    assert str(caught.value) == (
        "the local model learns category from examples, and needs at least 3 for each label; "
        'too few for: birds, fish. Add examples = ["...", ...] to those labels in the taxonomy '
        "file, or choose a language model with --provider"
    )


def test_priorities_of_ones_own_need_examples_too() -> None:
    """Only the built-in four are known beforehand."""
    with pytest.raises(TaxonomyError, match=r"learns priority from examples.*now, later"):
        LocalModel.from_taxonomy(pets(priorities={"now": "", "later": ""}))


@pytest.mark.parametrize("kind", ["boolean", "text"])
def test_a_field_without_labels_is_refused(kind: str) -> None:
    """Nothing is known of what it should hold."""
    with pytest.raises(TaxonomyError, match=f"'gist'.*not {kind} fields.*--provider"):
        LocalModel.from_taxonomy(pets(fields={"gist": {"kind": kind}}))


def test_a_taxonomy_of_only_a_summary_is_answered() -> None:
    """Without labels the first sentence is as good as any."""
    taxonomy = Taxonomy("gist", tuple(f for f in BUILT_IN.fields if f.name == "summary"))
    answer = LocalModel.from_taxonomy(taxonomy).answer("The first of them. The second of them.")
    assert answer == {"summary": "The first of them."}


def test_the_revision_changes_with_whatever_may_change_answers() -> None:
    """An older model's cached answers must be misses."""
    described = {**PETS, "cats": {**PETS["cats"], "description": "felines"}}
    revisions = [
        LocalModel.from_taxonomy(taxonomy).revision
        for taxonomy in (
            BUILT_IN,
            pets(),
            pets(summary=False),
            taxonomy_from_data({"categories": described}, source="x"),
        )
    ]
    assert len(set(revisions)) == len(revisions)
    assert LocalModel.from_taxonomy(pets()).revision == revisions[1]


@pytest.mark.parametrize("text", [":", "0\r0\r:", "Subject\n: ; -\n.", "", "\n"])
def test_texts_and_sentences_without_a_word_are_answered(built_in: LocalModel, text: str) -> None:
    """There is nothing to go by, and still an answer."""
    assert built_in.answer(text)["category"] in CATEGORIES


def test_rows_kept_from_before_change_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emptying a full memory is invisible."""
    monkeypatch.setattr("inference_forge.adapters.local.scorer._MAX_KEPT", 1)
    model = shipped()
    fresh = Scorer(model.scorer._weights, 9, model.lexicon)
    small = Head(CATEGORIES, lambda: fresh)
    texts = ["the invoice is wrong", "screen broken", "the invoice is wrong"]
    first, _, again = (fresh.scores(features_of(text, model.lexicon)) for text in texts)
    assert first == again == model.scorer.scores(features_of(texts[0], model.lexicon))
    assert len(fresh._token_rows) == 1
    assert small.best(first) == "billing"


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_no_text_gets_a_label_outside_the_taxonomy(text: str) -> None:
    """Whatever it says."""
    answer = LocalModel.from_taxonomy(BUILT_IN).answer(text)
    assert answer["category"] in CATEGORIES
    assert answer["priority"] in PRIORITIES


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "error " * 170_000, "\x00" * 10**6, "😀. " * 333_333]
)
def test_a_megabyte_is_answered_in_bounded_time(built_in: LocalModel, text: str) -> None:
    """Hostile input costs no more than a long ticket."""
    started = time.process_time()
    built_in.answer(text)
    assert time.process_time() - started < 0.5

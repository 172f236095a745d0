"""What the local model sees in a text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.adapters.local.features import (
    HEAD_CHARS,
    TAIL_CHARS,
    bounded,
    features_of,
    sound_skeleton,
    token_features,
    tokens_of,
)
from inference_forge.adapters.local.lexicon import Lexicon, parse_lexicon
from inference_forge.adapters.local.vectors import vector_of

LEXICON = Lexicon(
    parse_lexicon(["fire: fire, smok*, on fire", "phone: phone", "call: phone number"])
)


def test_case_accents_nukta_and_apostrophes_do_not_matter() -> None:
    """People leave them out, and keyboards write them in several ways."""
    assert tokens_of("No ENCIENDE la cámara") == tokens_of("no enciende la camara")
    assert tokens_of("won't") == tokens_of("won\u2019t") == ["wont"]
    assert tokens_of("\u095bरूर") == tokens_of("\u091c\u093cरूर") == tokens_of("\u091cरूर")
    assert tokens_of("म\u0901ज\u093cिल") == tokens_of("म\u0902जिल")


def test_devanagari_words_stay_whole_and_the_danda_ends_them() -> None:
    """Vowel signs belong to the word; the full stop does not."""
    assert tokens_of("प्रिंटर बंद है।धन्यवाद") == ["प्रिंटर", "बंद", "है", "धन्यवाद"]


def test_telling_signs_are_tokens() -> None:
    """Question marks, currencies and emoji say something."""
    assert tokens_of("why? 5 € 😀!") == ["why", "?", "5", "€", "😀", "!"]


def test_a_long_text_is_read_at_its_head_and_tail_only() -> None:
    """The middle of a megabyte changes nothing."""
    head, tail = "h" * HEAD_CHARS, "t" * TAIL_CHARS
    assert bounded(head + tail) == head + tail
    assert bounded(head + "middle " * 1000 + tail) == f"{head} {tail}"


def test_a_token_is_cut_at_forty_characters() -> None:
    """Text without spaces must not become one endless word."""
    assert tokens_of("x" * 100 + " y") == ["x" * 40, "y"]


def test_the_sound_skeleton_is_the_same_in_both_scripts() -> None:
    """Loan words share what was learned of each spelling."""
    assert sound_skeleton("printer") == sound_skeleton("प्रिंटर") == "prntr"
    assert sound_skeleton("server") == sound_skeleton("सर्वर") == sound_skeleton("sarwar")


def test_numbers_are_told_apart_by_length_only() -> None:
    """No amount is worth remembering."""
    assert list(token_features("4711")) == list(token_features("1234")) == ["w#4"]


def test_the_longest_term_wins_and_covers_its_words() -> None:
    """A phone number is no phone, and what is on fire burns once."""
    assert list(LEXICON.terms_in(["my", "phone", "number"])) == ["phone number "]
    assert list(LEXICON.terms_in(["phone", "on", "fire"])) == ["phone ", "on fire "]
    assert list(LEXICON.terms_in(["smoking", "fires"])) == ["smok"]


def test_lexicon_lines_are_folded_and_joined() -> None:
    """A concept may have several lines; comments and blank entries do not count."""
    terms = parse_lexicon(["# note", "", "a: Cámara, two  Words,,", "a: cam*, camara"])
    assert terms == {"a": ["camara ", "two words ", "cam"]}


def test_a_word_kept_from_before_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emptying the memory of words when it is full changes no answer."""
    monkeypatch.setattr("inference_forge.adapters.local.lexicon._MAX_KEPT", 2)
    lexicon = Lexicon({"fire": ["fire ", "smok"]})
    words = ["fire", "smoke", "water", "earth", "fire", "smoking"]
    assert list(lexicon.terms_in(words)) == ["fire ", "smok", "fire ", "smok"]
    assert len(lexicon._kept) <= 2


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("HELP US RIGHT NOW PLEASE", "s capitals"),
        ("help!!", "s insists"),
        ("where is it? ", "s asks"),
        ("closing at 17:30 today", "s clock"),
        ("1,200 people", "s digits 4"),
    ],
)
def test_the_shape_of_a_text_is_marked(text: str, mark: str) -> None:
    """Urgency shows in capitals, signs, clocks and numbers."""
    assert mark in features_of(text, LEXICON).shape
    assert mark not in features_of("a calm sentence", LEXICON).shape


def test_a_part_of_a_text_has_no_shape() -> None:
    """Only whole tickets are long, loud or asking."""
    assert features_of("HELP US RIGHT NOW PLEASE", LEXICON, with_shape=False).shape == ()


@given(st.text(max_size=300))
def test_every_text_gives_a_finite_vector(text: str) -> None:
    """Whatever characters come, training and scoring get numbers."""
    features = features_of(text, LEXICON)
    assert len(set(features.tokens)) == len(features.tokens)
    assert all(0 < value < 1000 for value in vector_of(features, LEXICON).values())


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "ab " * 333_333, "\x00\x1b" * 500_000, "😀" * 500_000, "1" * 10**6]
)
def test_a_megabyte_takes_no_longer_than_a_page(text: str) -> None:
    """Hostile input is cut before it is worked on."""
    started = time.process_time()
    features_of(text, LEXICON)
    assert time.process_time() - started < 0.25

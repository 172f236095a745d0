"""Extractive summaries: short, on one line, and about the problem."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.summary import extract_summary, summarise


def plain(text: str, word: str = "printer", max_words: int = 20) -> str:
    """Summarise `text` in favour of `word`."""
    return summarise(text, lambda part: float(word in part.casefold()), max_words=max_words)


def test_the_most_telling_sentence_is_chosen() -> None:
    """Its place does not matter, the earliest of equals wins."""
    text = "We moved in last week. The printer eats paper. Everybody else is fine."
    assert plain(text) == "The printer eats paper."
    assert plain("One thing here. Another thing there.", word="zebra") == "One thing here."


def test_a_subject_is_put_before_the_sentence() -> None:
    """A title and the strongest sentence say more than either."""
    text = "Paper jam\nHello team, the printer on floor 2 jams daily. Thanks, Ana"
    assert plain(text) == "Paper jam: the printer on floor 2 jams daily."


def test_a_subject_that_the_sentence_repeats_is_not_said_twice() -> None:
    """Half of all subjects are the first words of the text."""
    text = "The printer jams\nThe printer jams all day. Please help us."
    assert plain(text) == "The printer jams all day."


def test_a_subject_alone_will_do() -> None:
    """A body of nothing but courtesy adds nothing."""
    assert plain("Printer jams\nThanks!") == "Printer jams"


def test_a_long_first_line_is_no_subject() -> None:
    """It is the text."""
    first = "word " * 16 + "end."
    assert plain(f"{first}\nThe printer eats paper.") == "The printer eats paper."
    assert plain(f"{'x' * 200}\nThe printer eats paper.") == "The printer eats paper."


@pytest.mark.parametrize(
    "text",
    [
        "Hello,\n\nThe printer jams.\n\nBest regards,\nAna",
        "Dear Sir or Madam, The printer jams.\nThank you very much!",
        "> The printer works, we said\n> on Monday\nThe printer jams.",
        "The printer jams.\nOn Mon, 3 Jun 2024 at 10:00, Bo wrote:\n> Buy a new printer today.",
        "The printer jams.\n--\nAna, printer department of the company",
        "The printer jams.\nSent from my phone, with a printer joke",
        "Hi! The printer jams. -----Original Message----- printer printer printer news",
    ],
)
def test_greetings_closings_quotes_and_signatures_are_passed_over(text: str) -> None:
    """They are in every ticket and say nothing."""
    assert plain(text) == "The printer jams."


def test_spanish_and_hindi_greetings_are_passed_over() -> None:
    """So they are in the other languages."""
    assert plain("Buenas tardes: la impresora no imprime.", "x") == "la impresora no imprime."
    assert plain("नमस्ते टीम, प्रिंटर बंद है। धन्यवाद।", "x") == "प्रिंटर बंद है।"


def test_the_danda_ends_a_sentence() -> None:
    """With or without a space after it."""
    text = "कल से यही हाल है।प्रिंटर काग़ज़ फँसा देता है। मदद करें।"
    assert plain(text, "प्रिंटर") == "प्रिंटर काग़ज़ फँसा देता है।"


def test_a_long_sentence_is_cut_with_an_ellipsis() -> None:
    """Twenty words, and a sign that there was more."""
    text = " ".join(f"w{number}," for number in range(30))
    summary = plain(text)
    assert summary.endswith("w19…")
    assert len(summary.split()) == 20
    assert plain(text, max_words=1) == "w0…"


def test_text_without_spaces_is_cut_by_characters() -> None:
    """Two characters count as a word."""
    assert plain("中" * 500) == "中" * 40 + "…"
    assert plain("ab " + "中" * 500, max_words=3) == "ab " + "中" * 4 + "…"
    assert plain("ab " + "中" * 500, max_words=1) == "ab…"


def test_sentences_of_two_words_are_no_summary_when_there_are_others() -> None:
    """`Please help.` could stand in any ticket."""
    assert plain("Printer! Please help me with it.", "printer") == "Please help me with it."


def test_only_the_first_sentences_are_weighed() -> None:
    """What a ticket is about stands early, and weighing costs time."""
    weighed: list[str] = []

    def note(sentence: str) -> float:
        weighed.append(sentence)
        return 0.0

    summarise(" ".join(f"This is sentence {number}." for number in range(100)), note)
    assert len(weighed) == 24


def test_no_control_or_bidi_character_gets_through() -> None:
    """The summary ends up on terminals."""
    summary = plain("The \x1b[31mprinter\x07 \u202ejams\u200b now.")
    assert summary.isprintable()
    assert plain("क\u200dष") == "क\u200dष"


@pytest.mark.parametrize("text", ["\x00\x01", "> all\n> quoted", "Hello,", "thanks", "...", ">"])
def test_a_text_always_has_a_summary(text: str) -> None:
    """Even one that holds nothing worth saying."""
    assert plain(text).strip()


@given(st.text(min_size=1).filter(str.strip), st.integers(1, 30))
def test_summaries_are_short_single_lines(text: str, max_words: int) -> None:
    """Never empty, never longer than allowed, and the same every time."""
    summary = plain(text, "e", max_words)
    assert summary.strip()
    assert len(summary.splitlines()) == 1
    assert len(summary.split()) <= max_words
    assert summary == plain(text, "e", max_words)


@pytest.mark.parametrize(
    "text", ["a.b! " * 200_000, "\n>" * 500_000, " " * 10**6 + "x", "." * 10**6]
)
def test_a_megabyte_is_summarised_in_bounded_time(text: str) -> None:
    """Only the first page is read."""
    started = time.process_time()
    assert plain(text)
    assert time.process_time() - started < 0.25


def test_without_evidence_the_first_sentence_that_says_something_is_taken() -> None:
    """Behind the subject; the same every time."""
    text = "Printer jams\nHello team, Please help. It eats paper since Monday. We need it today."
    assert extract_summary(text) == "Printer jams: It eats paper since Monday."
    assert extract_summary(text, max_words=3) == "Printer jams: It…"
    assert extract_summary("दस्तावेज़ नहीं खुल रहा। मदद करें।") == "दस्तावेज़ नहीं खुल रहा।"

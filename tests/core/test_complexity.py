"""Counting words, in scripts with and without spaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.complexity import (
    BATCH_SIZES,
    complexity_of,
    complexity_of_normalised,
    word_count,
)
from inference_forge.core.preparation import Preparation
from inference_forge.core.text import join_parts
from inference_forge.models import Complexity
from inference_forge.settings.choices import OnLong, Redaction


@pytest.mark.parametrize(
    ("words", "complexity"),
    [
        (0, Complexity.SIMPLE),
        (14, Complexity.SIMPLE),
        (15, Complexity.MEDIUM),
        (60, Complexity.MEDIUM),
        (61, Complexity.COMPLEX),
        (5000, Complexity.COMPLEX),
    ],
)
def test_complexity_changes_at_fifteen_and_above_sixty_words(
    words: int, complexity: Complexity
) -> None:
    """Below 15 is simple, up to 60 medium, above complex; in any script."""
    assert complexity_of(" ".join(["wort"] * words)) is complexity
    assert complexity_of(" ".join(["größe"] * words)) is complexity
    assert complexity_of("打印" * words) is complexity


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("  \n\t ", 0),
        ("one", 1),
        ("naïve café", 2),
        ("Принтер не работает", 3),
        ("मेरा प्रिंटर काम नहीं कर रहा", 6),
        ("프린터가 작동하지 않습니다", 3),
        ("打", 1),
        ("打印机坏了", 3),
        ("打印机\uff0c坏了。请修\uff01", 5),
        ("プリンターが壊れた", 5),
        ("ﾌﾟﾘﾝﾀｰ", 3),
        ("เครื่องพิมพ์เสีย", 8),
        ("ເຄື່ອງພິມ", 5),
        ("ម៉ាស៊ីន", 4),
        ("ပရင်တာ", 3),
        ("𠀀𠀁𠀂𠀃", 2),
        ("My 打印机 is broken", 5),
        ("error错误code", 3),
        ("日本　東京", 2),
    ],
)
def test_words_are_counted_in_every_script(text: str, words: int) -> None:
    """Spaces part words; where a script has none, two characters are one."""
    assert word_count(text) == words


@given(st.text(alphabet="打印机坏了アいうขコーヒ、。\uff0c\uff01\uff1f\uff08\uff09", min_size=1))
def test_a_word_is_two_characters_without_spaces(text: str) -> None:
    """Punctuation of these scripts counts like their letters and never as a word each."""
    assert word_count(text) == (len(text) + 1) // 2


@given(st.text())
def test_any_text_has_a_complexity(text: str) -> None:
    """No text is too odd to be counted, and none has more words than characters."""
    assert 0 <= word_count(text) <= len(text)
    assert complexity_of(text) in BATCH_SIZES


@given(st.text(), st.text())
def test_more_text_is_never_fewer_words(text: str, more: str) -> None:
    """Adding a further line can only add words."""
    assert word_count(f"{text}\n{more}") >= max(word_count(text), word_count(more))


def test_batches_are_smaller_for_longer_tickets() -> None:
    """Five complex, ten medium, twenty simple."""
    assert [BATCH_SIZES[complexity] for complexity in Complexity] == [20, 10, 5]


TEXTS = st.lists(
    st.sampled_from(["word", "a@b.example", "+49 30 1234567", "4111 1111 1111 1111", "\t", "\n"])
    | st.sampled_from([" ", "  ", "\x1c", "\xa0", "sk-abcdefgh12345678", "\u0e01\u0e02"])
    | st.text(max_size=5),
    max_size=90,
).map(" ".join)


@given(st.lists(TEXTS, max_size=3), st.integers(1, 400), st.booleans())
def test_of_what_is_sent_words_need_not_be_cut_out(
    parts: list[str], max_chars: int, is_redacted: bool
) -> None:
    """Between words of a text as it is sent stands one space or line break, also when redacted."""
    text = join_parts(parts)
    preparation = Preparation(
        redact=frozenset(Redaction) if is_redacted else frozenset(),
        max_chars=max_chars,
        on_long=OnLong.TRUNCATE,
    )
    for sent in (text, preparation.prepare(text).text if text else ""):
        assert complexity_of_normalised(sent) == complexity_of(sent)

"""What is sent of a ticket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.core.preparation import Preparation
from inference_forge.core.text import join_context, join_kept, join_parts, split_kept
from inference_forge.settings import Cleaning, OnLong, Redaction

ALL = Preparation(
    clean=frozenset(Cleaning),
    redact=frozenset(Redaction),
    max_chars=60,
    on_long=OnLong.TRUNCATE,
)


def test_cleaning_redaction_and_the_limit_follow_each_other() -> None:
    """What a signature holds is not counted as redacted, what was cut off is."""
    text = join_kept(
        ["Hello", f"<p>I am bob@x.com {'and so on ' * 20}</p><p>--</p><p>me@x.com</p>"]
    )
    prepared = ALL.prepare(text)
    assert prepared.text.startswith("Hello\nI am [email] and so on")
    assert len(prepared.text) <= 60
    assert prepared.cleaned == {Cleaning.HTML, Cleaning.SIGNATURE}
    assert prepared.redacted == {Redaction.EMAIL: 1}
    assert (prepared.is_cut, prepared.is_too_long) == (True, False)


def test_the_limit_counts_what_would_be_sent() -> None:
    """A text that redaction shortens may fit; one that does not is not sent."""
    preparation = Preparation(redact=frozenset({Redaction.EMAIL}), max_chars=12)
    assert not preparation.prepare("averylongname@example.com").is_too_long
    assert preparation.prepare("thirteen char").is_too_long


def test_a_text_may_be_cleaned_away() -> None:
    """Then nothing is left to redact or to cut."""
    prepared = ALL.prepare(join_kept(["<img src=x>"]))
    assert (prepared.text, prepared.is_cut) == ("", False)


def test_a_text_without_anything_to_change_is_sent_as_it_always_was() -> None:
    """So the answers of earlier runs are found in the cache."""
    parts = ["Subject ", "", "two\nlines"]
    prepared = Preparation(clean=frozenset(Cleaning)).prepare(join_kept(parts))
    assert prepared.text == join_parts(parts)


@given(st.lists(st.text(max_size=50), max_size=4))
def test_texts_with_their_lines_normalise_to_the_same(parts: list[str]) -> None:
    """Whatever characters they hold."""
    preparation = Preparation(clean=frozenset({Cleaning.SIGNATURE}))
    kept = join_kept(parts)
    assert bool(kept) == bool(join_parts(parts))
    prepared = preparation.prepare(kept)
    assert prepared.cleaned or prepared.text == join_parts(parts)


def test_a_column_cannot_pretend_to_be_two() -> None:
    """The character between columns is a space within one."""
    assert split_kept(join_kept(["a\x1cb", " ", "c"])) == ["a b", "c"]


def test_what_is_needed() -> None:
    """Only cleaning needs lines."""
    assert not Preparation(redact=frozenset({Redaction.KEY})).needs_lines
    assert ALL.needs_lines


def test_no_repr_shows_text() -> None:
    """What is logged by accident shows no ticket."""
    assert "bob" not in repr(ALL.prepare("bob@x.com and bob"))


CONTEXT = "Customer: <b>bob@x.com</b>\nPhone: +49 30 1234567\n"


def test_context_is_redacted_and_not_cleaned() -> None:
    """It comes from another column than mails do; it does not make a forward of a ticket."""
    text = join_kept(["Hello", "<p>I am bob@x.com</p>"])
    prepared = replace(ALL, max_chars=None).prepare(CONTEXT + text, context_chars=len(CONTEXT))
    assert prepared.text == ("Customer: <b>[email]</b>\nPhone: [phone]\nHello\nI am [email]")
    assert prepared.text[prepared.context_chars :] == "Hello\nI am [email]"
    assert prepared.redacted == {Redaction.EMAIL: 2, Redaction.PHONE: 1}


def test_context_alone_is_no_text() -> None:
    """Nothing is sent of a ticket whose own text is cleaned away."""
    text = CONTEXT + join_kept(["-- \nBob"])
    prepared = ALL.prepare(text, context_chars=len(CONTEXT))
    assert (prepared.text, prepared.context_chars) == ("", 0)


def test_context_counts_against_the_limit() -> None:
    """It is sent, too."""
    preparation = Preparation(max_chars=10)
    assert preparation.prepare("a: b\n12345", context_chars=5).is_too_long is False
    assert preparation.prepare("a: b\n123456", context_chars=5).is_too_long


@given(
    st.lists(st.tuples(st.text("ab ", min_size=1), st.text("xyz ", min_size=1)), max_size=4),
    st.text("word \n", min_size=1).map(lambda text: join_parts([text])).filter(bool),
    st.integers(1, 60),
)
def test_a_cut_ticket_keeps_both_within_the_limit(
    pairs: list[tuple[str, str]], own: str, max_chars: int
) -> None:
    """Of the context whole lines, in half of the room at most when the ticket is cut."""
    context = join_context([name for name, _ in pairs], [value for _, value in pairs])
    preparation = Preparation(max_chars=max_chars, on_long=OnLong.TRUNCATE)
    prepared = preparation.prepare(context + own, context_chars=len(context))
    kept, rest = prepared.text[: prepared.context_chars], prepared.text[prepared.context_chars :]
    assert len(prepared.text) <= max_chars
    assert rest
    assert not kept or kept.endswith("\n")
    if not prepared.is_cut:
        assert (kept, rest) == (context, own)
    else:
        assert len(kept) <= max_chars // 2
        assert context.startswith(kept) or kept.count("\n") == 1

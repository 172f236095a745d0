"""Tickets that show what a label means."""

from __future__ import annotations

from inference_forge.core.label_examples import MAX_EXAMPLE_CHARS, as_example, choose_examples


def test_an_example_is_one_printable_line_without_personal_data() -> None:
    """Also where shortening would have left a half of it."""
    text = (
        "Hi\nI am bob@x.com,\x1b[31m call +49 30 1234567, "
        "card 4111 1111 1111 1111\u202e sk-live-9f8e7d6c5b"
    )
    assert as_example(text, redacts=True) == (
        "Hi I am [email], [31m call [phone], card [card] [key]"
    )
    assert "bob@x.com" in as_example(text, redacts=False)
    long = as_example("word " * 29 + "anna.long.name@example.com " * 9, redacts=True)
    assert len(long) <= MAX_EXAMPLE_CHARS
    assert "anna" not in long


def test_telling_examples_come_first() -> None:
    """What many tickets of the label say, and those of others do not."""
    tickets = {
        "card": [
            "hello, I have a question please",
            "my card is lost",
            "the card was stolen from me",
            "where is my new card",
        ],
        "loan": ["hello, I have a question please now", "my loan rate", "the loan is too dear"],
    }
    chosen = choose_examples(tickets, 2)
    assert all("card" in text for text in chosen["card"])
    assert all("loan" in text for text in chosen["loan"])
    assert choose_examples(tickets, 0) == {"card": (), "loan": ()}


def test_what_says_the_same_again_comes_last() -> None:
    """So do single words, while there is something better; to teach, a little is a lot."""
    tickets = {"a": ["refund", "I want a refund now", "i want a refund NOW!", "send it back soon"]}
    assert choose_examples(tickets, 3) == {
        "a": ("I want a refund now", "send it back soon", "refund")
    }
    assert choose_examples(tickets, 9)["a"][3:] == ("i want a refund NOW!",)
    assert choose_examples({"a": ["?!", "..."]}, 3) == {"a": ("?!", "...")}

"""Addresses and numbers that are written in odd characters."""

from __future__ import annotations

import pytest

from inference_forge.core.disguises import undisguised
from inference_forge.core.ticket_redaction import redact
from inference_forge.settings.choices import Redaction


@pytest.mark.parametrize(
    ("text", "left", "kind"),
    [
        ("write an\u200bna@exam\u00adple.org now", "write [email] now", Redaction.EMAIL),
        (
            "\uff41\uff4e\uff4e\uff41\uff20\uff45\uff58\uff0e\uff4f\uff52\uff47",
            "[email]",
            Redaction.EMAIL,
        ),
        ("see ?to=anna%40example.org&x", "see ?to=[email]", Redaction.EMAIL),
        ("4111\u200b1111\u200b1111\u200b1111", "[card]", Redaction.CARD),
        ("\uff14\uff11\uff11\uff11 1111 1111 1111", "[card]", Redaction.CARD),
    ],
)
def test_what_is_disguised_is_redacted(text: str, left: str, kind: Redaction) -> None:
    """A reader sees the address, and so would the provider."""
    found = redact(text, {kind})
    assert found.text.startswith(left)
    assert found.counts == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "\uff21\uff22\uff23 100%40 \u0915\u094d\u200d\u0937",
        "a\u200bb",
        "50%40x",
        "\U0001f468\u200d\U0001f469",
    ],
)
def test_a_text_without_any_stays_as_it_is(text: str) -> None:
    """Signs without width have a meaning in many scripts."""
    assert redact(text, set(Redaction)).text == text


def test_marks_of_other_scripts_stay_beside_an_address() -> None:
    """Only what stands between characters of addresses and numbers goes."""
    text = "\u0915\u094d\u200d\u0937"
    assert undisguised(text) == text

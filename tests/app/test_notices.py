"""Warnings from anywhere, each told once."""

from __future__ import annotations

from inference_forge.app import Notices
from inference_forge.events import Event, Warned


def test_each_code_is_told_once_an_input() -> None:
    """The first message of a code counts; the next input may have the same trouble."""
    notices, told = Notices(), list[Event]()
    for message in ("one", "two"):
        notices.warn("code", message)
        notices.note("code", message)
    notices.pass_on(told.append)
    notices.start_input()
    notices.warn("code", "three")
    notices.note("code", "three")
    notices.pass_on(told.append)
    assert told == [
        Warned("code", "one"),
        Warned("code", "one", is_note=True),
        Warned("code", "three"),
    ]

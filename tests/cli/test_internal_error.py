"""A bug is called one, with what a report needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import forge, tickets

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_bug_is_reported_as_one(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, the traceback, and last what to do with it."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    tickets(isolated / "in.csv", "hello")
    monkeypatch.setattr("inference_forge.app.run_classify", broken)
    done = forge("classify", "in.csv")
    assert done.code == 1
    assert done.err.startswith("Traceback (most recent call last):")
    assert done.last == (
        "forge: internal error: ZeroDivisionError; please report it with the lines above "
        "and what `forge version` says"
    )


def test_ctrl_c_before_the_run_is_no_bug(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 130 without a traceback."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    tickets(isolated / "in.csv", "hello")
    monkeypatch.setattr("inference_forge.app.run_classify", interrupted)
    done = forge("classify", "in.csv")
    assert (done.code, done.err) == (130, "")

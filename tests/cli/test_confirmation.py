"""Asking before a run that costs much."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from running import forge, forge_process, tickets
from terminal import on_terminal

from inference_forge.app import confirmation
from inference_forge.cli import classify as command

EXAMPLES = Path(__file__).parents[2] / "examples/tickets.csv"
DEAR = ("--provider", "simulated", "--price-in", "25", "--price-out", "200")
RUN = ("classify", str(EXAMPLES), "-o", "out.csv", *DEAR, "--progress", "none")

pytestmark = pytest.mark.usefixtures("isolated")


@pytest.mark.parametrize("typed", [b"y\r", b"Yes\r"])
def test_a_dear_run_is_asked_about_once_and_goes_on(typed: bytes) -> None:
    """What it will cost is shown first."""
    code, shown = on_terminal(*RUN, typed=typed)
    assert code == 0
    assert shown.count("Go on? [y/N]") == 1
    assert shown.index("forge: cost        ~4.") < shown.index("Go on?")
    assert Path("out.csv").exists()


@pytest.mark.parametrize("typed", [b"n\r", b"\r", b"maybe\r", b"\x04"])
def test_anything_but_yes_is_no(isolated: Path, typed: bytes) -> None:
    """Exit 2; nothing was sent or written, and how to go on is said."""
    code, shown = on_terminal(*RUN, typed=typed)
    assert code == 2
    assert "not started: nothing was sent, nothing was written; --yes goes on" in shown
    assert [path for path in isolated.parent.rglob("*") if path.is_file()] == []


def test_ctrl_c_at_the_question_is_as_ever() -> None:
    """Exit 130."""
    code, _ = on_terminal(*RUN, typed=b"", stop_after=r"\[y/N\]")
    assert code == 130


@pytest.mark.parametrize(
    "arguments",
    [
        (*RUN, "--yes"),
        (*RUN, "-y"),
        (*RUN, "--confirm-above", "100"),
        (*RUN, "--confirm-above", "100 usd"),
        ("classify", str(EXAMPLES), "-o", "out.csv"),
        ("classify", str(EXAMPLES), "-o", "out.csv", "--provider", "simulated"),
        (*RUN, "--limit", "10"),
    ],
)
def test_what_is_cheap_agreed_or_of_unknown_price_is_not_asked_about(
    arguments: tuple[str, ...],
) -> None:
    """On a terminal, where somebody could answer."""
    code, shown = on_terminal(*arguments, typed=b"n\r")
    assert (code, "[y/N]" in shown) == (0, False)


def test_what_is_cached_costs_nothing() -> None:
    """The second run of a dear command is not asked about."""
    assert forge(*RUN).code == 0
    code, shown = on_terminal(*RUN, typed=b"n\r")
    assert (code, "[y/N]" in shown) == (0, False)


def test_nobody_is_asked_off_a_terminal() -> None:
    """In a script, in a pipe, from cron; nor when standard input is the data."""
    assert "[y/N]" not in forge_process(*RUN).err
    code, shown = on_terminal(*RUN, "--refresh")
    assert (code, "[y/N]" in shown) == (0, False)
    data = b'{"text": "ticket"}\n'
    code, shown = on_terminal("classify", "-", *DEAR, "--confirm-above", "0", stdin=data)
    assert (code, "[y/N]" in shown) == (0, False)


def test_who_types_the_tickets_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input cannot be both; a closed one is nobody."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: True))
    assert command._can_ask(["a.csv"])
    assert not command._can_ask(["a.csv", "-"])
    monkeypatch.setattr("sys.stdin", None)
    assert not command._can_ask(["a.csv"])


def test_what_can_be_read_only_once_is_not_read_for_a_question(isolated: Path) -> None:
    """A named pipe would be empty afterwards."""
    pipe = isolated / "pipe.csv"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)
    os.write(holder, b"text\nbroken\n")
    arguments = (str(pipe), *DEAR, "--confirm-above", "0", "-o", "out.csv", "--limit", "1")
    try:
        code, shown = on_terminal("classify", *arguments, typed=b"n\r")
    finally:
        os.close(holder)
    assert (code, "[y/N]" in shown) == (0, False)


def test_compressed_files_are_looked_into() -> None:
    """Their size says nothing."""
    path = Path("t.csv.gz")
    path.write_bytes(gzip.compress(b"text\n" + b"".join(b"broken %d\n" % n for n in range(300))))
    code, shown = on_terminal("classify", path, *DEAR, typed=b"n\r")
    assert (code, "[y/N]" in shown) == (2, True)


def test_a_small_file_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size alone says that it is cheap."""

    def refuse(_: object) -> None:
        raise AssertionError("a pre-pass for three tickets")

    monkeypatch.setattr(confirmation, "look_ahead", refuse)
    monkeypatch.setattr(command, "_can_ask", lambda _: True)
    tickets(Path("t.csv"), "one", "two", "three")
    assert forge("classify", "t.csv", *DEAR).code == 0


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("a lot", "--confirm-above: 'a lot' is no amount; write it like 2.50 or 2.50 USD"),
        (
            "1 EUR",
            "--confirm-above is in EUR, but simulated is paid in USD: give the amount in",
        ),
    ],
)
def test_an_unclear_amount_is_refused(amount: str, says: str) -> None:
    """Where somebody would be asked."""
    code, shown = on_terminal(*RUN, "--confirm-above", amount, columns=300, typed=b"y\r")
    assert code == 2
    assert says in shown


@pytest.mark.parametrize("amount", ["a lot", "-1", "nan", "1e3", ""])
def test_what_is_no_amount_is_refused_off_a_terminal_too(amount: str) -> None:
    """Where nobody is asked, so that a script's mistake is not found by the first who would be."""
    done = forge(*RUN, "--confirm-above", amount)
    assert done.code == 2
    assert f"--confirm-above: {amount!r} is no amount; write it like 2.50" in done.last
    assert not Path("out.csv").exists()

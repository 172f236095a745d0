"""Cutting what a mail quotes."""

from __future__ import annotations

import pytest
from hostile import repeated
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.quotes import begins_quote, cut_quotes

OUTLOOK = (
    "From: Support <h@x.com>\nSent: Tuesday, March 3, 2026 10:00 AM\nTo: Bob\nSubject: RE: x\n"
)


@pytest.mark.parametrize(
    "quoted",
    [
        "On Tue, Mar 3, 2026 at 10:00 AM Support <h@x.com> wrote:\n> try this\n>\n> again",
        "On Tue, Mar 3, 2026 at 10:00 AM Support Team of a Firm\n<h@x.com> wrote:\n\n> try this",
        "On Tue, Mar 3, 2026 at 10:00 AM Support\nTeam of a Firm <h@x.com>\nwrote:\n> try this",
        "On 03/03/26 10:00, Support wrote:\n> try this",
        "On Tue, Mar 3, 2026 at 10:00 AM Support <h@x.com> wrote:\n\nnot marked\nat all",
        "Support <h@x.com> wrote:\n> try this",
        "2026-03-03 10:00 GMT+01:00 Support <h@x.com> wrote:\n> try this",
        "Am 03.03.2026 um 10:00 schrieb Support <h@x.com>:\n> bitte",
        "El mar, 3 mar 2026 a las 10:00, Soporte (<h@x.com>) escribió:\n> hola",
        "Le mar. 3 mars 2026 à 10:00, Support <h@x.com> a écrit :\n> bonjour",
        "मंगल, 3 मार्च 2026 को 10:00 am बजे Support <h@x.com> ने लिखा:\n> नमस्ते",
        "-----Original Message-----\n" + OUTLOOK + "\nold",
        "----- Ursprüngliche Nachricht -----\nVon: Support\nalt",
        "-----Mensaje original-----\nhola",
        "-----Message d'origine-----\nbonjour",
        "________________________________\n" + OUTLOOK + "\nold\n\n" + OUTLOOK + "\nolder",
        OUTLOOK + "old",
        "*From:* Support\n*Sent:* today\n*To:* Bob\n*Cc:* Eve,\n  Mallory\n*Subject:* x\n\nold",
        "Von: Support\nGesendet: Dienstag, 3. März 2026\nAn: Bob\nCc: Eve\nBetreff: AW: x\n\nalt",
        "De: Soporte\nEnviado el: martes, 3 de marzo\nPara: Bob\nAsunto: RE: x\n\nhola",
        "De : Support\nEnvoyé : mardi 3 mars 2026\nÀ : Bob\nObjet : RE: x\n\nbonjour",
        "प्रेषक: Support\nदिनांक: 3 मार्च\nप्रति: Bob\nविषय: x\n\nनमस्ते",
        "> just marked\n>> twice\n> ",
    ],
)
def test_a_quote_below_is_cut(quoted: str) -> None:
    """In five languages, marked or not."""
    assert cut_quotes(f"It still fails.\n\n{quoted}\n").rstrip() == "It still fails."


@pytest.mark.parametrize(
    "text",
    [
        "On Monday my manager wrote: buy paper",
        "On Monday we wrote:\nbuy paper",
        "I wrote:\nbuy paper",
        "Two lines\nbefore 2026-03-03 and\nnobody wrote:\nbuy paper",
        "From: the start it was bad.\nTo: be clear, no.",
        "From: A\nnothing more",
        "value >5 and\n>=6",
        "Error 5:\nline 10:\n-- it was",
        "a: b\nc: d",
        "-----BEGIN CERTIFICATE-----\nabc",
        "",
    ],
)
def test_prose_stays(text: str) -> None:
    """A verb or a header alone begins no quote."""
    assert cut_quotes(text) == text


def test_an_answer_below_the_quote_stays() -> None:
    """People answer below and in between, too."""
    quoted = (
        "On 3 Mar 2026, at 10:00, S <h@x.com> wrote:\n> is it on?\n\nYes.\n> since when?\nMonday."
    )
    assert cut_quotes(quoted) == "Yes.\nMonday."


FORWARDED = (
    "Please handle.\n\n---------- Forwarded message ---------\nFrom: B <b@y.com>\n"
    "Date: Tue, Mar 3\nSubject: broken\nTo: <h@x.com>\n\nMy laptop is dead.\n\n"
    "On Mon, 2 Mar 2026 at 09:00, X <x@x.com> wrote:\n> older"
)
MARKED = (
    "See below\nBegin forwarded message:\n\n> From: Bob\n> Subject: broken\n"
    "> Date: 3 March 2026\n> To: help\n> \n> My laptop is dead.\n>> older\nBye"
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (FORWARDED, "Please handle.\n\nMy laptop is dead."),
        (MARKED, "See below\n\nMy laptop is dead.\nBye"),
        ("Siehe unten\n---- Weitergeleitete Nachricht ----\nTot.", "Siehe unten\nTot."),
    ],
)
def test_what_is_forwarded_stays_without_its_header(text: str, left: str) -> None:
    """A forwarded mail is what the ticket is about."""
    assert cut_quotes(text) == left


def test_a_forward_that_only_its_subject_shows_keeps_the_first_mail() -> None:
    """Outlook writes the same header for replies and forwards."""
    text = f"Please see.\n\n{OUTLOOK}\nMy laptop is dead.\n\n{OUTLOOK}\nolder"
    assert cut_quotes(text) == "Please see."
    assert cut_quotes(text, is_forward=True) == "Please see.\n\nMy laptop is dead."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{OUTLOOK}\nMy laptop is dead.", "My laptop is dead."),
        ("On 3 Mar 2026, S <h@x.com> wrote:\n> My laptop\n> is dead.", "My laptop\nis dead."),
        ("> My laptop\n>> is dead", "My laptop\nis dead"),
    ],
)
def test_a_text_that_is_all_quote_stays(text: str, left: str) -> None:
    """Otherwise nothing could be classified."""
    assert cut_quotes(text) == left


def test_a_quote_in_a_forwarded_quote_ends_it() -> None:
    """Marks are counted from the forwarded mail on, at most five deep."""
    forward = "Begin forwarded message:\n\n"
    text = "top\n" + "".join(f"{'> ' * n}{forward}{'> ' * (n + 1)}mail {n}\n" for n in range(8))
    assert [line for line in cut_quotes(text).splitlines() if line][:3] == [
        "top",
        "mail 0",
        "mail 1",
    ]


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("> quoted", True),
        ("-----Original Message-----", True),
        ("Begin forwarded message:", True),
        ("From: Bob", True),
        ("On 3 Mar 2026, S wrote:", True),
        ("To: Bob", False),
        ("--", False),
        ("Regards:", False),
    ],
)
def test_where_a_quote_begins(line: str, is_one: bool) -> None:
    """Signatures stand above such a line."""
    assert begins_quote(line) is is_one


@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        ":\n",
        "wrote:\n",
        "On 2026 wrote:\n",
        "On 2026 wrote:\n> a\n\n",
        "On 2026 ",
        "From:\n",
        "De:\na\n",
        "> a\n",
        ">",
        "> ",
        "-----Original Message-----\n",
        "---------- Forwarded message ---------\n> ",
        "Begin forwarded message:\n\n",
        "_____\nFrom:\nTo:\nSubject:\n",
        " ",
        "\t",
    ],
)
@pytest.mark.parametrize("is_forward", [False, True])
def test_hostile_mail_takes_linear_time(piece: str, is_forward: bool) -> None:
    """Each line is looked at a few times, whatever the others are."""
    text = repeated(piece)
    assert len(cut_quotes(text, is_forward=is_forward)) <= len(text)


LINES = st.sampled_from(
    [
        "",
        "own",
        "> a",
        ">> b",
        "On 3 Mar 2026, S <h@x.com> wrote:",
        "From: a",
        "Sent: b",
        "To: c",
        "Subject: d",
        "-----Original Message-----",
        "Begin forwarded message:",
        "____________",
    ]
)


@given(st.lists(LINES, max_size=30), st.booleans())
def test_something_is_left_of_every_text_with_own_words(lines: list[str], is_forward: bool) -> None:
    """Nothing raises, no line is invented, and own words before any quote stay."""
    text = "\n".join(["own words", *lines])
    left = cut_quotes(text, is_forward=is_forward)
    assert left.startswith("own words")
    assert {line.lstrip("> ") for line in left.splitlines()} <= {
        line.lstrip("> ") for line in text.splitlines()
    }

"""Cutting signatures, device lines and disclaimers."""

from __future__ import annotations

import pytest
from hostile import repeated
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.signatures import cut_signatures

SOLEMN = (
    "This e-mail and any attachments are confidential and intended solely for the addressee. "
    "If you are not the intended recipient,\nplease notify the sender and delete it."
)
NOTICE = (
    "CONFIDENTIALITY NOTICE: the contents of this email are privileged and intended only for the "
    "named recipient."
)
ERROR = (
    "If you have received this message in error, please delete it. Unauthorised disclosure is "
    "prohibited."
)
GERMAN = (
    "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat sind, "
    "vernichten Sie diese E-Mail."
)


@pytest.mark.parametrize(
    "below",
    [
        "-- \nBob Smith\nACME Ltd\n+49 30 123456",
        "--\nBob",
        "--",
        "Sent from my iPhone",
        "Sent from my Samsung Galaxy smartphone.",
        "Sent from Outlook for Android",
        "Sent from Mail for Windows",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Sent with Proton Mail secure email.",
        "Von meinem iPhone gesendet",
        "Gesendet mit der GMX Mail App",
        "Diese Nachricht wurde von meinem Android-Mobiltelefon mit GMX Mail gesendet.",
        "Enviado desde mi iPhone",
        "Envoyé de mon iPhone",
        "Envoyé depuis l'e-mail Orange",
        "मेरे iPhone से भेजा गया",
        "Virus-free. www.avast.com",
        "This email has been checked for viruses by Avast antivirus software.",
        SOLEMN,
        NOTICE,
        ERROR,
        GERMAN,
        "Este mensaje es confidencial y va dirigido exclusivamente a su destinatario.",
        "Ce message est confidentiel. Si vous n'êtes pas le destinataire, supprimez-le.",
        "यह ईमेल गोपनीय है और केवल प्राप्तकर्ता के लिए है। गलती से मिला हो तो हटा दें।",
    ],
)
def test_what_stands_below_is_cut(below: str) -> None:
    """In five languages."""
    assert cut_signatures(f"My laptop is dead.\n\n{below}\n").rstrip() == "My laptop is dead."


def test_a_warning_on_top_is_cut() -> None:
    """Firms mark what comes from outside."""
    banner = (
        "[EXTERNAL] This email originated from outside of the organization. Do not click links or "
        "open attachments unless you recognise the sender."
    )
    assert cut_signatures(f"{banner}\n\nMy laptop is dead.") == "My laptop is dead."


@pytest.mark.parametrize(
    "text",
    [
        "My laptop is dead.",
        "This email is in confidential mode and I cannot open it.",
        "Caution is needed here.",
        "I was sent from my team to yours.",
        "Sent from my account five times and nobody answers",
        "a -- b",
        "---\nrule",
        "Steps\n--\n" + "a line\n" * 13,
        "Steps\n--\n" + "x" * 1001,
        "",
    ],
)
def test_prose_stays(text: str) -> None:
    """A long rest is no signature, and one word makes no disclaimer."""
    assert cut_signatures(text) == text


def test_a_signature_ends_where_a_quote_begins() -> None:
    """When quotes are not cut, they stay."""
    text = "Dead.\n-- \nBob\n\nOn 3 Mar 2026, S <h@x.com> wrote:\n> q\n> -- \n> S"
    assert cut_signatures(text).splitlines() == [
        "Dead.",
        "On 3 Mar 2026, S <h@x.com> wrote:",
        "> q",
        "> -- ",
        "> S",
    ]


@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        "--\n",
        "--\na\n",
        "Sent from my ",
        "Sent from my iPhone\n",
        "This e-mail ",
        "This e-mail\n",
        "This e-mail\n\n",
        "this confidential intended notify e-mail\n\n",
        "if you have ",
        "*_ ",
        " ",
    ],
)
def test_hostile_mail_takes_linear_time(piece: str) -> None:
    """Each paragraph is tried once."""
    text = repeated(piece)
    assert len(cut_signatures(text)) <= len(text)


@given(st.text(max_size=300))
def test_lines_are_kept_or_dropped_whole(text: str) -> None:
    """Nothing raises and nothing is invented."""
    assert set(cut_signatures(text).splitlines()) <= {*text.splitlines(), ""}

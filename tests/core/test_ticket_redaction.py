"""Redacting addresses, numbers and secrets."""

from __future__ import annotations

import pytest
from hostile import repeated
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.cards import is_card_number, redact_cards
from inference_forge.core.phones import redact_phones
from inference_forge.core.secrets_in_text import redact_keys
from inference_forge.core.ticket_redaction import redact, redact_emails
from inference_forge.settings import Redaction

PHONES = [
    ("call me at +49 30 12345678", "call me at [phone]"),
    ("call +1 (555) 123-4567 now", "call [phone] now"),
    ("(555) 123-4567", "[phone]"),
    ("555-123-4567.", "[phone]."),
    ("555.123.4567", "[phone]"),
    ("1-800-555-0199", "[phone]"),
    ("+91 98765 43210", "[phone]"),
    ("98765 43210", "[phone]"),
    ("mobile: 9876543210", "mobile: [phone]"),
    (
        "my number is here, reach me at 9876543210 please",
        "my number is here, reach me at [phone] please",
    ),
    ("0171/1234567", "[phone]"),
    ("030 12345678", "[phone]"),
    ("(030) 1234567", "[phone]"),
    ("01 23 45 67 89", "[phone]"),
    ("01.23.45.67.89", "[phone]"),
    ("0612345678", "[phone]"),
    ("07700 900123", "[phone]"),
    ("020 7946 0958", "[phone]"),
    ("0049 30 1234567", "[phone]"),
    ("Tel.: 089-1234567", "Tel.: [phone]"),
    ("Tel. 12345678", "Tel. [phone]"),
    ("tel:+4930123456", "tel:[phone]"),
    ("phone=+4930123456", "phone=[phone]"),
    ("WhatsApp +34 612 345 678", "WhatsApp [phone]"),
    ("फ़ोन: 9876543210", "फ़ोन: [phone]"),
    ("मोबाइल नंबर 98765-43210", "मोबाइल नंबर [phone]"),
    ("Telefon 040/123456-78", "Telefon [phone]"),
    ("2026-03-03 0171 1234567", "2026-03-03 [phone]"),
    ("call me on 03.03.2026 0171 1234567", "call me on 03.03.2026 [phone]"),
    ("order 555 called from 0171 1234567", "order 555 called from [phone]"),
    ("+49 (0)30 123456", "[phone]"),
    ("+33 1 23 45 67 89", "[phone]"),
    ("Handy: 0176 12345678", "Handy: [phone]"),
    ("Tel: 555-1234", "Tel: [phone]"),
]
NO_PHONES = [
    "01 234567",
    "call 10.20.30.40",
    "ticket 12345678",
    "T-1001",
    "INC0012345",
    "order 5551234567",
    "Order no. 302-555-1234",
    "Bestellnummer: 030-1234567",
    "order number 0171 1234567",
    "invoice 2026-000123",
    "2026-03-03",
    "03.03.2026",
    "03/03/2026 10:30",
    "03-03-2026 10:30:15",
    "2026-03-03T10:00:00+02:00",
    "2026-03-03 10:00:00,123",
    "at 10:00 on 2026-03-03 10:15",
    "version 1.2.3.4",
    "v10.15.7",
    "Chrome 120.0.6099.109",
    "192.168.1.100",
    "10.0.0.1:8080",
    "255.255.255.255",
    "0x80070005",
    "error -1073741819",
    "error 1603",
    "code 0xC0000005",
    "1763690000",
    "1763690000123",
    "12 345 678,90 EUR",
    "1,234,567.89",
    "1 234 567 EUR",
    "$ 100000000",
    "4.5 GB of 10.0 GB",
    "550e8400-e29b-41d4-a716-446655440000",
    "00:1A:2B:3C:4D:5E",
    "ISBN 978-3-16-148410-0",
    "112-1234567-1234567",
    "SN 12345-67890",
    "1920x1080 2560x1440",
    "lodash@4.17.21",
    "build 20260303.1",
    "https://x.com/555-123-4567",
    "#555-123-4567",
    "-33.8688, 151.2093",
    "10115 Berlin",
    "90210-1234",
    "123-45-6789",
    "RFC 5321 6376 7489",
    "PO 4500012345",
    "1 2 3 4 5 6 7 8 9 10",
    "50 100 200 300 400",
    "3.14159265358979",
    "phone 13 pro",
    "call 2026-03-03",
    "IP 10.20.30.40 and 10.20.30.41",
    "0.30000000000000004",
    "GMT+01:00 and UTC+0200",
    "Port 443 8443 9443 10443",
    "100 200 3000",
]
CARDS = [
    ("4111111111111111", "[card]"),
    ("4111 1111 1111 1111", "[card]"),
    ("4111-1111-1111-1111", "[card]"),
    ("4111.1111.1111.1111", "[card]"),
    ("5555 5555 5555 4444", "[card]"),
    ("3782 822463 10005", "[card]"),
    ("378282246310005", "[card]"),
    ("6011111111111117", "[card]"),
    ("3056 930902 5904", "[card]"),
    ("4222222222222", "[card]"),
    ("2223003122003222", "[card]"),
    ("4111 1111 1111 1111 12/26", "[card] 12/26"),
    ("exp 12 2026 4111 1111 1111 1111", "exp 12 2026 [card]"),
    ("6212345678901232", "[card]"),
    ("card:4111111111111111.", "card:[card]."),
]
NO_CARDS = [
    "4111111111111112",
    "4111 1111 1111 1112",
    "1234567812345670",
    "order 1234 5678 9012 3456",
    "0.4111111111111111",
    "a4111111111111111",
    "41111111111111112222",
    "20260303100000123",
    "1763690000123456789",
    "IMEI 490154203237518",
    "9400 1000 0000 0000 0000 00",
    "DE89 3704 0044 0532 0130 00",
    "550e8400-e29b-41d4-a716-446655440000",
    "10 20 30 40 50 60 70 80 90",
    "192.168.100.100 192.168.100.101",
]
KEYS = [
    ("sk-proj-abcdefGHIJ1234567890", "[key]"),
    ("sk-canary-7f3a", "[key]"),
    ("sk-ant-api03-abc_DEF-123456", "[key]"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[key]"),
    ("github_pat_11ABCDEFG0abcdefghijklmnop", "[key]"),
    ("AKIAIOSFODNN7EXAMPLE", "[key]"),
    ("xoxb-123456789012-abcdefghij", "[key]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "[key]"),
    ("Authorization: Bearer abc123def456", "Authorization: Bearer [key]"),
    ("Authorization: Basic dXNlcjpwYXNzd29yZDE=", "Authorization: Basic [key]"),
    ("api_key=abcdef1234567890abcdef", "api_key=[key]"),
    ('"api-key": "abcdef1234567890abcdef"', '"api-key": "[key]"'),
    ("https://user:s3cret@host.com/x", "https://user:[key]@host.com/x"),
    ("-----BEGIN RSA PRIVATE KEY----- MIIEabc123+/= abc== -----END RSA PRIVATE KEY-----", "[key]"),
    (
        "-----BEGIN PRIVATE KEY----- MIIEvQIBADANBgkqhkiG9w0BAQEFAASC and then cut off",
        "[key] and then cut off",
    ),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "[key]"),
    ("hf_abcdefghijklmnopqrstuv", "[key]"),
    ("sk_live_abcdefgh12345678", "[key]"),
    ("glpat-abcdefghij0123456789", "[key]"),
]
NO_KEYS = [
    "sk-SK",
    "task-12345678ab",
    "disk-abcdefgh1234",
    "sk-learning-something",
    "bearer of bad news everywhere",
    "the bearer authentication fails",
    "AKIA",
    "ghp_short",
    "eyJ is the start",
    "api key is missing somewhere entirely",
    "https://host.com:8080/x@y",
    "-----BEGIN PUBLIC KEY----- MIIBIjANBgkqhkiG9w0BAQ -----END PUBLIC KEY-----",
    "secret: handshake",
]
EMAILS = [
    ("bob@example.com", "[email]"),
    ("Bob <bob.smith+x@mail.example.co.uk>", "Bob <[email]>"),
    ("mailto:bob@example.com", "mailto:[email]"),
    ("o'brien@example.com", "[email]"),
    ("email=bob@example.com", "email=[email]"),
    ("user_1@sub-domain.example.org.", "[email]."),
    ("jürgen@müller.de", "[email]"),
]
NO_EMAILS = [
    "@bob",
    "bob@localhost",
    "lodash@4.17.21",
    "root@10.0.0.1",
    "a @ b.com",
    "5@3.50",
    "@types/node",
    "bob@",
]

KINDS = [
    (Redaction.EMAIL, EMAILS, NO_EMAILS),
    (Redaction.PHONE, PHONES, NO_PHONES),
    (Redaction.CARD, CARDS, NO_CARDS),
    (Redaction.KEY, KEYS, NO_KEYS),
]


@pytest.mark.parametrize(
    ("kind", "text", "left"), [(kind, *case) for kind, cases, _ in KINDS for case in cases]
)
def test_what_is_private_is_replaced(kind: Redaction, text: str, left: str) -> None:
    """By a placeholder that tells its kind, and nothing around it."""
    redacted = redact(text, [kind])
    assert redacted.text == left
    assert redacted.counts == {kind: 1}


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, _, texts in KINDS for text in texts]
)
def test_what_looks_alike_stays(kind: Redaction, text: str) -> None:
    """Ids, dates, versions, addresses of machines, amounts."""
    assert redact(text, [kind]).text == text


@pytest.mark.parametrize("text", NO_PHONES)
def test_no_number_is_taken_for_anything(text: str) -> None:
    """What is no phone number is nothing else either."""
    redacted = redact(text, list(Redaction))
    assert (redacted.text, redacted.counts) == (text, {})


def test_everything_in_a_text_is_replaced_and_counted() -> None:
    """Each kind is counted for itself."""
    text = (
        "bob@x.com or eve@y.org, tel 030 12345678, card 4111 1111 1111 1111 12/26, "
        "key sk-proj-abcdefgh1234, IBAN no"
    )
    redacted = redact(text, list(Redaction))
    assert redacted.text == (
        "[email] or [email], tel [phone], card [card] 12/26, key [key], IBAN no"
    )
    assert redacted.counts == {
        Redaction.EMAIL: 2,
        Redaction.PHONE: 1,
        Redaction.CARD: 1,
        Redaction.KEY: 1,
    }


def test_only_what_was_asked_for_is_replaced() -> None:
    """The other kinds stay."""
    assert redact("bob@x.com +49 30 1234567", [Redaction.PHONE]).text == "bob@x.com [phone]"


def test_a_placeholder_is_not_redacted_again() -> None:
    """Redacting twice changes nothing."""
    for kind, cases, _ in KINDS:
        for _, left in cases:
            assert redact(left, list(Redaction)).text == redact(left, [kind]).text == left


def test_two_cards_beside_each_other_are_two() -> None:
    """A window of groups ends where the check digit fits."""
    assert redact_cards("4111 1111 1111 1111 5555 5555 5555 4444") == ("[card] [card]", 2)


@pytest.mark.parametrize(
    "number", ["4111111111111111", "378282246310005", "3530111333300000", "6759649826438453"]
)
def test_the_check_digit_is_checked(number: str) -> None:
    """Every other last digit is refused."""
    assert is_card_number(number)
    wrong = [number[:-1] + str(digit) for digit in range(10) if str(digit) != number[-1]]
    assert not any(map(is_card_number, wrong))


def test_a_private_key_is_replaced_whole() -> None:
    """With its headers, escaped line breaks, and in a text that is cut off."""
    for text in (
        "x -----BEGIN EC PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END EC PRIVATE KEY-----",
        r"x -----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END PRIVATE KEY-----",
        "x -----BEGIN PRIVATE KEY----- Proc-Type: 4,ENCRYPTED abc= -----END PRIVATE KEY-----",
        "x -----BEGIN PGP PRIVATE KEY BLOCK----- abc -----END PGP PRIVATE KEY BLOCK-----",
    ):
        assert redact_keys(text) == ("x [key]", 1)


def test_redacted_text_is_in_no_repr() -> None:
    """What is logged by accident shows no text."""
    assert "plain" not in repr(redact("plain bob@x.com", list(Redaction)))


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "a@",
        "a@b.",
        "a@b.cc ",
        "1",
        "1 ",
        "1-",
        "4111 ",
        "4111 1111 1111 1111 ",
        "1.1.1.1 ",
        "+1",
        "+1(",
        "(555) ",
        "555-123-4567 ",
        "01 ",
        "0049 1 ",
        "99999 ",
        "tel: ",
        "tel no no 1",
        "call me at on ",
        "order 0171 1234567 ",
        "2026-03-03 ",
        "sk-a1",
        "eyJaaaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----- aaaaaaaaaaaaaaaaaaaa",
        "-",
        "bearer ",
        "://a:",
        "api_key=a",
        "authorization: basic ",
        " ",
    ],
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """Every pattern is anchored and bounded."""
    text = repeated(piece) + "@"
    assert len(redact(text, list(Redaction)).text) <= 2 * len(text)


ALPHABET = "0123456789 +-().@ab:/sk_="


@given(st.text(alphabet=ALPHABET, max_size=120))
def test_counts_are_the_placeholders(text: str) -> None:
    """Nothing raises, and each placeholder is counted once."""
    for replace in (redact_emails, redact_phones, redact_cards, redact_keys):
        left, number = replace(text)
        assert left.count("[") == number
        assert (left == text) == (number == 0)


@given(st.from_regex(r"[a-z0-9.]{1,20}@[a-z]{1,10}\.(com|org|de)", fullmatch=True))
def test_no_address_gets_through(address: str) -> None:
    """Wherever it stands."""
    assert redact(f"I am {address}, thanks", list(Redaction)).text.endswith("[email], thanks")

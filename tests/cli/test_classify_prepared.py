"""`--clean`, `--redact` and `--max-ticket-chars` from the input to what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import always_good, forge, read_csv, ticket_in, tickets, write_csv
from servers import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAIL = (
    "<p>My laptop is dead, call +49 30 1234567.</p><p>--</p><p>Bob, bob@canary.example</p>"
    "<div>On Tue, 3 Mar 2026, S &lt;h@x.com&gt; wrote:<blockquote>old</blockquote></div>"
)
EVERYTHING = ("--clean", "html,quotes,signature", "--redact", "email,phone,card,key")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Return a server that gives every ticket the same good answer."""
    with ScriptedServer(always_good) as running:
        yield running


def ask(server: ScriptedServer, *more: object) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m", *more)


def sent(server: ScriptedServer) -> list[str]:
    """Return the texts that the server was sent."""
    return sorted(ticket_in(request.parsed) for request in server.requests)


def test_only_what_is_prepared_is_sent(isolated: Path, server: ScriptedServer) -> None:
    """The columns come out as they were; the summary counts, and shows nothing."""
    path = tickets(isolated / "in.csv", MAIL, "card 4111 1111 1111 1111, sk-canary-7f3a", "plain")
    done = forge("classify", path, *ask(server, *EVERYTHING))
    assert done.code == 0
    assert sent(server) == ["My laptop is dead, call [phone].", "card [card], [key]", "plain"]
    rows = read_csv(isolated / "in.results.csv")
    assert rows[0]["text"] == MAIL
    assert done.summary["prepared"] == (
        "1 text cleaned (html 1, quotes 1, signature 1), 2 redacted (phone 1, card 1, key 1)"
    )


def test_what_was_redacted_is_stored_nowhere(isolated: Path, server: ScriptedServer) -> None:
    """Not in the cache, the history or on the screen; only the files with the input's columns."""
    path = tickets(isolated / "in.csv", "canary@secret.example 4111111111111111", " ")
    done = forge("classify", path, *ask(server, *EVERYTHING), "-o", "out.csv")
    assert done.code == 3
    kept = {isolated / "in.csv", isolated / "out.csv"}
    home = isolated.parent
    files = [file for file in home.rglob("*") if file.is_file() and file not in kept]
    assert files
    for secret in (b"canary@secret", b"4111111111111111"):
        assert [file for file in files if secret in file.read_bytes()] == []
        assert secret not in done.out + done.err.encode()


def test_texts_that_differ_only_in_what_is_redacted_share_one_call(
    isolated: Path, server: ScriptedServer
) -> None:
    """The fingerprint is over what is sent."""
    path = tickets(isolated / "in.csv", "write to a@x.com", "write to b@x.com", "write to [email]")
    done = forge("classify", path, *ask(server, "--redact", "email"))
    assert (done.summary["coalesced"], len(server.requests)) == ("2", 1)
    again = forge("classify", path, *ask(server, "--redact", "email", "--clean", "html"))
    assert again.summary["cache hits"] == "3"


def test_tickets_that_are_too_long_fail(isolated: Path, server: ScriptedServer) -> None:
    """With their whole text in the failures file; fed in again with a higher limit they pass."""
    path = tickets(isolated / "in.csv", "x" * 50, "short")
    done = forge("classify", path, *ask(server, "--max-ticket-chars", 40))
    assert (done.code, sent(server)) == (3, ["short"])
    (row,) = read_csv(isolated / "in.failures.csv")
    assert (row["text"], row["error"]) == ("x" * 50, "text_too_long")
    assert "50 characters, more than --max-ticket-chars 40" in row["error_detail"]
    assert "prepared" not in done.summary


def test_tickets_that_are_cut_say_so(isolated: Path, server: ScriptedServer) -> None:
    """A column at the end of the added ones, for all rows."""
    path = tickets(isolated / "in.csv", "one two three four five six", "short")
    flags = ("--max-ticket-chars", 20, "--on-long", "truncate", "--keep-reasoning")
    done = forge("classify", path, *ask(server, *flags))
    assert (done.code, sent(server)) == (0, ["one two three […]", "short"])
    rows = read_csv(isolated / "in.results.csv")
    assert list(rows[0])[-2:] == ["reasoning", "truncated"]
    assert [row["truncated"] for row in rows] == ["true", "false"]
    assert done.summary["prepared"] == "1 text cut"


def test_a_ticket_that_is_cleaned_away_fails(isolated: Path, server: ScriptedServer) -> None:
    """It says that cleaning did it, unlike one that was blank."""
    path = write_csv(isolated / "in.csv", [{"text": "Sent from my iPhone"}, {"text": " "}])
    forge("classify", path, *ask(server, "--clean", "signature"))
    rows = read_csv(isolated / "in.failures.csv")
    assert [row["error"] for row in rows] == ["empty_text", "empty_text"]
    assert ["--clean signature" in row["error_detail"] for row in rows] == [True, False]


def test_a_sample_is_prepared_alone(isolated: Path, server: ScriptedServer) -> None:
    """What is not read is not counted."""
    path = tickets(isolated / "in.csv", *(f"mail a{n}@x.com" for n in range(5)))
    done = forge("classify", path, *ask(server, "--redact", "email", "--limit", 2))
    assert done.summary["prepared"] == "2 texts redacted (email 2)"


def test_on_long_without_a_limit_is_refused(isolated: Path) -> None:
    """Before anything is read."""
    path = tickets(isolated / "in.csv", "x")
    done = forge("classify", path, "--on-long", "truncate")
    assert (done.code, "add --max-ticket-chars N" in done.err) == (2, True)

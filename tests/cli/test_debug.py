"""`forge --debug`: where errors come from, and what each request came to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from running import GOOD, forge, tickets
from servers import Reply, ScriptedServer, completion, error

from inference_forge.cli.display import try_line
from inference_forge.events import TryFinished
from inference_forge.models import Complexity

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.usefixtures("isolated")
TRY = re.compile(r"forge: debug: (POST .+): (\S+(?: status)?), [\d.]+ m?s, (\w+)")


def ask(server: ScriptedServer) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m")


def tries(err: str) -> Sequence[tuple[str, ...]]:
    """Return address, status and code of every request told of."""
    return [match.groups() for line in err.splitlines() if (match := TRY.fullmatch(line))]


def test_each_try_is_a_line() -> None:
    """Method, host, path, status, time and code; nothing of bodies, headers or tickets."""
    tickets(Path("in.csv"), "my secret ticket")
    replies = [
        completion("my secret answer"),
        Reply(status=413, headers={"x-secret": "header"}, body={"secret": "body"}),
        completion(GOOD),
    ]
    with ScriptedServer(lambda n, _: replies[n]) as server:
        done = forge("--debug", "classify", "in.csv", *ask(server))
        assert done.code == 3
        tickets(Path("in.csv"), "another secret ticket")
        again = forge("--debug", "classify", "in.csv", *ask(server))
        address = f"POST 127.0.0.1:{server.port}/v1/chat/completions"
    assert [*tries(done.err), *tries(again.err)] == [
        (address, "2xx", "invalid_json"),
        (address, "413", "too_large"),
        (address, "2xx", "ok"),
    ]
    assert "secret" not in done.err + again.err


def test_without_it_no_request_is_told_of() -> None:
    """Quiet until something needs you."""
    tickets(Path("in.csv"), "a")
    with ScriptedServer(lambda *_: completion(GOOD)) as server:
        assert "debug" not in forge("classify", "in.csv", *ask(server)).err


def test_the_embedded_classifier_asks_nobody() -> None:
    """Its answers are lines, too; also with --quiet and with a bar asked for."""
    tickets(Path("in.csv"), "a")
    for more in ((), ("--quiet",), ("--progress", "rich")):
        done = forge("--debug", "classify", "in.csv", "--refresh", *more)
        assert done.code == 0
        assert re.search(
            r"^forge: debug: in this process: answered, \d+ ms, ok$", done.err, re.MULTILINE
        )
        assert "\x1b" not in done.err


def test_an_expected_error_comes_with_its_traceback() -> None:
    """And with what led to it; the message stays the last line, the code the same."""
    Path("labels.toml").write_text("x = ")
    tickets(Path("in.csv"), "a")
    arguments = ("classify", "in.csv", "--taxonomy", "labels.toml")
    plain, debug = forge(*arguments), forge("--debug", *arguments)
    assert (plain.code, debug.code, debug.last) == (2, 2, plain.last)
    assert "Traceback" not in plain.err
    assert "tomllib.TOMLDecodeError: " in debug.err
    assert "was the direct cause of the following exception" in debug.err
    assert "\ninference_forge.errors.TaxonomyError: labels.toml: " in debug.err


def test_a_stop_comes_with_its_cause() -> None:
    """Who refused, with where that was found out."""
    tickets(Path("in.csv"), "a")
    with ScriptedServer(lambda *_: error(401, "invalid_api_key", "no")) as server:
        done = forge("--debug", "classify", "in.csv", *ask(server))
    assert done.code == 4
    assert "inference_forge.errors.FatalError: " in done.err
    assert "inference_forge.errors.ProviderRefused: " in done.err
    assert tries(done.err)[0][1:] == ("401", "unauthorized")


def test_an_outage_comes_with_its_cause() -> None:
    """Down to the operating system's own error."""
    tickets(Path("in.csv"), "a")
    where = ("--provider", "openai", "--base-url", "http://127.0.0.1:1/v1", "--model", "m")
    done = forge("--debug", "classify", "in.csv", *where, "--outage-budget", "0.1")
    assert done.code == 75
    assert "httpx.ConnectError: " in done.err
    assert tries(done.err)[0][1:] == ("no status", "connect_error")


def test_it_ends_with_its_command() -> None:
    """Another command in the same process starts without it."""
    tickets(Path("in.csv"), "a")
    assert "debug" in forge("--debug", "classify", "in.csv").err
    assert "debug" not in forge("classify", "in.csv", "--refresh").err


def test_a_line_holds_nothing_else() -> None:
    """The event has no more to tell."""
    event = TryFinished(Complexity.SIMPLE, "throttle", "rate_limited", 1.5, 429, 1, 8)
    assert try_line(event) == "in this process: 429, 1.5 s, rate_limited"


def test_a_streamed_answer_tells_its_first_token() -> None:
    """Behind how long the whole of it took."""
    event = TryFinished(
        Complexity.SIMPLE, "ok", "ok", 1.5, None, 1, 8, address="POST h/v1", first_token_s=0.25
    )
    assert try_line(event) == "POST h/v1: 2xx, 1.5 s (250 ms to the first token), ok"

"""An API key goes into the request's header and nowhere else, whatever fails."""

from __future__ import annotations

import base64
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from running import CANARY, GOOD, Done, finish, forge, forge_process, spawn, tickets
from servers import Reply, ScriptedServer, completion, error

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD = "sk-/odd+canary=?&9b1c"
"""A key that looks different in a URL."""

ROTATED = "sk-rotated-canary-55d0"
"""A key that comes in the middle of a run."""

IMPATIENT = ("--outage-budget", "0.5", "--breaker-recovery", "0.1")
MODES = pytest.mark.parametrize("mode", [(), ("--debug",)], ids=["plain", "debug"])


def forms(key: str) -> list[bytes]:
    """Return how a key may be written."""
    return [
        key.encode(),
        quote(key, safe="").encode(),
        base64.b64encode(key.encode()).rstrip(b"=")[:-1],
    ]


def written() -> dict[Path, bytes]:
    """Return every file of the test: home, cache, state, results, failures."""
    root = Path.cwd().parent
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _own_directory(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the key; at the end look for it in all that was written."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(30)))
    yield
    inputs = {Path(name).resolve() for name in ("in.csv", "forge.toml", "key")}
    for path, data in written().items():
        for form in [*forms(CANARY), *forms(ODD), *forms(ROTATED)]:
            assert path.resolve() in inputs or form not in data, path


def hidden(done: Done, key: str = CANARY) -> Done:
    """Return a run after looking for the key in its output."""
    for form in forms(key):
        assert form not in done.out
        assert form not in done.err.encode()
    return done


def ask(server: ScriptedServer) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m")


ECHOES = {
    "401": error(401, "invalid_api_key", f"Incorrect API key provided: {CANARY}"),
    "401 in its code": error(401, CANARY, CANARY),
    "403": error(403, "permission_denied", f"Bearer {CANARY} may not"),
    "400": error(400, CANARY, f"authorization: Bearer {CANARY}"),
    "404": error(404, "model_not_found", f"no model for {CANARY}"),
    "413, a page": Reply(status=413, body=f"<html>{CANARY}</html>".encode()),
    "quota": error(429, "insufficient_quota", f"top up {CANARY}"),
    "redirect": Reply(status=302, headers={"location": f"http://u:{CANARY}@h/{CANARY}?k={CANARY}"}),
    "error in a 200": Reply(body={"error": {"message": f"bad {CANARY}", "code": 400}}),
    "answer": completion({**GOOD, "summary": f"the key is {CANARY}"}),
    "label": completion({**GOOD, "category": CANARY}),
    "prose": completion(f"I was asked with {CANARY}"),
    "thought": completion(f"<think>{CANARY}</think>" + '{"category":"other"}'),
    "model": Reply(body={**dict(completion(GOOD).body), "model": CANARY}),  # type: ignore[call-overload]
    "finish": completion(GOOD, finish=CANARY),
    "no HTTP": Reply(status=200, body=b"x", headers={"Content-Encoding": CANARY}),
}


@MODES
@pytest.mark.parametrize("reply", ECHOES.values(), ids=ECHOES.keys())
def test_a_server_that_echoes_the_key(mode: tuple[str, ...], reply: Reply) -> None:
    """Errors, answers, a model's name, headers and redirects with the key in them."""
    with ScriptedServer(lambda *_: reply) as server:
        flags = (*ask(server), *IMPATIENT, "--keep-reasoning")
        done = hidden(forge(*mode, "classify", "in.csv", *flags))
        assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert done.code in (0, 3, 4, 75)
    assert "Traceback" not in done.err or mode
    hidden(forge("runs", "--json"))
    hidden(forge("cache", "stats"))


BAD_URLS = (
    "http://user:{}@127.0.0.1:1/v1",
    "http://{}@127.0.0.1:1/v1",
    "http://user:{}/v1",
    "http://127.0.0.1:{}/v1",
    "http://127.0.0.1:1/v1?api_key={}",
    "http://127.0.0.1:1/v1#{}",
    "ftp://127.0.0.1/v1?key={}",
    "127.0.0.1/v1?key={}",
    "http://[{}]/v1",
    "http://u:{}@[::1/v1",
    "//{}@host/v1",
    "http://h\x7f/?k={}",
)


@MODES
@pytest.mark.parametrize("key", [CANARY, ODD])
@pytest.mark.parametrize("place", ["flag", "variable", "file"])
@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_with_a_key_in_it(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...], url: str, place: str, key: str
) -> None:
    """It is refused, and not quoted with the key: not even when no variable holds it."""
    monkeypatch.delenv("OPENAI_API_KEY")
    address = url.format(key)
    flags = ["--provider", "openai", "--model", "m"]
    match place:
        case "flag":
            flags += ["--base-url", address]
        case "variable":
            monkeypatch.setenv("FORGE_BASE_URL", address)
        case _:
            escaped = address.replace("\x7f", "\\u007f")
            Path("forge.toml").write_text(f'base_url = "{escaped}"\n')
    done = hidden(forge(*mode, "classify", "in.csv", *flags), key)
    assert done.code == 2, done.err
    hidden(forge("doctor", "--offline", *flags), key)


@MODES
def test_a_proxys_password(monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]) -> None:
    """A proxy that cannot be reached or used is named without it."""
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("NO_PROXY")
    flags = ("--provider", "openai", "--model", "m", "--base-url", "http://api.example/v1")
    for proxy in (f"http://me:{CANARY}@127.0.0.1:1", f"http://me:{CANARY}", f"gopher://{CANARY}@x"):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        done = forge(*mode, "classify", "in.csv", *flags, *IMPATIENT)
        assert hidden(done).code in (2, 75)


@MODES
def test_settings_that_hold_a_key_by_mistake(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]
) -> None:
    """A value that cannot be used is quoted, but not the key."""
    for name in ("FORGE_CONCURRENCY", "FORGE_TIMEOUT", "FORGE_PROVIDER", "FORGE_ORDER"):
        with monkeypatch.context() as patch:
            patch.setenv(name, CANARY)
            assert hidden(forge(*mode, "classify", "in.csv")).code == 2


@MODES
@pytest.mark.parametrize("end", ["\n", "\u201d", " ", "\x1b[31m", "\u200b", "\u00e9"])
def test_a_key_that_cannot_be_sent(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...], end: str
) -> None:
    """Exit 2, naming the variable; neither the key nor what follows it is shown."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY + end)
    done = hidden(forge(*mode, "classify", "in.csv", "--provider", "openai", "--model", "m"))
    assert done.code == 2
    assert "the API key in OPENAI_API_KEY has " in done.last


@MODES
def test_a_bug_whose_message_holds_the_key(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]
) -> None:
    """The traceback of an internal error, and of what led to it."""

    def broken(*_: object) -> None:
        known: dict[str, str] = {}
        try:
            known[CANARY]
        except KeyError as exc:
            raise RuntimeError(f"header Authorization: Bearer {CANARY}") from exc

    monkeypatch.setattr("inference_forge.app.run_classify", broken)
    done = hidden(forge(*mode, "classify", "in.csv"))
    assert (done.code, "RuntimeError" in done.err) == (1, True)


@MODES
def test_a_bug_in_the_middle_of_a_run(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]
) -> None:
    """One that is raised while a request is under way."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(f"cannot divide {CANARY}")

    monkeypatch.setattr("inference_forge.adapters.providers.openai_chat.read_answer", broken)
    with ScriptedServer(lambda *_: completion(GOOD)) as server:
        done = hidden(forge(*mode, "classify", "in.csv", *ask(server)))
    assert (done.code, "ZeroDivisionError" in done.err) == (1, True)


@MODES
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_killed(mode: tuple[str, ...], number: signal.Signals) -> None:
    """Whatever a dying process leaves behind."""
    replies = [error(400, "bad", CANARY), completion({**GOOD, "summary": CANARY})]

    def script(number: int, _: object) -> Reply:
        return replies[number % 2] if number < 10 else Reply(hangs=True)

    with ScriptedServer(script) as server:
        flags = (*ask(server), "--concurrency", "4", "--grace", "0.2")
        process = spawn(*mode, "classify", "in.csv", *flags)
        assert server.wait_until(lambda s: len(s.requests) >= 12, timeout_s=20)
        os.kill(process.pid, number)
        done = hidden(finish(process))
    assert done.code == 128 + number
    hidden(forge("runs"))


@MODES
def test_a_whole_process(mode: tuple[str, ...]) -> None:
    """The same as a process of its own, down to what the interpreter prints."""
    with ScriptedServer(lambda *_: ECHOES["401"]) as server:
        done = hidden(forge_process(*mode, "classify", "in.csv", *ask(server)))
    assert done.code == 4
    assert ("Traceback" in done.err or "inference_forge.errors.FatalError" in done.err) == bool(
        mode
    )


PLACES = pytest.mark.parametrize("place", ["file", "command", "keyless variable"])


def kept_in(place: str, key: str) -> tuple[str, ...]:
    """Put a key where it is not in the environment, and return the flags that name it."""
    Path("key").write_text(key + "\n")
    Path("key").chmod(0o600)
    return ("--api-key-file", "key") if place == "file" else ("--api-key-command", "cat key")


@PLACES
@pytest.mark.parametrize("reply", ECHOES.values(), ids=ECHOES.keys())
def test_a_server_that_echoes_a_key_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, place: str, reply: Reply
) -> None:
    """The same for keys that no variable holds, with every line that `--debug` adds."""
    monkeypatch.delenv("OPENAI_API_KEY")
    flags = kept_in(place, CANARY)
    if place == "keyless variable":
        monkeypatch.setenv("FORGE_API_KEY_COMMAND", f"echo {CANARY}")
        flags = ()
    with ScriptedServer(lambda *_: reply) as server:
        more = (*ask(server), *IMPATIENT, "--keep-reasoning", *flags)
        done = hidden(forge("--debug", "classify", "in.csv", *more))
        assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert done.code in (0, 3, 4, 75)
    hidden(forge("runs", "--json"))


@MODES
def test_a_command_that_names_the_key(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]
) -> None:
    """The history keeps the command line without it; so does doctor."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with ScriptedServer(lambda *_: ECHOES["400"]) as server:
        where = ("--provider", "openai", "--model", "m", "--base-url", server.url)
        flags = (*where, "--api-key-command", f"echo {CANARY}")
        assert hidden(forge(*mode, "classify", "in.csv", *flags)).code == 4
        assert hidden(forge(*mode, "doctor", *flags)).code == 4
    shown = hidden(forge("runs", "--json"))
    assert b"--api-key-command" in shown.out


@MODES
@pytest.mark.parametrize("place", ["file", "command"])
def test_a_key_that_changes_in_the_middle_of_a_run(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...], place: str
) -> None:
    """The old one is refused, the new one taken, and neither is shown."""
    monkeypatch.delenv("OPENAI_API_KEY")

    def script(number: int, _: object) -> Reply:
        sent = server.requests[number].headers["authorization"].removeprefix("Bearer ")
        if number >= 8 and sent != ROTATED:
            Path(f"key{number}").write_text(ROTATED)
            Path(f"key{number}").replace("key")
            return error(401, "invalid_api_key", f"{CANARY} was replaced")
        return completion({**GOOD, "summary": f"{CANARY} {sent}"})

    with ScriptedServer(script) as server:
        flags = (*ask(server), *kept_in(place, CANARY), "--concurrency", "4")
        done = hidden(hidden(forge(*mode, "classify", "in.csv", *flags)), ROTATED)
        keys = [request.headers["authorization"] for request in server.requests]
    assert done.code == 0, done.err
    assert keys[-1] == f"Bearer {ROTATED}"
    assert any("the key was refused; " in line and "has a new one" in line for line in done.lines)
    hidden(forge("runs", "--json"), ROTATED)


@MODES
def test_a_key_that_is_refused_and_has_no_successor(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]
) -> None:
    """Exit 4, naming where the key is from; a file that is gone says so."""
    monkeypatch.delenv("OPENAI_API_KEY")

    def script(_number: int, _body: object) -> Reply:
        Path("key").unlink(missing_ok=True)
        return ECHOES["401"]

    with ScriptedServer(script) as server:
        flags = (*ask(server), *kept_in("file", CANARY), "--concurrency", "1")
        done = hidden(forge(*mode, "classify", "in.csv", *flags))
        assert len(server.requests) == 1
    assert done.code == 4
    assert "the API key is missing or not accepted; check key" in done.last
    assert any("reading it again fails: the key file key cannot be read" in x for x in done.lines)


@MODES
@pytest.mark.parametrize("end", ["\u201d", " ", "\x1b[31m", "\u200b", "\u00e9", "\0", "\udcff"])
@pytest.mark.parametrize("place", ["file", "command"])
def test_a_key_from_elsewhere_that_cannot_be_sent(
    monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...], place: str, end: str
) -> None:
    """Exit 2, naming the place; neither the key nor what follows it is shown."""
    monkeypatch.delenv("OPENAI_API_KEY")
    flags = kept_in(place, CANARY)
    Path("key").write_bytes((CANARY + end).encode("utf-8", "surrogateescape"))
    where = ("--provider", "openai", "--model", "m", *flags)
    assert hidden(forge(*mode, "classify", "in.csv", *where)).code == 2
    assert hidden(forge(*mode, "doctor", "--offline", *where)).code == 2

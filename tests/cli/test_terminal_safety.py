"""Whatever strangers wrote, a terminal shows it and does nothing else."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from running import GOOD, forge, tickets
from servers import Reply, ScriptedServer, completion, error
from terminal import COLOURS, assert_harmless, on_terminal

from inference_forge.core.terminal import safe_rows

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = {
    "clipboard (OSC 52)": "\x1b]52;c;ZXZpbA==\x07",
    "link (OSC 8)": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "title (OSC 0)": "\x1b]0;owned\x07",
    "screen": "\x1b[2J\x1b[1;1H\x1b[8m\x1b[31;47mhidden",
    "device report": "\x1b[6n\x1b[c\x1bP+q544e\x1b\\",
    "C1": "\x9b2J\x9d52;c;ZXZpbA==\x9c\x90q\x9c\x85",
    "backspaces": "safe\x08\x08\x08\x08evil\x7f",
    "bells and shifts": "\x07\x0e\x0f\x05",
    "overwriting": "real\rfake\x0b\x0c",
    "bidi": "\u202etxt.exe\u202c\u2066a\u2069\u200f",
    "invisible": "a\u200b\u2060\ufeffb\U000e0041\u2028",
    "markup": "[/etc/passwd][bold red]x[/][/red][link=http://x]y[/link]:boom:",
}
ALL = " ".join(HOSTILE.values())


@cache
def colours() -> frozenset[str]:
    """Return what the bar sends over a run in which nothing is hostile."""
    tickets(Path("calm.csv"), *(f"ticket {n}" for n in range(60)), "refused")
    with ScriptedServer(answers("calm")) as server:
        code, shown = on_terminal("classify", "calm.csv", *ask(server))
    assert code == 3
    found = frozenset(COLOURS.findall(shown))
    assert len(found) > 1
    # The bar may catch other states of itself; these are all of its settings.
    return found | {"0", "32", "33", "2", "36", "35", "39", "1", "38;5;237", "38;5;197", "31"}


def answers(said: str) -> Callable[[int, object], Reply]:
    """Answer slowly enough for a bar, and refuse some with `said`."""

    def script(number: int, body: object) -> Reply:
        if "refused" in str(body):
            return error(400, said, said)
        fields = {**GOOD, "summary": f"summary {said}"}
        reply = completion(fields, delay_s=0.0 if number < 20 else 0.05)
        model = {**orjson.loads(orjson.dumps(reply.body)), "model": f"model {said}"}
        return Reply(body=model, delay_s=reply.delay_s, headers={"x-request-id": "1"})

    return script


def ask(server: ScriptedServer) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m")


@pytest.fixture(autouse=True)
def _own_directory(isolated: Path) -> None:
    assert Path.cwd() == isolated


def write_hostile(name: str, column: str = "note") -> None:
    """Write tickets that hold all of it, under a column that does."""
    quoted = '"' + column.replace('"', '""') + '"'
    rows = [f'{n},"{text} {n}",x' for n in range(40) for text in HOSTILE.values()]
    text = "\n".join([f"id,text,{quoted}", *rows, f'9,"refused {ALL}",x'])
    Path(name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("mode", [(), ("--debug",)])
def test_tickets_answers_and_columns_reach_no_terminal(mode: tuple[str, ...]) -> None:
    """With the bar on: texts, a column's name, the file's, the model's name, a refusal."""
    known = colours()
    name = f"in {HOSTILE['screen']}{HOSTILE['bidi']}.csv"
    write_hostile(name, column=f"summary {ALL}")
    with ScriptedServer(answers(ALL)) as server:
        code, shown = on_terminal(*mode, "classify", name, *ask(server))
    assert code == 3
    assert_harmless(shown, set(known))
    assert ("\x1b[?25l" in shown) is (mode == ())


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_results_on_a_terminal_are_escaped(kind: str) -> None:
    """Standard output on a terminal shows escapes, which in JSON mean the same."""
    lines = [{"id": n, "text": f"{text} {n}"} for n, text in enumerate(HOSTILE.values())]
    if kind == "jsonl":
        data = b"\n".join(map(orjson.dumps, lines))
    else:
        write_hostile("in.csv")
        data = Path("in.csv").read_bytes()
    flags = ("--input-format", kind, "--quiet")
    code, shown = on_terminal("classify", "-", *flags, with_stdout=True, stdin=data, columns=9999)
    assert code == 0
    assert_harmless(shown, set())
    piped = forge("classify", "-", *flags, stdin=data)
    own = ("cache_hit", "tokens", "cost")
    shown_rows, rows = (
        [{k: v for k, v in orjson.loads(line).items() if k not in own} for line in out.splitlines()]
        for out in (shown.encode().replace(b"\r\n", b"\n"), piped.out)
    )
    assert shown_rows == rows


def test_a_refusal_of_everything_reaches_no_terminal() -> None:
    """The last line quotes the server; with --debug a traceback does, too."""
    known = colours()
    # Not the texts of the calm run: those have been answered when this test is its process's first.
    tickets(Path("in.csv"), *(f"refusal of {n}" for n in range(9)))
    for mode in ((), ("--debug",)):
        with ScriptedServer(lambda *_: error(401, "invalid_api_key", f"no: {ALL}")) as server:
            code, shown = on_terminal(*mode, "classify", "in.csv", *ask(server))
        assert code == 4
        assert "no: " in shown
        assert_harmless(shown, set(known))


def test_mistakes_quote_files_safely() -> None:
    """Columns, file names, settings, taxonomies and options in error messages."""
    known = set(colours())
    write_hostile("in.csv", column=ALL)
    Path(f"{ALL.replace('/', '|')[:80]}.csv").write_text("x")
    Path("labels.toml").write_text(f'name = "x"\n[categories]\n"a{ALL[:3]}"="')
    Path("names.toml").write_text('[categories]\n"a\\u001b]0;x\\u0007"="b"\n')
    for arguments in (
        ("in.csv", "--text-column", f"nope{ALL}"),
        ("in.csv", "--keep", f"no{ALL}"),
        ("in.csv", "--prefix", ALL),
        ("in.csv", "--order", ALL),
        ("in.csv", "--provider", ALL),
        ("in.csv", "--encoding", ALL),
        ("in.csv", "-o", f"{ALL}/x.csv"),
        ("in.csv", "-o", f"x.{ALL.replace('/', '|')[:80]}"),
        ("in.csv", "--taxonomy", "labels.toml"),
        ("in.csv", "--taxonomy", "names.toml"),
        ("in.csv", f"--{HOSTILE['title (OSC 0)']}"),
        (f"missing{ALL.replace('/', '|')}.csv",),
        (f"{ALL.replace('/', '|')[:80]}.csv",),
        ("*.csv", "in.csv", f"{HOSTILE['C1']}*"),
    ):
        for mode in ((), ("--debug",)):
            code, shown = on_terminal(*mode, "classify", *arguments)
            assert code == 2, (arguments, shown)
            assert_harmless(shown, known)
    Path("forge.toml").write_text('"k\\u001b]0;x\\u0007" = 1')
    code, shown = on_terminal("classify", "in.csv")
    assert (code, "unknown setting" in shown) == (2, True)
    assert_harmless(shown, known)


def test_what_is_told_of_the_past_is_harmless() -> None:
    """Past runs, the cache and doctor show names of files, columns and models."""
    name = f"in {HOSTILE['screen']}{HOSTILE['C1']}{HOSTILE['bidi']}.csv"
    tickets(Path(name), "a", "b")
    with ScriptedServer(answers(ALL)) as server:
        assert forge("classify", name, *ask(server)).code == 0
        for arguments in (
            ("runs",),
            ("runs", "--json"),
            ("cache", "stats"),
            ("doctor", "--offline", "--model", ALL, "--taxonomy", f"{ALL}.toml"),
            ("doctor", *ask(server)),
            ("doctor", "--json", *ask(server)),
            ("runs", ALL),
            ("simulate", "--model", ALL, "--port", ALL),
            (ALL,),
            ("classify", "in.csv", "--limit", ALL),
        ):
            _, shown = on_terminal(*arguments, with_stdout=True, columns=9999)
            assert shown
            assert_harmless(shown, set())


def test_an_internal_error_quotes_safely(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback ends in a message that may hold anything."""

    def broken(*_: object) -> None:
        raise ValueError(ALL)

    tickets(isolated / "in.csv", "hello")
    monkeypatch.setattr("inference_forge.app.run_classify", broken)
    done = forge("classify", "in.csv")
    assert done.code == 1
    assert "ValueError: " in done.err
    assert_harmless(done.err, set())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_escaped_rows_mean_the_same(text: str) -> None:
    """JSON with escapes is the same JSON; tabs and line ends stay."""
    line = orjson.dumps({text: text, "b": [text, 1.50]}) + b"\n"
    safe = safe_rows(line)
    assert orjson.loads(safe) == orjson.loads(line)
    assert_harmless(safe.decode(), set())
    assert safe_rows(b'{"a":\t1}\n') == b'{"a":\t1}\n'
    assert re.search(rb"[^\x20-\x7e]", safe_rows(b"\xff").replace("\ufffd".encode(), b"")) is None
    assert os.linesep == "\n"

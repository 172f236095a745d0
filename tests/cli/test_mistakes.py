"""What the command line says of files, options and keys that are not what was meant."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from running import forge, read_csv, read_jsonl, tickets
from servers import ScriptedServer, error

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-/mend+canary&9b1c=Q"


def history() -> str:
    """Return the run history."""
    (path,) = Path.cwd().parent.rglob("runs.jsonl")
    return path.read_text()


# --- secrets --------------------------------------------------------------------------------


def test_a_key_given_as_a_model_is_not_kept(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People paste it in the wrong place; no field of the history may hold it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    tickets(isolated / "in.csv", "hello")
    where = ("--base-url", "http://127.0.0.1:9/v1", "--outage-budget", "0.1")
    forge("classify", "in.csv", "--provider", "openai", "--model", KEY, *where)
    assert json.loads(history().splitlines()[-1])["model"] == "***"
    assert KEY not in history()
    assert KEY not in forge("runs").out.decode()


@pytest.mark.parametrize(
    "shown",
    [
        lambda key: quote(key, safe=""),
        escape,
        str.upper,
        lambda key: f"{key[:-3]}...",
        lambda key: key.replace("/", "\\/"),
    ],
)
def test_a_key_that_a_server_changes_is_hidden(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, shown: Callable[[str], str]
) -> None:
    """Servers echo keys escaped, in capitals and cut short."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    tickets(isolated / "in.csv", "hello")
    reply = error(401, "invalid_api_key", f"bad key {shown(KEY)} given")
    with ScriptedServer(lambda *_: reply) as server:
        where = ("--provider", "openai", "--model", "m", "--base-url", server.url)
        done = forge("classify", "in.csv", *where)
    assert done.code == 4
    assert "bad key ***" in done.err
    assert "bad key ***" in history()


@pytest.mark.parametrize("key", [f'"{KEY}"', f"'{KEY}'", f"{KEY}`"])
def test_a_key_in_quotes_is_refused(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """They come from .env files, and the provider would only say that the key is wrong."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    tickets(isolated / "in.csv", "hello")
    where = ("--base-url", "http://127.0.0.1:9/v1", "--outage-budget", "0.1")
    done = forge("classify", "in.csv", "--provider", "openai", "--model", "m", *where)
    assert done.code == 2
    assert done.last == (
        "forge: error: the API key in OPENAI_API_KEY is in quotes, which would be sent: copy it "
        "without them"
    )


# --- ports ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("classify", "in.csv", "--outage-budget", "0.1"), ("doctor",)])
@pytest.mark.parametrize("port", ["65536", "-1", "0"])
def test_a_port_that_cannot_be_is_refused(
    isolated: Path, command: tuple[str, ...], port: str
) -> None:
    """It is a mistake of the user's, and no bug."""
    tickets(isolated / "in.csv", "hello")
    where = ("--provider", "vllm", "--model", "m", "--base-url", f"http://127.0.0.1:{port}/v1")
    done = forge(*command, *where)
    assert done.code == 2
    text = done.err + done.out.decode()
    assert f"base URL for host 127.0.0.1 has port {port}: a port is a number from 1 to" in text


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_port_that_cannot_be_is_refused(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The message says where the mistake is, and shows no password."""
    monkeypatch.setenv(variable, "http://me:hunter2@proxy:99999")
    tickets(isolated / "in.csv", "hello")
    where = ("--provider", "vllm", "--model", "m", "--base-url", "http://192.0.2.1/v1")
    done = forge("classify", "in.csv", *where, "--outage-budget", "0.1")
    assert done.code == 2
    assert done.last == (
        "forge: error: the proxy that the environment names for http has port 99999: a port is a "
        "number from 1 to 65535; correct or unset the variable"
    )


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["in.results.csv", "in.failures.csv"])
def test_somebodys_own_file_is_not_overwritten(isolated: Path, name: str) -> None:
    """Only the user can say that it may go."""
    (isolated / "in.csv").write_text("id,text\n1,hello\n2,\n")
    (isolated / name).write_text("mine\n1\n")
    done = forge("classify", "in.csv")
    flag = "-o" if "results" in name else "--failures"
    assert done.code == 2
    assert done.last == (
        f"forge: error: {name}: exists, and was not written by forge: rename or remove it, or "
        f"choose another file with {flag}"
    )
    assert (isolated / name).read_text() == "mine\n1\n"
    chosen = forge("classify", "in.csv", "-o", "in.results.csv", "--failures", "in.failures.csv")
    assert chosen.code == 3


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl", "json", "tsv"])
@pytest.mark.parametrize("has_rows", [True, False])
def test_forges_own_files_are_replaced_without_asking(
    isolated: Path, suffix: str, has_rows: bool
) -> None:
    """The same command again is how a run is resumed."""
    rows = {
        "csv": "id,text\n1,a\n2,\n",
        "csv.gz": "id,text\n1,a\n2,\n",
        "tsv": "id\ttext\n1\ta\n2\t\n",
        "jsonl": '{"id":1,"text":"a"}\n{"id":2,"text":""}\n',
        "json": '[{"id":1,"text":"a"},\n{"id":2,"text":""}]',
    }[suffix]
    empty = {"jsonl": "", "json": "[]"}.get(suffix, rows.partition("\n")[0] + "\n")
    (isolated / f"in.{suffix}").write_text(rows if has_rows else empty)
    expected = 3 if has_rows else 0
    for prefix in ((), ("--prefix", "x_"), ()):
        assert forge("classify", f"in.{suffix}", *prefix).code == expected


def test_a_file_named_like_forges_own_is_said_to_be_so(isolated: Path) -> None:
    """Whether forge wrote it is not known from its name."""
    tickets(isolated / "in.csv", "hello")
    (isolated / "old.results.csv").write_text("mine\n1\n")
    done = forge("classify", "*.csv")
    assert done.code == 0
    assert (
        "not read, because they are named like files that forge writes: old.results.csv"
        in done.lines
    )
    assert "--- in.csv" in done.lines


@pytest.mark.parametrize("more", [(), ("-o", "all.csv")])
def test_a_file_named_twice_is_read_once(isolated: Path, more: tuple[str, ...]) -> None:
    """However it is named; else its rows would come out twice."""
    tickets(isolated / "a.csv", "hello")
    tickets(isolated / "b.csv", "there")
    (isolated / "link.csv").symlink_to("a.csv")
    done = forge("classify", "a.csv", "./a.csv", "b.csv", "link.csv", "a.csv", *more)
    assert done.code == 0
    assert (
        "named more than once, and read once: ./a.csv is a.csv, link.csv is a.csv, a.csv"
        in done.lines
    )
    written = "all.csv" if more else "a.results.csv"
    assert len(read_csv(isolated / written)) == (2 if more else 1)


def test_failures_on_standard_output_are_refused(isolated: Path) -> None:
    """A file called `-` is not what anybody means."""
    tickets(isolated / "in.csv", "")
    for more in ((), ("-o", "-")):
        done = forge("classify", "in.csv", "--failures", "-", *more)
        assert done.code == 2
        assert done.last.startswith("forge: error: --failures -: standard output takes results")
    assert not (isolated / "-").exists()


def test_an_input_that_is_not_reached_is_named(isolated: Path) -> None:
    """One bad file ends the run, and the others are not forgotten in silence."""
    for name in ("a.csv", "c.csv", "d.csv"):
        tickets(isolated / name, name)
    (isolated / "b.csv").write_text("x,y\n1,2\n")
    done = forge("classify", "a.csv", "b.csv", "c.csv", "d.csv")
    assert done.code == 2
    assert done.last.endswith("'x', 'y'; not read because of this: c.csv and 1 more")
    last = forge("classify", "a.csv", "b.csv")
    assert last.last.endswith("'x', 'y'.")


# --- columns --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["in.jsonl", "in.json"])
@pytest.mark.parametrize("flag", ["--keep", "--drop"])
def test_a_member_that_no_object_has_is_refused(isolated: Path, name: str, flag: str) -> None:
    """As a column that a table does not have: nothing was sent yet."""
    line = '{"id":1,"text":"a","email":"x@y.z"}'
    (isolated / name).write_text(f"[{line}]" if name.endswith("json") else line)
    done = forge("classify", name, flag, "emial")
    assert done.code == 2
    assert done.last == (
        "forge: error: There is no column 'emial'. Did you mean 'email'? The input has: 'id', "
        "'text', 'email'."
    )
    kept = forge("classify", name, flag, "E-Mail", "-o", "out.jsonl")
    assert kept.code == 0
    (row,) = read_jsonl((isolated / "out.jsonl").read_bytes())
    assert ("email" in row) is (flag == "--keep")
    assert ("id" in row) is (flag == "--drop")


def test_of_several_inputs_one_may_lack_a_member(isolated: Path) -> None:
    """They are one then, and it has the member."""
    (isolated / "a.jsonl").write_text('{"id":1,"text":"a","email":"x@y.z"}\n')
    (isolated / "b.jsonl").write_text('{"id":2,"text":"b"}\n')
    done = forge("classify", "a.jsonl", "b.jsonl", "-o", "out.jsonl", "--drop", "email")
    assert done.code == 0
    assert not [line for line in done.lines if "--drop" in line]


def test_a_member_that_may_come_later_is_told_of_in_the_end(isolated: Path) -> None:
    """Of a long file not all rows are known before the first is sent."""
    rows = "".join(f'{{"id":{n},"text":"a"}}\n' for n in range(20_000))
    (isolated / "in.jsonl").write_text(rows)
    done = forge("classify", "in.jsonl", "--drop", "email", "--offset", "19990")
    assert done.code == 0
    message = "no row of the results has what --drop email names: check the spelling"
    assert [line for line in done.lines if message in line] == [f"warning: {message}"]


def test_options_that_say_nothing_are_told_of(isolated: Path) -> None:
    """A seed without a sample, and a column that is kept and dropped."""
    tickets(isolated / "in.csv", "hello")
    done = forge("classify", "in.csv", "--seed", "3", "--keep", "text", "--drop", "text")
    assert done.code == 0
    assert "--seed says nothing without --sample: all rows are read" in done.lines
    assert "--keep and --drop both name text: it is dropped" in done.lines
    assert not re.search("--seed", forge("classify", "in.csv", "--seed", "3", "--sample", "1").err)

"""What only a process of its own shows: signals, broken pipes, closed streams, exit codes."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from running import (
    CANARY,
    GOOD,
    always_good,
    command,
    finish,
    forge,
    forge_process,
    read_csv,
    read_jsonl,
    shell,
    spawn,
    tickets,
)
from servers import Reply, ScriptedServer, completion

from inference_forge.adapters.cache import stats

if TYPE_CHECKING:
    from collections.abc import Callable

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def ask(server: ScriptedServer, *more: object) -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", "m", *more)


def many(path: Path, count: int = 60) -> Path:
    """Write distinct tickets."""
    return tickets(path, *(f"ticket number {n}" for n in range(count)))


def lines_of(count: int) -> bytes:
    """Return JSON lines."""
    return b"".join(b'{"text":"ticket %d"}\n' % n for n in range(count))


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll for something that only the other process knows."""
    deadline_s = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def handles(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal (proc(5), SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_drains_and_the_same_command_resumes(
    isolated: Path, number: signal.Signals
) -> None:
    """Exit 128+N; what was under way is kept; the next run asks for the rest only."""
    many(isolated / "in.csv")

    def script(n: int, _body: object) -> Reply:
        return completion(GOOD, delay_s=0.0 if n < 10 else 0.3)

    with ScriptedServer(script) as server:
        process = spawn("classify", "in.csv", *ask(server))
        assert server.wait_until(lambda s: len(s.requests) >= 15)
        process.send_signal(number)
        done = finish(process)
        sent = len(server.requests)
    assert done.code == 128 + number
    assert sent < 60
    assert done.lines[1] == (
        f"{number.name}: finishing the requests under way, 20 s at most; "
        "a second one leaves at once"
    )
    assert done.last == (
        f"forge: stopped by {number.name}; {sent} rows done, {60 - sent} read and pending; "
        "the same command resumes"
    )
    assert CONTROL.search(done.err) is None
    assert not (isolated / "in.results.csv").exists()
    with ScriptedServer(always_good) as server:
        assert forge("classify", "in.csv", *ask(server)).code == 0
        assert len(server.requests) == 60 - sent
    assert len(read_csv(isolated / "in.results.csv")) == 60


def test_a_second_signal_leaves_at_once(isolated: Path) -> None:
    """A hanging provider does not hold up whoever insists; committed answers are kept."""
    many(isolated / "in.csv", 20)

    def script(n: int, _body: object) -> Reply:
        return completion(GOOD) if n < 5 else Reply(hangs=True)

    with ScriptedServer(script) as server:
        process = spawn("classify", "in.csv", *ask(server))
        assert server.wait_until(lambda s: len(s.requests) >= 12)
        cache = isolated.parent / "home/.cache/inference-forge"
        wait_until(lambda: stats(cache).entries == 5)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = b""
        while b"leaves at once" not in said:
            said += os.read(process.stderr.fileno(), 4096)
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert (done.code, time.monotonic() - began_s < 3) == (143, True)
    assert done.last == (
        "forge: warning: left at once by a second SIGTERM; the same command resumes"
    )
    with ScriptedServer(always_good) as server:
        assert forge("classify", "in.csv", *ask(server)).code == 0
        assert len(server.requests) == 15


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_signal_ends_waiting_for_a_silent_pipe() -> None:
    """Nothing came on stdin yet: the signal is obeyed all the same."""
    reading, writing = os.pipe()
    process = spawn("classify", "-", stdin=reading)
    wait_until(lambda: handles(process.pid, signal.SIGTERM))
    process.send_signal(signal.SIGTERM)
    done = finish(process)  # and the pipe is still open
    os.close(reading)
    os.close(writing)
    assert done.code == 143
    assert done.last.startswith("forge: stopped by SIGTERM; 0 rows done, 0 read and pending")


def test_nohup_ignores_hangup(isolated: Path) -> None:
    """An inherited SIG_IGN stays ignored."""
    many(isolated / "in.csv", 12)
    with ScriptedServer(lambda *_: completion(GOOD, delay_s=0.1)) as server:
        process = subprocess.Popen(
            [
                "bash",
                "-c",
                'trap "" HUP; exec "$@"',
                "-",
                *command("classify", "in.csv", *ask(server)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert server.wait_until(lambda s: len(s.requests) >= 1)
        process.send_signal(signal.SIGHUP)
        assert finish(process).code == 0


def test_head_ends_a_pipe_quietly(isolated: Path) -> None:
    """`forge ... | head -1`: exit 141 and not a word about it."""
    (isolated / "in.jsonl").write_bytes(lines_of(3000))
    done = shell('$FORGE classify - <in.jsonl | head -1; exit "${PIPESTATUS[0]}"')
    assert done.code == 141
    assert len(read_jsonl(done.out)) == 1
    assert done.lines[1:] == ["text = text"]


@pytest.mark.parametrize("count", [1, 3000])
def test_a_full_stdout_is_said(isolated: Path, count: int) -> None:
    """/dev/full: exit 5 and the reason, for a byte as for a megabyte."""
    (isolated / "in.jsonl").write_bytes(lines_of(count))
    done = shell("$FORGE classify - <in.jsonl >/dev/full")
    assert done.code == 5
    assert done.last.startswith(
        "forge: stopped: standard output: cannot be written: No space left on device"
    )
    assert "Traceback" not in done.err


def test_closed_streams_matter_only_when_they_are_used(isolated: Path) -> None:
    """`<&- >&- 2>&-` is no trouble for a file, and said for a pipe."""
    many(isolated / "in.csv", 3)
    assert shell("$FORGE classify in.csv -o a.csv <&- >&- 2>&-").code == 0
    assert shell("$FORGE classify in.csv -o b.csv 2>/dev/full").code == 0
    assert len(read_csv(isolated / "a.csv")) == len(read_csv(isolated / "b.csv")) == 3
    done = shell("$FORGE classify - >&- <in.csv --input-format csv")
    assert done.code == 5
    assert done.last == (
        "forge: error: standard output is closed: redirect it, or name a results file with -o"
    )
    done = shell("$FORGE classify - <&-")
    assert done.code == 2
    assert done.last == "forge: error: Standard input is closed: name a file, or pipe one in."


def test_no_file_gets_the_number_of_a_closed_stream(isolated: Path) -> None:
    """What a library prints on descriptor 2 must not land in the cache's database."""
    code = (
        "import os, sys; from inference_forge.cli.streams import occupy_closed_descriptors; "
        "occupy_closed_descriptors(); sys.exit(os.open('new', os.O_CREAT))"
    )
    done = shell(f'{sys.executable} -c "{code}" <&- >&- 2>&-')
    assert done.code >= 3
    assert (isolated / "new").exists()


def test_help_and_stats_on_a_full_disk_end_with_5() -> None:
    """No traceback from what is printed outside of a run either."""
    for words in ("--help", "--version", "cache stats"):
        done = shell(f"$FORGE {words} >/dev/full")
        assert (done.code, done.err) == (
            5,
            "forge: error: standard output cannot be written: No space left on device\n",
        )


def test_without_home_under_umask_0_everything_is_private(isolated: Path) -> None:
    """`env -i`, LANG=C, umask 0: it works, says where the cache is, and keeps it private."""
    many(isolated / "in.csv", 3)
    (isolated / "tmp").mkdir()
    script = 'umask 0; env -i LANG=C TMPDIR="$PWD/tmp" $FORGE classify in.csv -o "ö.csv"'
    done = shell(script)
    assert done.code == 0
    base = isolated / "tmp" / f"inference-forge-{os.getuid()}"
    assert done.lines[0] == (
        f"warning: HOME is not set, so the cache and state are kept in {base}; set HOME or "
        "--cache-dir to keep answers between runs"
    )
    for path in (base, *base.rglob("*")):
        mode = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == mode, path
    assert len(read_csv(isolated / "ö.csv")) == 3
    again = shell(script)
    assert again.summary["cache hits"] == "3"


def test_stdout_is_nothing_but_results(isolated: Path) -> None:
    """With warnings, notes, failures and a summary about, stdout parses line by line."""
    lines = b'{"text":"hello","Category":"x"}\n{bad\n{"text":""}\n'
    done = forge_process("classify", "-", "--failures", isolated / "bad.jsonl", stdin=lines)
    assert done.code == 3
    assert [row["text"] for row in read_jsonl(done.out)] == ["hello"]
    assert "warning: " in done.err
    assert CONTROL.search(done.err) is None


def test_a_key_shows_in_no_process_output(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither stderr, stdout nor the command line of a failing run holds the key."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    many(isolated / "in.csv", 2)
    done = forge_process(
        "classify", "in.csv", "--provider", "openai", "--model", "m",
        "--base-url", "http://127.0.0.1:1/v1", "--outage-budget", "100ms",
    )  # fmt: skip
    assert done.code == 75
    assert "--outage-budget allows 0.1 s" in done.last
    assert CANARY not in done.err + done.out.decode()


def test_a_second_run_on_one_output_exits_75_at_once(isolated: Path) -> None:
    """The first goes on undisturbed, and its file is whole."""
    many(isolated / "in.csv", 8)
    gate = threading.Event()

    def slow(number: int, body: Any) -> Reply:
        gate.wait(20)
        return always_good(number, body)

    with ScriptedServer(slow) as server, spawn("classify", *ask(server, "in.csv")) as first:
        wait_until(lambda: bool(server.requests))
        second = forge_process("classify", *ask(server, "in.csv"))
        assert second.code == 75
        assert "another run is writing in.results.csv" in second.last
        gate.set()
        assert finish(first).code == 0
    assert len(read_csv(isolated / "in.results.csv")) == 8


def test_a_stopped_run_publishes_what_is_done_when_asked(isolated: Path) -> None:
    """Results and pending rows together are all rows; the same command then finishes."""
    many(isolated / "in.csv", 40)

    def hang(number: int, body: Any) -> Reply:
        return always_good(number, body) if number < 10 else Reply(hangs=True)

    arguments = ("classify", "in.csv", "--publish-partial", "--grace", "100ms")
    with ScriptedServer(hang) as server:
        process = spawn(*arguments, *ask(server))
        wait_until(lambda: len(server.requests) > 10)
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert done.code == 143
    assert "pending and set aside; the same command resumes" in done.last
    assert done.summary["pending"] == "in.pending.csv"
    results, pending = read_csv(isolated / "in.results.csv"), read_csv(isolated / "in.pending.csv")
    assert 0 < len(results) <= 10
    ids = [row["id"] for row in results + pending]
    assert sorted(ids) == sorted(row["id"] for row in read_csv(isolated / "in.csv"))
    with ScriptedServer(always_good) as server:
        assert forge_process(*arguments, *ask(server)).code == 0
    assert len(read_csv(isolated / "in.results.csv")) == 40
    assert sorted(p.name for p in isolated.iterdir()) == ["in.csv", "in.results.csv"]


def test_a_stopped_run_says_what_it_left(isolated: Path) -> None:
    """The partial file has a name, and the next run replaces it."""
    many(isolated / "in.csv", 40)

    def hang(number: int, body: Any) -> Reply:
        return always_good(number, body) if number < 10 else Reply(hangs=True)

    with ScriptedServer(hang) as server:
        process = spawn("classify", *ask(server, "in.csv"), "--grace", "100ms")
        wait_until(lambda: len(server.requests) > 10)
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert done.code == 143
    left = isolated / "in.results.csv.partial"
    assert left.exists()
    assert any(f"{left}, replaced by the next run" in line for line in done.lines)
    assert not (isolated / "in.results.csv").exists()

"""Two processes at the same time, on one cache or on one output."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from running import GOOD, finish, read_csv, spawn, ticket_in, tickets
from servers import Reply, ScriptedServer, completion

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

TEXTS = [f"the printer of room {number} is broken" for number in range(120)]


def asked(server: ScriptedServer) -> Counter[str]:
    """Return how often the server was asked about each ticket; a killed client sends half."""
    bodies = (request.parsed for request in server.requests)
    return Counter(ticket_in(body) for body in bodies if body is not None)


def slowly(_number: int, _body: Any) -> Reply:
    """Answer after 50 ms."""
    return completion(GOOD, delay_s=0.05)


def test_runs_that_share_a_cache_pay_once(isolated: Path) -> None:
    """Both are complete; each ticket was asked about once."""
    tickets(isolated / "tickets.csv", *TEXTS)
    with ScriptedServer(slowly) as server:
        runs = [
            spawn(
                *("classify", "tickets.csv", "-o", f"{name}.csv", "--provider", "openai"),
                *("--base-url", server.url, "--model", "m", "--concurrency", "8"),
            )
            for name in ("one", "other")
        ]
        for run in runs:
            done = finish(run)
            assert done.code == 0, done.err
        assert asked(server) == dict.fromkeys(TEXTS, 1)
    results = [read_csv(isolated / name) for name in ("one.csv", "other.csv")]
    assert [len(rows) for rows in results] == [120, 120]
    hits = Counter(row["cache_hit"] for rows in results for row in rows)
    assert hits == {"true": 120, "false": 120}


def test_a_killed_run_leaves_its_tickets_to_the_other(isolated: Path) -> None:
    """Asked about again: what was in flight at the kill, or answered and not yet committed.

    Of the hundred or so that the first run asked about that is a small part, even on a machine so
    busy that a commit takes half a second.
    """
    texts = [f"the printer of room {number} is broken" for number in range(300)]
    tickets(isolated / "tickets.csv", *texts)
    with ScriptedServer(slowly) as server:
        arguments = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        limit = ("--concurrency", "4")
        first = spawn("classify", "tickets.csv", "-o", "one.csv", *arguments, *limit)
        assert server.wait_until(lambda s: len(s.requests) > 20)
        second = spawn("classify", "tickets.csv", "-o", "other.csv", *arguments, *limit)
        assert server.wait_until(lambda s: len(s.requests) > 200)
        first.kill()
        finish(first)
        done = finish(second)
        assert done.code == 0, done.err
        assert len(asked(server)) == 300
        assert len(server.requests) <= 300 + 40
    assert len(read_csv(isolated / "other.csv")) == 300
    assert not (isolated / "one.csv").exists()

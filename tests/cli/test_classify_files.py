"""`forge classify` over files: every row comes out once, and no answer is asked for twice."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import orjson
import pytest
from running import always_good, forge, read_csv, read_jsonl, ticket_in, tickets, write_csv
from servers import ScriptedServer, completion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDED = (
    "category",
    "priority",
    "summary",
    "complexity",
    "cache_hit",
    "tokens",
    "cost",
    "currency",
    "model",
)
TEXTS = ("the printer is on fire", "", "refund please", 'comma, quote " and\nline', "naïve ✓ 日本")
TAXONOMY = """
[categories.billing]
description = "{description}"
[categories.other]
[priorities.low]
[priorities.high]
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Return a server that gives every ticket the same good answer."""
    with ScriptedServer(always_good) as running:
        yield running


def ask(server: ScriptedServer, *more: object, model: str = "m") -> tuple[object, ...]:
    """Return the flags that send tickets to `server`."""
    return ("--provider", "openai", "--base-url", server.url, "--model", model, *more)


def save(path: Path, kind: str) -> Path:
    """Write TEXTS in one format."""
    rows = [{"id": str(n), "text": text, "more": "x"} for n, text in enumerate(TEXTS)]
    path = path / f"in.{kind}"
    inner, _, packed = kind.partition(".")
    if inner in {"csv", "tsv"}:
        write_csv(path, rows)
        if inner == "tsv":
            lines = ["id\ttext\tmore", *(f'{r["id"]}\t"{_q(r["text"])}"\tx' for r in rows)]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        data = path.read_bytes()
    elif inner == "jsonl":
        data = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    else:
        data = orjson.dumps({"tickets": rows})
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def _q(text: str) -> str:
    return text.replace('"', '""')


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json", "csv.gz", "jsonl.gz"])
@pytest.mark.parametrize("order", ["input", "completion"])
def test_rows_in_are_rows_out(isolated: Path, kind: str, order: str) -> None:
    """Every row is in the results or in the failures, with all its columns, once."""
    path = save(isolated, kind)
    done = forge("classify", path, "-o", "out.jsonl", "--order", order)
    assert done.code == 3
    results = read_jsonl((isolated / "out.jsonl").read_bytes())
    failures = read_jsonl((isolated / "out.failures.jsonl").read_bytes())
    by_id = {row["id"]: row["text"] for row in results + failures}
    assert len(results) == len(TEXTS) - 1
    assert by_id == {str(n): text for n, text in enumerate(TEXTS)}
    assert [row["error"] for row in failures] == ["empty_text"]
    assert all(list(row) == ["id", "text", "more", *ADDED] for row in results)
    if order == "input":
        assert [row["id"] for row in results] == ["0", "2", "3", "4"]
    assert done.summary["failed"] == "1 (empty_text 1)"


@pytest.mark.parametrize(
    ("kind", "results"),
    [
        ("csv", "in.results.csv"),
        ("tsv", "in.results.tsv"),
        ("json", "in.results.json"),
        ("jsonl.gz", "in.results.jsonl.gz"),
    ],
)
def test_results_stand_beside_the_input_in_its_format(
    isolated: Path, kind: str, results: str
) -> None:
    """Without -o the input's name and format are kept, and nothing else appears."""
    forge("classify", save(isolated, kind))
    failures = results.replace("results", "failures")
    assert sorted(p.name for p in isolated.iterdir()) == sorted([f"in.{kind}", results, failures])


def test_a_name_without_extension_gets_the_inputs_format(isolated: Path) -> None:
    """`-o out` of a CSV is a CSV."""
    tickets(isolated / "in.csv", "hello there")
    assert forge("classify", "in.csv", "-o", "out").code == 0
    assert read_csv(isolated / "out")[0]["id"] == "T-1"


def test_a_pipe_gives_jsonl_and_nothing_else_on_stdout(isolated: Path) -> None:
    """Stdin is JSONL, stdout is JSONL; failures go to the file that the summary names."""
    lines = b'{"id":1,"text":"hello"}\n"a bare string"\n{"id":2,"text":""}\n'
    done = forge("classify", "-", stdin=lines)
    assert done.code == 3
    rows = read_jsonl(done.out)
    assert [row.get("id") for row in rows] == [1, None]
    failures = isolated.parent / "home/.local/state/inference-forge/failures"
    (failures_file,) = failures.iterdir()
    assert done.summary["failures"] == str(failures_file)
    assert read_jsonl(failures_file.read_bytes())[0]["id"] == 2
    assert failures.stat().st_mode & 0o777 == 0o700


def test_stdin_as_csv_into_a_file(isolated: Path) -> None:
    """`--input-format csv -o results.csv` reads a table from a pipe."""
    path = tickets(isolated / "in.csv", "hello there")
    flags = ("--input-format", "csv", "-o", "out.csv", "--failures", "bad.csv")
    done = forge("classify", "-", *flags, stdin=path.read_bytes())
    assert (done.code, done.out) == (0, b"")
    assert read_csv(isolated / "out.csv")[0]["text"] == "hello there"


def test_several_inputs_get_one_results_file_each(isolated: Path) -> None:
    """Each is announced, and forge's own files of an earlier run are not read again."""
    for name in ("a", "b"):
        tickets(isolated / f"{name}.csv", f"hello {name}", "")
    assert forge("classify", "a.csv", "b.csv").code == 3
    done = forge("classify", *sorted(p.name for p in isolated.iterdir()))
    assert done.code == 3
    headings = [line for line in done.lines if line.startswith("---")]
    assert headings == ["--- a.csv", "--- b.csv", "--- 2 inputs together"]
    assert (
        "not read, because they are named like files that forge writes: "
        "a.failures.csv, a.results.csv, b.failures.csv, b.results.csv"
    ) in done.lines
    assert done.err.count("\nforge: results") == 2
    assert [r["text"] for r in read_csv(isolated / "b.results.csv")] == ["hello b"]


def test_several_inputs_have_a_closing_total(isolated: Path, server: ScriptedServer) -> None:
    """Sums of what stands above, at the end; of one input, or with `--quiet`, there is none."""
    tickets(isolated / "a.csv", "hello", "hello again", "")
    tickets(isolated / "b.csv", "hello", "goodbye")
    done = forge("classify", "a.csv", "b.csv", "--log-file", "run.log", *ask(server))
    total = done.lines[done.lines.index("--- 2 inputs together") + 1 :]
    assert total[:5] == [
        "rows        5",
        "classified  4",
        "failed      1 (in 1 of 2 inputs)",
        "cache hits  1",
        "requests    3",
    ]
    assert [line.split()[0] for line in total[5:]] == ["tokens", "cost", "time"]
    log = (isolated / "run.log").read_text().splitlines()
    logged = [line for line in log if '"event":"total"' in line]
    assert len(logged) == 1
    assert '"inputs":2,"rows":"5"' in logged[0]
    assert "together" not in forge("classify", "a.csv", *ask(server)).err
    assert "together" not in forge("classify", "a.csv", "b.csv", "--quiet", *ask(server)).err


def test_the_total_of_a_stopped_run_says_what_is_pending(
    isolated: Path, server: ScriptedServer
) -> None:
    """And the reason stays the last line."""
    tickets(isolated / "a.csv", "hello")
    tickets(isolated / "b.csv", "goodbye", "farewell")
    limits = ("--max-requests", "2", "--concurrency", "1")
    done = forge("classify", "a.csv", "b.csv", *limits, *ask(server))
    total = done.lines[done.lines.index("--- 2 inputs together") + 1 :]
    assert done.code == 6
    assert {"rows        3", "classified  2", "pending     1"} <= set(total)
    assert "stopped" in total[-1]


def test_warnings_are_told_for_each_of_several_inputs(isolated: Path) -> None:
    """The second file's trouble is not hidden by the first's."""
    for name in ("a", "b"):
        write_csv(isolated / f"{name}.csv", [{"text": "hello", "Priority": "1"}])
    assert forge("classify", "a.csv", "b.csv").err.count("warning: the input has columns") == 2


def test_a_second_run_asks_nothing(isolated: Path, server: ScriptedServer) -> None:
    """All answers come from the cache; only what describes the run differs."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(30)))
    first = forge("classify", "in.csv", "-o", "first.csv", *ask(server))
    second = forge("classify", "in.csv", "-o", "second.csv", *ask(server))
    assert (first.code, second.code, len(server.requests)) == (0, 0, 30)
    one, two = read_csv(isolated / "first.csv"), read_csv(isolated / "second.csv")
    assert {row["cache_hit"] for row in one} == {"false"}
    assert {row["tokens"] for row in one} == {"25"}
    assert {(row["cache_hit"], row["tokens"], row["cost"]) for row in two} == {("true", "0", "0")}
    for row in one + two:
        for name in ("cache_hit", "tokens", "cost", "currency"):
            del row[name]
    assert one == two
    assert (first.summary["requests"], second.summary["requests"]) == ("30", "0")
    assert second.summary["cache hits"] == "30"


def test_reordered_and_added_rows_are_still_known(isolated: Path, server: ScriptedServer) -> None:
    """The text decides, not the file: a new export pays for its new tickets only."""
    tickets(isolated / "monday.csv", "a a", "b b", "c c")
    tickets(isolated / "tuesday.csv", "c c", "d d", "a a")
    forge("classify", "monday.csv", *ask(server))
    forge("classify", "tuesday.csv", *ask(server))
    assert len(server.requests) == 4


def test_another_taxonomy_is_asked_anew_and_label_order_is_not(
    isolated: Path, server: ScriptedServer
) -> None:
    """What a label means is part of the fingerprint; where it stands in the file is not."""
    text = TAXONOMY.format(description="money")
    first, second = text.split("[categories.other]\n")
    (isolated / "one.toml").write_text(text)
    (isolated / "swapped.toml").write_text(f"[categories.other]\n{first}{second}")
    (isolated / "other.toml").write_text(TAXONOMY.format(description="invoices"))
    tickets(isolated / "in.csv", "one", "two")
    asked = []
    for name in ("one", "swapped", "other", "one"):
        forge("classify", "in.csv", *ask(server, "--taxonomy", f"{name}.toml"))
        asked.append(len(server.requests))
    assert asked == [2, 2, 4, 4]


def test_speed_is_no_part_of_an_answer(isolated: Path, server: ScriptedServer) -> None:
    """Other limits and waits take the same answers from the cache."""
    tickets(isolated / "in.csv", "one", "two")
    forge("classify", "in.csv", *ask(server))
    forge("classify", "in.csv", *ask(server, "--concurrency", "1", "--timeout", "5s"))
    assert len(server.requests) == 2


def test_another_model_is_asked_anew(isolated: Path, server: ScriptedServer) -> None:
    """The model is part of the fingerprint."""
    tickets(isolated / "in.csv", "one", "two")
    forge("classify", "in.csv", *ask(server, model="m1"))
    forge("classify", "in.csv", *ask(server, model="m2"))
    assert [request.parsed["model"] for request in server.requests] == ["m1", "m1", "m2", "m2"]


def test_another_prompt_version_is_asked_anew(
    isolated: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new wording of the prompt does not take the old one's answers."""
    from inference_forge.core import fingerprint  # noqa: PLC0415 - patched here only

    tickets(isolated / "in.csv", "one", "two")
    forge("classify", "in.csv", *ask(server))
    monkeypatch.setattr(fingerprint, "PROMPT_VERSION", 999)
    forge("classify", "in.csv", *ask(server))
    assert len(server.requests) == 4


def test_refresh_asks_once_for_each_distinct_ticket(isolated: Path, server: ScriptedServer) -> None:
    """--refresh replaces what is cached and still does not ask twice within the run."""
    tickets(isolated / "in.csv", "one", "two", "one")
    forge("classify", "in.csv", *ask(server))
    assert forge("classify", "in.csv", *ask(server, "--refresh")).code == 0
    assert len(server.requests) == 4
    forge("classify", "in.csv", *ask(server))
    assert len(server.requests) == 4


def test_cache_ttl_ignores_older_answers(
    isolated: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers older than --cache-ttl are asked for again; younger ones are not."""
    tickets(isolated / "in.csv", "one")
    forge("classify", "in.csv", *ask(server))
    forge("classify", "in.csv", *ask(server, "--cache-ttl", "1h"))
    assert len(server.requests) == 1
    import time  # noqa: PLC0415 - patched here only

    later = time.time() + 7200  # noqa: TID251 - what is patched below
    monkeypatch.setattr(time, "time", lambda: later)
    forge("classify", "in.csv", *ask(server, "--cache-ttl", "1h"))
    assert len(server.requests) == 2


def test_no_cache_keeps_nothing_and_still_coalesces(isolated: Path, server: ScriptedServer) -> None:
    """Twice the same run asks twice, each distinct ticket once."""
    tickets(isolated / "in.csv", "one", "two", "one")
    for _ in range(2):
        done = forge("classify", "in.csv", *ask(server, "--no-cache"))
        assert "--no-cache: a run that is interrupted cannot resume" in done.lines
        assert done.summary["coalesced"] == "1"
    assert len(server.requests) == 4
    assert not (isolated.parent / "home/.cache").exists()


def test_identical_tickets_share_one_call(isolated: Path, server: ScriptedServer) -> None:
    """50 rows with one text are one request, and 50 rows with the same label."""
    tickets(isolated / "in.csv", *["where is my invoice"] * 50)
    done = forge("classify", "in.csv", *ask(server))
    rows = read_csv(isolated / "in.results.csv")
    assert (len(server.requests), len(rows)) == (1, 50)
    assert [row["cache_hit"] for row in rows].count("false") == 1
    assert sum(int(row["tokens"]) for row in rows) == 25
    assert done.summary["coalesced"] == "49"


def test_tenants_do_not_share_answers(isolated: Path) -> None:
    """With --tenant-column the same text is asked once for each tenant, and kept apart."""
    asked: list[str] = []

    def script(number: int, body: object) -> object:
        asked.append(ticket_in(body))
        return completion({"category": "billing", "priority": "low", "summary": f"no {number}"})

    rows = [{"text": "same", "Customer": name} for name in ("ann", "bob", "ann")]
    write_csv(isolated / "in.csv", rows)
    with ScriptedServer(script) as server:  # type: ignore[arg-type]
        for _ in range(2):
            forge("classify", "in.csv", *ask(server, "--tenant-column", "Customer"))
        assert asked == ["same", "same"]
    out = read_csv(isolated / "in.results.csv")
    assert out[0]["summary"] == out[2]["summary"] != out[1]["summary"]


def test_a_failures_file_can_be_fed_in_again(isolated: Path, server: ScriptedServer) -> None:
    """Its four columns are recognised and dropped."""
    tickets(isolated / "in.csv", "hello", "")
    forge("classify", "in.csv", *ask(server))
    failed = isolated / "in.failures.csv"
    assert list(read_csv(failed)[0]) == [
        "id",
        "text",
        "error",
        "error_detail",
        "attempts",
        "tokens",
    ]
    mended = failed.read_text().replace("T-2,,", "T-2,now with text,")
    (isolated / "again.csv").write_text(mended)
    assert forge("classify", "again.csv", *ask(server)).code == 0
    assert list(read_csv(isolated / "again.results.csv")[0]) == ["id", "text", *ADDED]


def test_a_clean_run_removes_the_failures_of_an_earlier_one(isolated: Path) -> None:
    """A failures file that is there belongs to these results."""
    tickets(isolated / "in.csv", "hello", "")
    assert forge("classify", "in.csv").code == 3
    tickets(isolated / "in.csv", "hello", "hello")
    assert forge("classify", "in.csv").code == 0
    assert not (isolated / "in.failures.csv").exists()


def test_max_failure_rate_decides_between_0_and_3(isolated: Path) -> None:
    """One failure in four rows is within 0.25 and not within 0.2."""
    tickets(isolated / "in.csv", "a a", "b b", "c c", "")
    assert forge("classify", "in.csv", "--max-failure-rate", "0.25").code == 0
    assert forge("classify", "in.csv", "--max-failure-rate", "0.2").code == 3


def test_taken_names_get_a_prefix(isolated: Path) -> None:
    """A column of the input is never overwritten; --prefix silences the warning."""
    write_csv(isolated / "in.csv", [{"text": "hello", "Priority": "P1"}])
    done = forge("classify", "in.csv")
    row = read_csv(isolated / "in.results.csv")[0]
    assert row["Priority"] == "P1"
    assert row["forge_priority"] in {"low", "medium", "high", "critical"}
    assert "warning: the input has columns named like added ones (priority)" in done.err
    done = forge("classify", "in.csv", "--prefix", "ai_")
    assert "warning" not in done.err
    assert "ai_priority" in read_csv(isolated / "in.results.csv")[0]


def test_several_inputs_go_into_one_results_file(isolated: Path) -> None:
    """With -o; a pattern that the shell did not expand is expanded, forge's own files left out."""
    tickets(isolated / "a.csv", "my invoice is wrong")
    tickets(isolated / "b.csv", "my screen flickers", "the printer is broken")
    tickets(isolated / "b.results.csv", "not this one")
    done = forge("classify", "?.csv", "b.results.csv", "-o", "all.csv")
    assert done.code == 0, done.err
    assert [row["text"] for row in read_csv(isolated / "all.csv")] == [
        "my invoice is wrong",
        "my screen flickers",
        "the printer is broken",
    ]
    assert done.summary["rows"] == "3"


def test_an_input_is_not_overwritten_by_what_all_are_written_to(isolated: Path) -> None:
    """The second one neither."""
    tickets(isolated / "a.csv", "x")
    tickets(isolated / "b.csv", "y")
    done = forge("classify", "a.csv", "b.csv", "-o", "b.csv")
    assert done.code == 2
    assert "would overwrite the input b.csv" in done.last


def test_columns_are_kept_or_dropped(isolated: Path) -> None:
    """In the results; a failures file has all of them, to be fed in again."""
    write_csv(isolated / "in.csv", [{"id": "1", "text": "hello", "x": "2"}])
    assert forge("classify", "in.csv", "--keep", "id", "--keep", "x").code == 0
    header = (isolated / "in.results.csv").read_text().splitlines()[0]
    assert header.startswith("id,x,category")
    assert forge("classify", "in.csv", "--drop", "text").code == 0
    assert (isolated / "in.results.csv").read_text().startswith("id,x,category")
    done = forge("classify", "in.csv", "--drop", "y")
    assert (done.code, "There is no column 'y'" in done.last) == (2, True)


def test_a_part_of_the_rows_is_classified(isolated: Path) -> None:
    """--offset and --limit cut a range, --sample draws from it."""
    tickets(isolated / "in.csv", *(f"ticket number {n}" for n in range(20)))

    def ids(*arguments: object) -> list[str]:
        assert forge("classify", "in.csv", *arguments).code == 0
        return [row["id"] for row in read_csv(isolated / "in.results.csv")]

    assert ids("--offset", 3, "--limit", 2) == ["T-4", "T-5"]
    drawn = ids("--limit", 10, "--sample", 4, "--seed", 7)
    assert drawn == ids("--limit", 10, "--sample", 4, "--seed", 7)
    assert len(drawn) == 4
    assert set(drawn) <= {f"T-{n}" for n in range(1, 11)}
    assert len(ids("--sample", 100)) == 20

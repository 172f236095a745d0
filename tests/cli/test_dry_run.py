"""`--dry-run`, what is learned for it, and what a run says that it saved."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest
from running import Done, forge, read_csv, tickets, write_csv

from inference_forge.core.simulation import model as simulated

EXAMPLES = Path(__file__).parents[2] / "examples/tickets.csv"
BANKING = Path(os.environ.get("FORGE_TEST_DATA", "/work/shared/data")) / "banking77"
SIMULATED = ("--provider", "simulated")
PRICED = ("--price-in", "0.25", "--price-out", "2")
UNLIMITED = ("--quiet", "--max-failure-rate", "1")

pytestmark = pytest.mark.usefixtures("isolated")


def facts(done: Done) -> dict[str, str]:
    """Return what a dry run prints, by name."""
    pairs = (line.partition("  ") for line in done.out.decode().splitlines())
    return {name: value.strip() for name, _, value in pairs}


def dry(*arguments: object) -> dict[str, str]:
    """Return what a dry run prints; it must go well."""
    done = forge("classify", *arguments, "--dry-run")
    assert done.code == 0, done.err
    return facts(done)


def number(text: str) -> int:
    """Return the first number of a text."""
    found = re.search(r"[\d,]+", text)
    assert found is not None, text
    return int(found[0].replace(",", ""))


def tree(path: Path) -> dict[Path, bytes]:
    """Return every file below a directory."""
    return {each: each.read_bytes() for each in path.rglob("*") if each.is_file()}


def test_it_tells_what_a_run_would_do(isolated: Path) -> None:
    """Rows, duplicates, cached, rejected and calls; then the run does just that."""
    rows = [{"text": text} for text in ("a b", "c d", "a b", "", "e f", "a b")]
    write_csv(Path("t.csv"), rows)
    forge("classify", "t.csv", *SIMULATED, "--limit", "2", "-o", "before.csv")
    before = tree(isolated.parent)
    found = dry("t.csv", *SIMULATED, *PRICED)
    assert tree(isolated.parent) == before
    assert found["model"] == "simulated/simulated"
    assert found["rows"] == "6"
    assert found["rejected"] == "1 (empty_text 1): they fail without a call"
    assert (found["cached"], found["duplicates"], found["calls"]) == ("4", "0", "1")
    assert found["complexity"].startswith("simple 1 (~")
    assert found["cost"].startswith("~0.00")
    refreshed = dry("t.csv", *SIMULATED, "--refresh")
    assert (refreshed["cached"], refreshed["duplicates"], refreshed["calls"]) == ("0", "2", "3")
    run = forge("classify", "t.csv", *SIMULATED, "--refresh")
    assert (run.summary["requests"], run.summary["coalesced"]) == ("3", "2")


def test_nothing_is_created(isolated: Path) -> None:
    """No cache, no history, no results; nothing is sent either."""
    tickets(Path("t.csv"), "one", "two")
    before = tree(isolated.parent)
    done = forge("classify", "t.csv", *SIMULATED, "--dry-run")
    assert done.last == "forge: dry run: nothing was sent, nothing was written"
    forge("classify", "t.csv", "--provider", "vllm", "--model", "m", "--dry-run")
    assert tree(isolated.parent) == before
    assert not (isolated.parent / "home/.cache").exists()


def test_packs_are_counted_as_they_would_be_sent() -> None:
    """And as they then are."""
    found = dry(EXAMPLES, *SIMULATED, "--pack")
    run = forge("classify", EXAMPLES, *SIMULATED, "--pack", "-o", "out.csv")
    calls, packs = re.findall(r"\d+", found["calls"])[:2]
    assert run.summary["requests"].startswith(f"{calls} ({packs} packs of ")
    assert "next" not in found


def test_standard_input_is_read_to_its_end() -> None:
    """And it is said."""
    done = forge("classify", "-", *SIMULATED, "--dry-run", stdin=b'{"text": "a"}\n' * 3)
    assert done.lines[0] == "standard input is read to its end"
    assert (facts(done)["rows"], facts(done)["calls"]) == ("3", "1")


def test_several_inputs_are_one_forecast() -> None:
    """What is in both is asked once: the second finds it in the cache."""
    tickets(Path("a.csv"), "one", "two")
    tickets(Path("b.csv"), "two", "three")
    found = dry("a.csv", "b.csv", *SIMULATED)
    assert (found["rows"], found["duplicates"], found["calls"]) == ("4", "1", "3")


def test_the_built_in_baseline_is_free() -> None:
    """There are no tokens to count."""
    found = dry(EXAMPLES)
    assert found["cost"] == "0 (the built-in baseline is free)"
    assert "tokens" not in found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rpm", "60"), "~5 min 00 s: 60 requests a minute"),
        (("--tpm", "1000"), ": 1,000 tokens a minute"),
        (("--min-interval-ms", "2000"), "~10 min 00 s: one request every 2,000 ms"),
        ((), "~15.0 s: 1.5 s a request (assumed), 32 at once, no rate limit known"),
        (("--rpm", "100000", "--concurrency", "2"), "1.5 s a request (assumed), 2 at once"),
    ],
)
def test_time_is_that_of_the_slowest_limit(arguments: tuple[str, ...], says: str) -> None:
    """And what was assumed is said."""
    assert dry(EXAMPLES, *SIMULATED, *arguments)["time"].endswith(says)


def test_bad_input_is_an_error_as_ever() -> None:
    """Exit 2 with the same words."""
    Path("t.csv").write_text("a,b\n1,2\n")
    dry_done = forge("classify", "t.csv", "--dry-run")
    assert (dry_done.code, dry_done.last) == (2, forge("classify", "t.csv").last)
    assert forge("classify", "none.csv", "--dry-run").code == 2


def test_an_empty_input_takes_nothing() -> None:
    """Nor does one that is all cached."""
    tickets(Path("t.csv"), "one")
    forge("classify", "t.csv", *SIMULATED)
    found = dry("t.csv", *SIMULATED, *PRICED)
    assert (found["calls"], found["cost"], found["time"]) == ("0", "0", "0")
    assert found["tokens"].startswith("~0 (~0 in)")


def other_tokens(text: str) -> int:
    """Count as nothing in the package does: 1.3 tokens for five bytes."""
    return round(1.3 * len(text.encode()) / 4.6)


@pytest.fixture
def other_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the simulated model count in another way, with 12 tokens more in every request."""
    monkeypatch.setattr(simulated, "estimate_tokens", other_tokens)
    monkeypatch.setattr(simulated, "TOKENS_PER_MESSAGE", 6)


def accuracy(path: Path, first: int, *arguments: str) -> tuple[float, float]:
    """Return how far a dry run is off before any call, and after `first` tickets were asked."""
    rows = read_csv(path)
    write_csv(Path("all.csv"), rows)
    write_csv(Path("first.csv"), rows[:first])
    write_csv(Path("rest.csv"), rows[first:])
    asked = (*SIMULATED, *arguments)
    before = number(dry("all.csv", *asked)["tokens"])
    forge("classify", "first.csv", *asked, *UNLIMITED)
    after = number(dry("rest.csv", *asked)["tokens"])
    run = forge("classify", "rest.csv", *asked)
    used = number(run.summary["tokens"])
    total = used + sum(int(row["tokens"]) for row in read_csv(Path("first.results.csv")))
    return before / total - 1, after / used - 1


@pytest.mark.usefixtures("other_tokenizer")
@pytest.mark.parametrize(("arguments", "first"), [((), 55), (("--pack", "--pack-size", "4"), 200)])
def test_estimates_hold_on_the_examples(arguments: tuple[str, ...], first: int) -> None:
    """Within a quarter before any call, within 5 % after fifty."""
    before, after = accuracy(EXAMPLES, first, *arguments)
    assert abs(before) <= 0.25
    assert abs(after) <= 0.05


@pytest.mark.usefixtures("other_tokenizer")
@pytest.mark.skipif(not BANKING.is_dir(), reason="the public data sets are not here")
@pytest.mark.parametrize(("arguments", "first"), [((), 51), (("--pack",), 900)])
def test_estimates_hold_on_short_questions(
    isolated: Path, arguments: tuple[str, ...], first: int
) -> None:
    """As on the examples."""
    with (BANKING / "banking_data/test.csv").open(newline="", encoding="utf-8") as file:
        rows = [{"text": row["text"]} for row in csv.DictReader(file)][:: 2 if first > 99 else 6]
    before, after = accuracy(write_csv(isolated / "b.csv", rows), first, *arguments)
    assert abs(before) <= 0.25
    assert abs(after) <= 0.05


def test_what_was_learned_is_said_and_kept_private(isolated: Path) -> None:
    """Of this prompt, or of this model's others; `--no-cache` keeps nothing."""
    tickets(Path("t.csv"), *(f"ticket {n}" for n in range(30)))
    cache = isolated.parent / "home/.cache/inference-forge"
    assert dry("t.csv", *SIMULATED)["basis"].startswith("no answer of this model was seen yet")
    forge("classify", "t.csv", *SIMULATED, "--no-cache")
    assert not cache.exists()
    forge("classify", "t.csv", *SIMULATED)
    (kept,) = cache.glob("tokens-*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "ticket" not in kept.read_text()
    found = dry("t.csv", *SIMULATED, "--refresh")
    assert found["basis"] == "30 answers of this model to the same prompt"
    assert "as seen before" in found["time"]
    other = dry("t.csv", *SIMULATED, "--refresh", "--fields", "category")
    assert other["basis"] == "answers of this model to other prompts"
    kept.write_bytes(b"{")
    done = forge("classify", "t.csv", *SIMULATED, "--dry-run")
    assert "what was learned about tokens cannot be used" in done.err
    assert facts(done)["basis"].startswith("no answer")


def test_the_summary_tells_what_each_lever_saved() -> None:
    """In tokens and money, as an estimate; the history keeps it."""
    rows = [{"text": f"the printer on floor {n % 30} is broken"} for n in range(60)]
    write_csv(Path("t.csv"), rows)
    first = forge("classify", "t.csv", *SIMULATED, *PRICED, "--pack")
    saved = next(line for line in first.lines if line.startswith("saved "))
    assert re.fullmatch(r"saved +coalescing ~[\d,]+, packing ~[\d,]+ tokens \(~0\.\d+ USD\)", saved)
    second = forge("classify", "t.csv", *SIMULATED, *PRICED)
    assert re.search(r"saved +cache ~[\d,]+ tokens", second.err)
    history = [json.loads(line) for line in forge("runs", "--json").out.splitlines()]
    counts = [run["counts"] for run in history]
    assert counts[0]["saved_by_coalescing"] > 0 < counts[0]["saved_by_packing"]
    assert counts[0]["saved_by_cache"] == 0 < counts[1]["saved_by_cache"]
    assert float(counts[1]["saved_cost"]["USD"]) > 0
    shown = forge("runs", history[0]["run_id"]).out.decode()
    assert re.search(r"saved +coalescing ~[\d,]+ tokens, packing ~[\d,]+ tokens \(~0", shown)
    assert re.search(r"packing ~([\d,]+)", shown)[1] in saved  # type: ignore[index]


def test_what_was_saved_is_what_single_requests_would_have_taken() -> None:
    """Within 5 % once single requests were seen."""
    single = forge("classify", EXAMPLES, *SIMULATED, "-o", "a.csv")
    packed = forge("classify", EXAMPLES, *SIMULATED, "-o", "b.csv", "--pack", "--refresh")
    said = re.search(r"packing ~([\d,]+)", packed.err)
    assert said is not None
    used = [number(done.summary["tokens"]) for done in (single, packed)]
    assert number(said[1]) == pytest.approx(used[0] - used[1], rel=0.05)


def test_packing_is_recommended_where_it_pays() -> None:
    """For many calls; not for a small run, and not to who packs already."""
    many = forge("classify", EXAMPLES, *SIMULATED, "-o", "a.csv")
    assert re.search(r"next +--pack would save about \d\d% of such a run", many.err)
    few = forge("classify", EXAMPLES, *SIMULATED, "-o", "b.csv", "--refresh", "--limit", "100")
    packed = forge("classify", EXAMPLES, *SIMULATED, "-o", "c.csv", "--refresh", "--pack")
    free = forge("classify", EXAMPLES, "-o", "d.csv")
    assert not any("--pack would" in done.err for done in (few, packed, free))
    assert "saved " not in free.err


def test_a_price_in_a_settings_file_is_reckoned_with() -> None:
    """The flags win over it."""
    tickets(Path("t.csv"), "one", "two")
    price = '[prices."simulated"."simulated"]\ncurrency = "INR"\nprompt = 100\ncompletion = 200\n'
    Path("forge.toml").write_text(price)
    assert dry("t.csv", *SIMULATED)["cost"].endswith(" INR")
    assert dry("t.csv", *SIMULATED, *PRICED)["cost"].endswith(" USD")
    assert forge("classify", "t.csv", *SIMULATED).summary["cost"].endswith(" INR")

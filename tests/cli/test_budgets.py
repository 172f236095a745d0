"""Budgets from the command line, against the simulated provider."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from running import GOOD, forge, read_csv, tickets
from servers import Reply, ScriptedServer, completion, error

EXAMPLES = Path(__file__).parents[2] / "examples/tickets.csv"
RUN = ("classify", str(EXAMPLES), "-o", "out.csv", "--provider", "simulated")
PRICED = ("--price-in", "0.25", "--price-out", "2")

pytestmark = pytest.mark.usefixtures("isolated")


def test_a_run_stops_at_its_cost_and_goes_on_with_more() -> None:
    """Exit 6; the same command with a larger budget takes what was paid for from the cache."""
    first = forge(*RUN, *PRICED, "--max-cost", "0.02")
    assert first.code == 6
    assert "--max-cost 0.02 USD: 0.0" in first.last
    assert "the same command resumes" in first.last
    spent = Decimal(first.summary["cost"].split()[0])
    assert Decimal("0.95") * Decimal("0.02") <= spent <= Decimal("0.02")
    second = forge(*RUN, *PRICED, "--max-cost", "1")
    assert second.code == 0
    rows = read_csv(Path("out.csv"))
    assert len(rows) == 320
    assert sum(row["cache_hit"] == "true" for row in rows) > 100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--max-requests", "25"), "--max-requests 25 is used up"),
        (("--max-total-tokens", "20000"), "--max-total-tokens 20,000: "),
    ],
)
def test_tokens_and_requests_have_limits_too(arguments: tuple[str, ...], says: str) -> None:
    """They need no price."""
    done = forge(*RUN, *arguments)
    assert done.code == 6
    assert says in done.last
    assert int(done.summary["requests"].replace(",", "")) <= 100


def test_packs_get_further_with_the_same_budget() -> None:
    """The limit is on tokens, not on tickets."""
    limit = ("--max-total-tokens", "20000", "--no-cache")
    single = forge(*RUN, *limit)
    packed = forge(*RUN, *limit, "--pack")
    assert (single.code, packed.code) == (6, 6)
    done = [int(each.summary["classified"].replace(",", "")) for each in (single, packed)]
    assert done[1] > 1.5 * done[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--max-cost", "1"),
            (
                "--max-cost: the price of simulated is unknown; say it with --price-in and "
                "--price-out (per million tokens), or use --max-total-tokens"
            ),
        ),
        (
            ("--max-cost", "a lot", *PRICED),
            "--max-cost: 'a lot' is no amount; write it like 2.50 or 2.50 USD",
        ),
        (
            ("--max-cost", "2 EUR", *PRICED),
            "--max-cost is in EUR, but simulated is paid in USD: give the amount in that currency",
        ),
        (("--price-in", "1"), "--price-in and --price-out belong together: give both"),
        (
            (*PRICED, "--price-currency", "rupees"),
            "--price-currency: 'rupees' is no currency code such as USD",
        ),
    ],
)
def test_an_unclear_budget_is_refused(arguments: tuple[str, ...], says: str) -> None:
    """Before anything is sent."""
    done = forge(*RUN, *arguments)
    assert done.code == 2
    assert done.last == f"forge: error: {says}"


def test_the_free_baseline_needs_no_price() -> None:
    """It never costs anything."""
    done = forge("classify", str(EXAMPLES), "-o", "out.csv", "--max-cost", "0.01")
    assert done.code == 0


def test_named_prices_are_on_the_bill() -> None:
    """In the currency that was named."""
    done = forge(*RUN, *PRICED, "--price-currency", "inr")
    assert done.code == 0
    assert done.summary["cost"].endswith(" INR")
    assert {row["currency"] for row in read_csv(Path("out.csv"))} <= {"INR", ""}


def choosy(_number: int, body: Any) -> Reply:
    """Refuse every form of answers and a temperature, one after the other."""
    if form := body.get("response_format", {}).get("type"):
        return error(400, None, f"response_format {form}: no")
    return error(400, None, "no 'temperature'") if "temperature" in body else completion(GOOD)


def test_a_server_sees_no_more_requests_than_were_asked_for(isolated: Path) -> None:
    """Also one that wants to be asked in another way; most of them are answered."""
    tickets(isolated / "in.csv", *(f"ticket number {number}" for number in range(30)))
    with ScriptedServer(choosy) as server:
        where = ("--provider", "openai", "--base-url", server.url, "--model", "m")
        done = forge("classify", "in.csv", *where, "--max-requests", "8")
        assert len(server.requests) == 8
    assert (done.code, done.summary["requests"], done.summary["classified"]) == (6, "8", "5")
    assert "--max-requests 8 is used up" in done.last

"""Numbers and last lines in words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from inference_forge.app import InputResult
from inference_forge.cli.wording import (
    changes_in_words,
    cost_in_words,
    saved_rows,
    stop_line,
    summary_lines,
    tokens_in_words,
)
from inference_forge.core.savings import Savings, Spared
from inference_forge.core.wording import duration, money, unsettled
from inference_forge.engine.pipeline import RunCounts
from inference_forge.errors import ForgeError, InputError, Interrupted, OutputError, TryLater
from inference_forge.events import TicketFinished, TryFinished
from inference_forge.models import Complexity, Money, Spending, Usage
from inference_forge.observe.tally import Tally


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "0 ms"),
        (0.85, "850 ms"),
        (12.34, "12.3 s"),
        (245, "4 min 05 s"),
        (7800, "2 h 10 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    """The unit fits the size."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "0.00 USD"),
        ("1234.5", "1,234.50 USD"),
        ("0.5", "0.50 USD"),
        ("0.000123", "0.00012 USD"),
    ],
)
def test_money(amount: str, words: str) -> None:
    """Small amounts keep two significant digits."""
    assert money(Decimal(amount), "USD") == words


@pytest.mark.parametrize(
    ("stop", "line"),
    [
        (
            Interrupted(2, "SIGINT"),
            "stopped by SIGINT; 7 rows done, 3 read and pending; the same command resumes",
        ),
        (
            TryLater("out"),
            "stopped: out; 7 rows done, 3 read and pending; the same command resumes",
        ),
        (
            OutputError("full. Make room."),
            (
                "stopped: full. Make room; 7 rows done, 3 read and pending; when that is mended, "
                "the same command resumes"
            ),
        ),
        (
            InputError("torn", path="a.csv"),
            (
                "stopped: a.csv: torn; 7 rows done, 3 read and pending; when that is mended, the "
                "same command resumes"
            ),
        ),
    ],
)
def test_the_last_line_of_a_stop(stop: ForgeError, line: str) -> None:
    """Why, where the rows are, and what to do."""
    result = InputResult("in.csv", RunCounts(10, 7), Tally(lambda: 0.0), None, stop)
    assert stop_line(result, keeps_answers=True) == line


def bill(*costs: Money | None, is_estimate: bool = False) -> str:
    """Return the bill of tickets with these costs."""
    tally = Tally(lambda: 1.0)
    for cost in costs:
        usage = Usage(10, 5, is_estimate=is_estimate)
        tally.on_event(TryFinished(Complexity.SIMPLE, "ok", "ok", 0.1, 200, 0, 8))
        tally.on_event(TicketFinished(Complexity.SIMPLE, "ok", Spending(usage, cost, 1, 1)))
    return cost_in_words(tally)


def test_the_bill_is_honest() -> None:
    """Unknown is unknown and never 0; estimates and several currencies are marked."""
    rupees, dollars = Money(Decimal("2.50"), "INR"), Money(Decimal("0.01"), "USD")
    assert bill() == "0"
    assert bill(None) == "unknown (no price for this model)"
    assert bill(rupees, rupees) == "5.00 INR"
    assert bill(rupees, dollars) == "2.50 INR + 0.010 USD"
    assert bill(rupees, None) == "2.50 INR + unknown"
    assert bill(rupees, is_estimate=True) == "2.50 INR (estimate)"


def test_an_empty_run_has_a_summary() -> None:
    """No division by nothing."""
    tally = Tally(lambda: 0.0)
    lines = summary_lines(InputResult("in.csv", RunCounts(0, 0), tally, None, None))
    assert lines[0] == "rows        0"
    assert lines[-1] == "time        0 ms, 0 rows/s"


@pytest.mark.parametrize(
    ("first_token_s", "words"),
    [(None, "p50 2.0 s, p95 2.0 s"), (1.5, "p50 2.0 s, p95 2.0 s; to the first token p50 1.5 s")],
)
def test_the_first_token_is_in_the_summary_of_a_stream(
    first_token_s: float | None, words: str
) -> None:
    """Beside how long whole answers took."""
    tally = Tally(lambda: 0.0)
    tally.on_event(
        TryFinished(Complexity.SIMPLE, "ok", "ok", 2.0, 200, 1, 8, first_token_s=first_token_s)
    )
    lines = summary_lines(InputResult("in.csv", RunCounts(0, 0), tally, None, None))
    assert f"latency     {words}" in lines


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"cleaned": 9, "html": 8, "quotes": 5, "redacted": 3, "email": 2, "phone": 1, "cut": 1},
            "9 texts cleaned (html 8, quotes 5), 3 redacted (email 2, phone 1), 1 cut",
        ),
        ({"redacted": 1, "key": 2}, "1 text redacted (key 2)"),
        ({"cut": 1200}, "1,200 texts cut"),
    ],
)
def test_changes_of_texts(changes: dict[str, int], words: str) -> None:
    """What was done to how many, and to what."""
    assert changes_in_words(changes) == words


def test_tokens_that_nobody_reported_are_called_an_estimate() -> None:
    """As the cost is."""
    assert tokens_in_words(Usage(1000, 20)) == "1,020 (1,000 in)"
    assert tokens_in_words(Usage(1000, 20, is_estimate=True)) == (
        "1,020 (1,000 in, in part an estimate)"
    )


@pytest.mark.parametrize(
    ("tries", "words"),
    [
        (1, "1 request without an answer may be billed too: ~700 tokens in"),
        (3, "3 requests without an answer may be billed too: ~2,100 tokens in"),
    ],
)
def test_what_may_be_billed_is_told_beside_the_bill(tries: int, words: str) -> None:
    """Only where there is such a thing."""
    tally = Tally(lambda: 1.0)
    lost = TryFinished(
        Complexity.SIMPLE, "transient", "timeout", 1.0, None, 0, 8, unsettled_tokens=700
    )
    for _ in range(tries):
        tally.on_event(lost)
    assert unsettled(tally.unsettled, tally.unsettled_tokens) == words
    assert tally.usage == Usage()


def test_what_was_saved_fits_a_line() -> None:
    """Amounts of money go before tokens do, and what they are compared with goes first."""
    small, dollars = Spared(9), Money(Decimal("123.45"), "USD")
    large = Spared(1_234_567, dollars)
    assert saved_rows(Savings(small, Spared(), Spared())) == [
        ("saved", "cache ~9 tokens, against one call a row")
    ]
    assert saved_rows(Savings(large, Spared(), small)) == [
        ("saved", "cache ~1,234,567 tokens (~123.45 USD), packing ~9 tokens")
    ]
    assert saved_rows(Savings(large, Spared(9, dollars), Spared())) == [
        ("saved", "cache ~1,234,567, coalescing ~9 tokens (~246.90 USD)")
    ]
    assert saved_rows(Savings(large, large, large)) == [
        ("saved", "cache ~1,234,567, coalescing ~1,234,567, packing ~1,234,567 tokens")
    ]


def test_the_last_line_names_what_was_not_begun() -> None:
    """One input or several."""
    for number, words in ((1, "1 more input not begun"), (1_200, "1,200 more inputs not begun")):
        tally, stop = Tally(lambda: 0.0), TryLater("x")
        result = InputResult("in.csv", RunCounts(9, 7), tally, None, stop, not_begun=number)
        assert f"read and pending, {words}; the same" in stop_line(result, keeps_answers=True)

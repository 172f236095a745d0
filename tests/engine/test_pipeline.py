"""A whole run: every row once, in order, within the window and the limits."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from engine_rig import VALUES, Rig, by_text, entry, virtual_time
from fakes import (
    RECORD,
    Asked,
    InlineWorker,
    ListSource,
    Reply,
    ScriptedProvider,
    label,
    tickets,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from inference_forge.engine.window import Window
from inference_forge.errors import TransientError
from inference_forge.events import (
    BatchStarted,
    ColumnsRecognised,
    RowsRead,
    RowsResolved,
    Warned,
)
from inference_forge.models import (
    CellRecord,
    Complexity,
    Failure,
    RawRecord,
    RejectedRow,
    Row,
    Spending,
    Ticket,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


REJECTED = Failure("empty_text", "the ticket has no text")
KINDS = st.sampled_from(["plain", "plain", "duplicate", "rejected", "cached", "refused", "prose"])


def on_virtual_time(main: Callable[[], Awaitable[Any]]) -> None:
    """Run `main` on trio with a fresh clock."""
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


def is_free(spending: Spending) -> bool:
    """Tell whether nothing was spent."""
    nothing = spending.cost is None or not spending.cost.amount
    return nothing and (spending.usage, spending.tries, spending.attempts) == (Usage(), 0, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(KINDS, st.integers(0, 5)), max_size=60), st.booleans(), st.integers())
def test_every_row_resolves_exactly_once(
    kinds: list[tuple[str, int]], keep_order: bool, seed: int
) -> None:
    """Whatever the mix of rows, each comes out once, and nothing is asked twice."""
    rows: list[Row] = [
        RejectedRow(index, RECORD, REJECTED)
        if kind == "rejected"
        else Ticket(index, kind if kind == "duplicate" else f"{kind} {number}", RECORD)
        for index, (kind, number) in enumerate(kinds)
    ]
    # One success first, else a run of refusals only would rightly be stopped.
    rows.append(Ticket(len(rows), "plain at last", RECORD))
    chance = random.Random(seed)

    async def main() -> None:
        provider = ScriptedProvider(by_text, latency_s=lambda _: chance.uniform(0, 2))
        rig = Rig(
            rows,
            provider,
            keep_order=keep_order,
            source=ListSource(rows, block_rows=7),
            worker=InlineWorker(lambda: chance.uniform(0, 0.1)),
        )
        assert rig.cache is not None
        for number in range(6):
            key = rig.fingerprinter.of(f"cached {number}", "")
            rig.cache.entries[key] = entry(label(), VALUES)
        counts = await rig.run()
        assert rig.control.reason is None
        assert (counts.read, counts.written, counts.pending) == (len(rows), len(rows), 0)
        assert sorted(rig.indexes) == list(range(len(rows)))
        if keep_order:
            assert rig.indexes == sorted(rig.indexes)
        paid = [text for text in provider.texts if text.startswith(("plain", "dup", "cached"))]
        assert len(paid) == len(set(paid))
        assert not any(text.startswith("cached") for text in paid)
        for resolved in rig.written:
            if resolved.cache_hit:
                assert is_free(resolved.spending)
        resolved_events = rig.recorder.of(RowsResolved)
        assert sum(event.classified for event in resolved_events) == rig.classified
        assert sum(event.failed for event in resolved_events) == sum(rig.failures.values())

    on_virtual_time(main)


async def test_rows_come_out_in_input_order() -> None:
    """Later tickets that answer sooner wait for earlier ones."""
    provider = ScriptedProvider(latency_s=lambda asked: 0.02 if asked.text == "t0" else 0.0)
    rig = Rig(tickets(f"t{i}" for i in range(50)), provider)
    counts = await rig.run()
    assert rig.indexes == list(range(50))
    assert counts.pending == 0


@virtual_time
async def test_order_by_completion_waits_for_nobody() -> None:
    """The slow first ticket is written last."""
    provider = ScriptedProvider(latency_s=lambda asked: 30.0 if asked.text == "t0" else 1.0)
    rig = Rig(tickets(f"t{i}" for i in range(10)), provider, keep_order=False)
    await rig.run()
    assert rig.indexes[-1] == 0
    assert sorted(rig.indexes) == list(range(10))


async def test_an_empty_input_is_a_complete_run() -> None:
    """Nothing read, nothing asked, the columns told once."""
    rig = Rig([])
    counts = await rig.run()
    assert (counts.read, counts.written) == (0, 0)
    assert rig.recorder.of(ColumnsRecognised) == [ColumnsRecognised("text = Body")]
    assert rig.recorder.of(RowsRead) == [RowsRead(0, True, 0, 0)]


async def test_the_sources_warnings_are_passed_on() -> None:
    """What the source finds odd reaches the user."""
    rows = tickets(["a"])
    source = ListSource(rows, warnings=(Warned("title_only", "only titles"),))
    rig = Rig(rows, source=source)
    await rig.run()
    assert ("title_only", "only titles") in rig.warnings


@virtual_time
async def test_a_batch_does_not_wait_for_the_one_before() -> None:
    """One slow ticket holds up nobody else."""
    provider = ScriptedProvider(latency_s=lambda asked: 50.0 if asked.text == "t0" else 1.0)
    rig = Rig(tickets(f"t{i}" for i in range(200)), provider, keep_order=False)
    began = anyio.current_time()
    await rig.run()
    assert anyio.current_time() - began == pytest.approx(50, abs=1)
    assert max(provider.times_s) - began < 40


@virtual_time
async def test_complex_tickets_go_first() -> None:
    """What takes longest must not start last."""
    texts = [*["short one"] * 1, *("w " * 30 + str(i) for i in range(9)), "w " * 70]
    provider = ScriptedProvider(latency_s=1.0)
    rig = Rig(tickets(texts), provider, concurrency=1)
    await rig.run()
    assert [len(text) for text in provider.texts] == sorted(map(len, texts), reverse=True)
    assert [batch.complexity for batch in rig.recorder.of(BatchStarted)] == [
        Complexity.COMPLEX,
        Complexity.MEDIUM,
        Complexity.SIMPLE,
    ]


@pytest.mark.parametrize("concurrency", [1, 2, 7, 32])
@virtual_time
async def test_concurrency_never_exceeds_the_cap(concurrency: int) -> None:
    """The cap is reached and never passed."""
    provider = ScriptedProvider(latency_s=1.0)
    rig = Rig(tickets(f"t{i}" for i in range(400)), provider, concurrency=concurrency)
    await rig.run()
    assert provider.max_in_flight == concurrency


@virtual_time
async def test_a_full_window_stops_reading_and_cannot_deadlock() -> None:
    """One slow simple ticket first: the rest goes on until the window is full, then waits."""
    rows = tickets(["slow", *(f"t{i}" for i in range(3000))])
    source = ListSource(rows, block_rows=10)
    ahead: list[int] = []

    def respond(asked: Asked) -> Reply:
        if asked.at_s < 50:
            ahead.append(source.at)
        return label()

    provider = ScriptedProvider(respond, lambda asked: 50.0 if asked.text == "slow" else 0.1)
    rig = Rig(rows, provider, source=source, window=Window(max_rows=300))
    counts = await rig.run()
    assert counts.pending == 0
    assert 300 <= max(ahead) <= 310


@virtual_time
async def test_a_window_smaller_than_a_batch_moves() -> None:
    """Partial batches are cut when nothing more can come."""
    rows = tickets(f"t{i}" for i in range(50))
    rig = Rig(rows, source=ListSource(rows, block_rows=3), window=Window(max_rows=3))
    counts = await rig.run()
    assert counts.pending == 0
    assert max(batch.tickets for batch in rig.recorder.of(BatchStarted)) <= 6


@virtual_time
async def test_the_window_counts_the_columns_that_are_passed_through() -> None:
    """Wide rows with short texts must not fill the memory."""
    cells = CellRecord(("a", "b"), ("x" * 500, "y" * 490))
    rows: list[Row] = [Ticket(i, f"t{i:08}" + "z", cells) for i in range(99)]
    rows.append(RejectedRow(99, RawRecord("?" * 1000), REJECTED))
    source = ListSource(rows, block_rows=1)
    seen: list[int] = []

    def respond(asked: Asked) -> Reply:
        if asked.number == 0:
            return label()
        seen.append(source.at)
        return label()

    provider = ScriptedProvider(respond, latency_s=lambda asked: 5.0 if asked.number == 0 else 1.0)
    rig = Rig(rows, provider, source=source, window=Window(max_chars=10_000))
    counts = await rig.run()
    assert counts.pending == 0
    assert max(at - number for number, at in enumerate(seen, 1)) <= 12


@virtual_time
async def test_one_ticket_that_waits_long_holds_up_nobody() -> None:
    """A transient error with a wait of 120 s is that ticket's matter alone."""

    def respond(asked: Asked) -> Reply:
        if asked.text == "t5" and asked.at_s < 60:
            return TransientError("busy", code="server_error", status=500, wait_s=120)
        return label()

    provider = ScriptedProvider(respond, latency_s=0.5)
    rig = Rig(tickets(f"t{i}" for i in range(300)), provider, keep_order=False)
    await rig.run()
    others = [asked.at_s for asked in provider.asked if asked.text != "t5"]
    assert max(others) < 30
    t5 = [asked.at_s for asked in provider.asked if asked.text == "t5"]
    assert t5[1] - t5[0] >= 120
    assert rig.classified == 300


def test_a_window_tells_how_full_it_is() -> None:
    """Rows and characters fill it, whichever comes first."""
    window = Window(max_rows=3, max_chars=100)
    window.add(2, 50)
    assert (window.rows, window.is_full) == (2, False)
    window.add(0, 50)
    assert window.is_full
    window.remove(1, 99)
    window.add(2, 0)
    assert window.is_full

"""What the cache knows, what it is given, and what happens when it fails."""

from __future__ import annotations

import pytest
from engine_rig import NOW_UNIX_S, VALUES, Rig, by_text, entry, virtual_time
from fakes import (
    RECORD,
    USAGE,
    ListSource,
    MemoryCache,
    MemorySink,
    ScriptedProvider,
    label,
    tickets,
)

from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.parse import AnswerParser
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy
from inference_forge.engine.lookup import KnownTicket, Lookup
from inference_forge.errors import OutputError
from inference_forge.models import (
    Classification,
    Complexity,
    Finish,
    ModelAnswer,
    Ticket,
)


async def test_an_answer_is_committed_before_its_row_is_written() -> None:
    """The cache is the journal: a kill between both must find the answer there."""
    rig = Rig(tickets(f"t{i % 30}" for i in range(60)))
    await rig.run()
    committed: set[bytes] = set()
    written = 0
    for what, value in rig.journal:
        if what == "put":
            assert isinstance(value, frozenset)
            committed |= value
        else:
            assert isinstance(value, int)
            assert rig.fingerprinter.of(f"t{value % 30}", "") in committed
            written += 1
    assert written == 60


@virtual_time
async def test_answers_are_committed_in_groups() -> None:
    """Answers that come together go into one transaction, within 50 ms."""
    rig = Rig(tickets(f"t{i}" for i in range(64)), ScriptedProvider(latency_s=1.0))
    await rig.run()
    assert rig.cache is not None
    assert sum(rig.cache.puts) == 64
    assert len(rig.cache.puts) <= 6
    assert rig.written[0].outcome == Classification(
        {"category": "billing", "priority": "low", "summary": "s"}, "fake-1"
    )


async def test_a_cache_that_cannot_store_costs_a_warning_and_no_row() -> None:
    """The rows are written all the same."""
    cache = MemoryCache()
    cache.is_writable = False
    rig = Rig(tickets(f"t{i}" for i in range(5)), cache=cache)
    counts = await rig.run()
    assert (rig.classified, counts.pending) == (5, 0)
    assert {code for code, _ in rig.warnings} == {"cache_not_stored"}


async def test_a_cache_that_cannot_be_read_costs_a_warning_and_no_row() -> None:
    """Everything is asked for again."""
    cache = MemoryCache()
    cache.is_readable = False
    rig = Rig(tickets(f"t{i}" for i in range(5)), cache=cache)
    await rig.run()
    assert rig.classified == 5
    assert {code for code, _ in rig.warnings} == {"cache_unreadable"}


async def test_an_unusable_answer_is_kept_and_read_again_before_asking() -> None:
    """Prose is stored as unparsed; the next run reads it again and asks, in vain, anew."""
    cache = MemoryCache()
    first = Rig(tickets(["ok", "prose"]), ScriptedProvider(by_text), cache=cache)
    await first.run()
    key = first.fingerprinter.of("prose", "")
    assert (cache.entries[key].values, cache.entries[key].raw) == (None, "no idea")
    cache.entries[key] = entry(label("other"), None)
    second = Rig(tickets(["ok", "prose"]), ScriptedProvider(by_text), cache=cache)
    await second.run()
    assert second.provider.asked == []
    assert [resolved.cache_hit for resolved in second.written] == [True, True]


async def test_a_filtered_answer_is_not_kept() -> None:
    """Its entry would not say that it was filtered, and would pass for an answer."""
    answer = ModelAnswer(label(), "fake-1", USAGE, Finish.FILTER)
    cache = MemoryCache()
    for _ in range(2):
        rig = Rig(tickets(["t"]), ScriptedProvider(lambda _: answer), cache=cache)
        await rig.run()
        assert rig.failures == {"filtered": 1}
    assert cache.entries == {}


@pytest.mark.parametrize(
    "values",
    [
        {"category": "=cmd|x", "priority": "low", "summary": "s"},
        {"category": "billing", "priority": "low"},
        {},
    ],
)
async def test_cached_values_outside_the_taxonomy_are_no_hits(values: dict[str, str]) -> None:
    """No label gets out that the taxonomy does not know, not even from the cache."""
    rig = Rig(tickets(["t"]))
    assert rig.cache is not None
    rig.cache.entries[rig.fingerprinter.of("t", "")] = entry("prose", values)
    await rig.run()
    assert rig.provider.texts == ["t"]
    assert not rig.written[0].cache_hit


async def test_values_read_with_another_taxonomy_are_read_again() -> None:
    """`forge cache reparse` with the wrong taxonomy costs nothing: the raw answer is there."""
    rig = Rig(tickets(["t"]))
    assert rig.cache is not None
    rig.cache.entries[rig.fingerprinter.of("t", "")] = entry(label("other"), {"category": "shoes"})
    await rig.run()
    assert rig.provider.texts == []
    assert rig.written[0].cache_hit
    assert isinstance(rig.written[0].outcome, Classification)
    assert rig.written[0].outcome.values == VALUES


async def test_cached_values_come_in_the_taxonomys_order() -> None:
    """The fingerprint ignores the order of fields, so an entry may have another one."""
    rig = Rig(tickets(["t"]))
    assert rig.cache is not None
    stored = {"summary": "s", "extra": "x", "priority": "low", "category": "other"}
    rig.cache.entries[rig.fingerprinter.of("t", "")] = entry(label(), stored)
    await rig.run()
    outcome = rig.written[0].outcome
    assert isinstance(outcome, Classification)
    assert list(outcome.values.items()) == list(VALUES.items())


async def test_refresh_asks_again_for_what_is_older_than_the_run() -> None:
    """Answers from before `not_before` are no hits, those of this run are."""
    rows = tickets(["old", "old"])
    rig = Rig(rows, not_before=NOW_UNIX_S, source=ListSource(rows, block_rows=1))
    assert rig.cache is not None
    rig.cache.entries[rig.fingerprinter.of("old", "")] = entry(label(), VALUES, NOW_UNIX_S - 1)
    await rig.run()
    assert rig.provider.texts == ["old"]
    assert [resolved.cache_hit for resolved in rig.written] == [False, True]


@virtual_time
async def test_an_output_error_stops_the_run_and_answers_are_still_committed() -> None:
    """What was paid is in the cache; the disk is not tried again."""
    journal: list[tuple[str, object]] = []
    sink = MemorySink(journal=journal, full_after=10)
    rig = Rig(
        tickets(f"t{i}" for i in range(200)),
        ScriptedProvider(latency_s=lambda asked: 0.5 + asked.number % 7),
        sink=sink,
    )
    counts = await rig.run()
    assert isinstance(rig.control.reason, OutputError)
    assert sink.refused == 1
    assert counts.written == len(sink.rows) <= 10
    assert rig.cache is not None
    assert len(rig.cache.entries) == rig.provider.answered > counts.written
    assert rig.provider.cancelled == 0


async def test_a_stored_answer_that_is_still_unusable_is_asked_for() -> None:
    """Read again first, then asked."""
    rig = Rig(tickets(["t"]))
    assert rig.cache is not None
    rig.cache.entries[rig.fingerprinter.of("t", "")] = entry("prose", None)
    await rig.run()
    assert rig.provider.texts == ["t"]
    assert rig.classified == 1


def test_a_cached_boolean_must_be_one() -> None:
    """True or false, and nothing else, comes from the cache."""
    taxonomy = Taxonomy("t", (Field("urgent", FieldKind.BOOLEAN),))
    fingerprinter = Fingerprinter(taxonomy=taxonomy, model="m", generation={})
    cache = MemoryCache()
    lookup = Lookup(
        cache=cache,
        fingerprinter=fingerprinter,
        parser=AnswerParser(taxonomy),
        taxonomy=taxonomy,
        not_before=0.0,
        warn=lambda code, message: pytest.fail(f"{code}: {message}"),
    )
    for number, value in enumerate(["true", "false", "maybe"]):
        cache.entries[fingerprinter.of(f"t{number}", "")] = entry("", {"urgent": value})
    known = [item for item in lookup(tickets(["t0", "t1", "t2"])) if isinstance(item, KnownTicket)]
    assert [item.hit is not None for item in known] == [True, True, False]


def test_several_labels_are_a_hit_when_all_are_allowed() -> None:
    """In their order, and no more than a ticket can have; anything else is read again."""
    labels = (Label("a1"), Label("b1"), Label("c1"))
    taxonomy = Taxonomy("t", (Field("tags", FieldKind.ENUM, labels, max_labels=2),))
    fingerprinter = Fingerprinter(taxonomy=taxonomy, model="m", generation={})
    cache = MemoryCache()
    lookup = Lookup(
        cache=cache,
        fingerprinter=fingerprinter,
        parser=AnswerParser(taxonomy),
        taxonomy=taxonomy,
        not_before=0.0,
        warn=lambda code, message: pytest.fail(f"{code}: {message}"),
    )
    values = ["a1; c1", "b1", "c1; a1", "a1; b1; c1", "a1; x1", ""]
    for number, value in enumerate(values):
        cache.entries[fingerprinter.of(f"t{number}", "")] = entry("", {"tags": value})
    known = lookup(tickets([f"t{number}" for number in range(len(values))]))
    hits = [item.hit is not None for item in known if isinstance(item, KnownTicket)]
    assert hits == [True, True, False, False, False, False]


def test_context_does_not_count_for_complexity() -> None:
    """It is about how much the ticket says."""
    fingerprinter = Fingerprinter(taxonomy=BUILT_IN, model="m", generation={})
    lookup = Lookup(
        cache=MemoryCache(),
        fingerprinter=fingerprinter,
        parser=AnswerParser(BUILT_IN),
        taxonomy=BUILT_IN,
        not_before=0.0,
        warn=lambda code, message: pytest.fail(f"{code}: {message}"),
    )
    context = f"Product: {'word ' * 20}\n"
    text = context + "It is broken"
    (known,) = lookup([Ticket(0, text, RECORD, context_chars=len(context))])
    assert isinstance(known, KnownTicket)
    assert known.complexity is Complexity.SIMPLE
    assert known.key == fingerprinter.of(text, "")

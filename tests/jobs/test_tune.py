"""A tune against the simulated provider, on virtual time: the known answer comes out."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from fakes import InlineWorker, MemoryCache, Recorder, ScriptedProvider, label
from msgspec.structs import replace
from virtual_time import run_on_virtual_time

from inference_forge.app import Notices, Watcher
from inference_forge.app.answering import Answering, open_answering
from inference_forge.app.budget import open_budget
from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.packing.stored import StoredLine
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.core.tuning.comparison import closed_fields
from inference_forge.core.tuning.recommendation import Verdict
from inference_forge.engine.control import RunControl
from inference_forge.errors import Interrupted, LimitReached, ProviderRefused, TryLater
from inference_forge.jobs.memory import NoCache
from inference_forge.jobs.tune.as_json import as_json
from inference_forge.jobs.tune.forecast import forecast
from inference_forge.jobs.tune.memory import SinglesCache
from inference_forge.jobs.tune.passes import Pass, PassRunner
from inference_forge.jobs.tune.report import TuneReport, make_report
from inference_forge.jobs.tune.run import measure, plans_for
from inference_forge.jobs.tune.subject import Subject
from inference_forge.models import CacheEntry, JsonRecord, Ticket, Usage
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fakes import Asked, Reply

    from inference_forge.observe.tally import Tally

SIZES = (5, 10, 20, 50)
PRICES = {"price_in": 1.0, "price_out": 4.0}


@dataclass
class Tune:
    """A tune over made-up tickets; use once.

    Attributes:
        tickets: in the sample.
        flags: settings; `simulation` says how the model behaves.
        answering: who answers; None for the simulation.
        stop_after_s: when to interrupt it, as Ctrl-C would.
    """

    tickets: int = 200
    sizes: Sequence[int] = SIZES
    tolerance: float = 0.02
    flags: Mapping[str, Any] = field(default_factory=dict)
    answering: Answering | None = None
    cache: MemoryCache = field(default_factory=MemoryCache)
    stop_after_s: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Open the subject; nothing is sent."""
        loaded = load_settings({"provider": "simulated", **self.flags}, environ={})
        answering = self.answering or open_answering(loaded, BUILT_IN, {})
        self.recorder = Recorder()
        self.passes: list[Pass] = []
        self.subject = Subject(
            settings=loaded.settings,
            tickets=tuple(
                Ticket(n, f"printer {n} in room {n * 7} does not answer", JsonRecord(b"{}"))
                for n in range(self.tickets)
            ),
            rows=self.tickets,
            taxonomy=BUILT_IN,
            fields=closed_fields(BUILT_IN),
            answering=answering,
            budget=open_budget(loaded.settings, [answering]),
        )

    def report(self) -> TuneReport:
        """Run it without ever sleeping."""
        control = run_on_virtual_time(self._run)
        chance = random.Random(self.seed)
        return make_report(
            self.subject,
            self.passes,
            tolerance=self.tolerance,
            draw=lambda numbers, count: chance.choices(numbers, k=count),
            stop=control.reason,
        )

    async def _run(self) -> RunControl:
        control = RunControl()
        runner = PassRunner(
            self.subject, self.seed, InlineWorker(), control, Notices(), self._watch
        )
        async with anyio.create_task_group() as background:
            background.start_soon(self._interrupt, control)
            plans = plans_for(self.sizes, SinglesCache(self.cache), None)
            self.passes += await measure(runner, plans)
            background.cancel_scope.cancel()
        await self.subject.answering.provider.aclose()
        return control

    async def _interrupt(self, control: RunControl) -> None:
        if self.stop_after_s is not None:
            await anyio.sleep(self.stop_after_s)
            control.stop(Interrupted(2, "SIGINT"))

    def _watch(self, _name: str, _tally: Tally) -> Watcher:
        return Watcher(self.recorder, lambda: None, 3600.0)


def verdicts(report: TuneReport) -> dict[int, Verdict | None]:
    """Return what is said of each size."""
    return {row.size: row.verdict for row in report.rows[1:]}


def test_without_noise_the_largest_size_is_recommended() -> None:
    """And the saving is what it saves."""
    report = Tune(flags=PRICES).report()
    assert report.pack_size == 50
    assert report.flags == "--pack --pack-size 50"
    assert report.exit_code == 0
    single, *packs = report.rows
    assert (single.agreement, single.tickets, single.requests) == (1.0, 400, 400)
    assert [row.requests for row in packs] == [40, 20, 10, 4]
    tokens = [row.tokens_per_ticket or 0.0 for row in report.rows]
    assert tokens == sorted(tokens, reverse=True)
    cost = single.cost_per_thousand
    assert cost is not None
    assert cost.currency == "USD"
    assert Decimal("0.3") < cost.amount < Decimal("0.6")


def test_strong_noise_recommends_single_requests() -> None:
    """Two more wrong labels in a hundred for each neighbour; larger packs are worse."""
    report = Tune(flags={"simulation": "pack_noise=0.02"}).report()
    assert report.pack_size is None
    assert report.flags == ""
    assert report.exit_code == 0
    assert set(verdicts(report).values()) == {Verdict.WORSE}
    excess = [row.excess.estimate for row in report.rows[1:] if row.excess]
    assert excess == sorted(excess)
    assert excess[0] == pytest.approx(0.08, abs=0.05)


def test_noise_that_grows_stops_at_a_size() -> None:
    """Ten neighbours do next to nothing, fifty a lot."""
    report = Tune(800, (5, 50), flags={"simulation": "pack_noise=0.001"}).report()
    assert verdicts(report) == {5: Verdict.FINE, 50: Verdict.WORSE}
    assert report.pack_size == 5


def test_what_the_model_differs_from_itself_does_not_count_against_packs() -> None:
    """Five answers in a hundred are others each time, alone and in packs alike."""
    flags = {"simulation": "disagreement_rate=0.05"}
    report = Tune(2000, (5, 20), flags=flags).report()
    assert report.self_agreement == pytest.approx(0.9, abs=0.02)
    assert report.pack_size == 20
    assert all(abs(row.excess.estimate) < 0.015 for row in report.rows[1:] if row.excess)


def test_a_sample_that_is_too_small_says_so() -> None:
    """With a number that would do."""
    report = Tune(100, (10, 50), flags={"simulation": "disagreement_rate=0.05"}).report()
    assert set(verdicts(report).values()) == {Verdict.UNCLEAR}
    assert report.pack_size is None
    assert (report.rows[1].tickets_needed or 0) > 500
    assert (report.rows[2].tickets_needed or 0) >= 1000


def test_only_the_first_single_answers_meet_the_cache() -> None:
    """They serve a later run; asked a second time they come from it, all others are fresh."""
    cache = MemoryCache()
    first = Tune(40, (5, 20), cache=cache)
    first.report()
    kept = dict(cache.entries)
    assert len(kept) == 40
    assert not any(entry.raw.startswith('{"line"') for entry in kept.values())
    again = Tune(40, (5, 20), cache=cache, flags={"simulation": "disagreement_rate=1"})
    report = again.report()
    assert cache.entries == kept
    assert report.cached == 40
    assert [each.tally.cache_hits for each in again.passes] == [40, 0, 0, 0]
    assert [each.tally.tries for each in again.passes] == [0, 40, 8, 2]
    assert report.self_agreement == 0.0
    single = report.rows[0].tokens_per_ticket
    assert single == again.passes[1].tally.usage.total_tokens / 40


def test_answers_from_packs_are_no_single_answers_and_stay() -> None:
    """Otherwise packs would be compared with packs, or what was paid for be replaced."""
    cache = MemoryCache()
    tune = Tune(10, (5,), cache=cache)
    provider = tune.subject.answering.provider
    fingerprinter = Fingerprinter(
        taxonomy=BUILT_IN, model=provider.model, generation=provider.generation
    )
    key = fingerprinter.of(tune.subject.tickets[0].text, "")
    line = StoredLine("a b", {}).text()
    values = {"category": "other", "priority": "low", "summary": "from a pack"}
    entry = CacheEntry(line, values, "m", Usage(), 0.0)
    cache.entries[key] = entry
    report = tune.report()
    assert report.cached == 0
    assert tune.passes[0].tally.tries == 10
    assert cache.entries[key] == entry
    assert len(cache.entries) == 10


def test_a_stop_shows_what_was_measured_before() -> None:
    """The pass under way is finished in part; the rest is not begun."""
    flags = {"simulation": "latency=1", "concurrency": 8, "grace_s": 5.0}
    report = Tune(80, (5, 10), stop_after_s=20.5, flags=flags).report()
    assert report.exit_code == 130
    assert [row.size for row in report.rows] == [1, 5]
    assert report.rows[0].is_complete
    assert report.rows[1].verdict is Verdict.INCOMPLETE
    assert 0 < report.rows[1].tickets < 80
    early = Tune(80, stop_after_s=0.5, flags={**flags, "grace_s": 0.1}).report()
    assert early.rows[0].agreement is None
    assert not early.rows[0].is_complete
    assert early.pack_size is None
    assert as_json(early)["stopped"] == "stopped by SIGINT"


@pytest.mark.parametrize(
    ("flags", "error", "code"),
    [
        ({"simulation": "quota=10"}, ProviderRefused, 4),
        ({"simulation": "outage=0:2h", "outage_budget_s": 60.0}, TryLater, 75),
        ({"max_requests": 450}, LimitReached, 6),
    ],
)
def test_what_stops_a_run_stops_a_tune(
    flags: Mapping[str, Any], error: type[Exception], code: int
) -> None:
    """With the same exit codes; a budget holds for all passes together."""
    tune = Tune(flags=flags)
    report = tune.report()
    assert isinstance(report.stop, error)
    assert report.exit_code == code
    assert sum(each.tally.tries for each in tune.passes) <= 450


def test_time_is_what_the_limits_allow() -> None:
    """At sixty requests a minute a thousand single requests take a thousand seconds."""
    flags = {"simulation": "rpm=60,latency=0.2", "rpm": 60.0}
    single, packed = Tune(100, (20,), flags=flags).report().rows
    assert single.thousand_s == pytest.approx(1000, rel=0.05)
    assert packed.thousand_s == pytest.approx(50, rel=0.05)


def test_time_without_limits_follows_what_was_in_flight() -> None:
    """Latency, divided by the requests that were allowed at once."""
    flags = {"simulation": "latency=2", "concurrency": 4}
    single = Tune(40, (5,), flags=flags).report().rows[0]
    assert single.thousand_s == pytest.approx(1000 * 2 / 4, rel=0.01)


def test_a_model_that_cannot_pack_is_not_recommended_to() -> None:
    """Its tickets are asked alone in the end, and agree: that is no pack size."""

    def no_lines(asked: Asked) -> Reply:
        return label() if len(asked.request.texts) == 1 else "I cannot do that."

    answering = Answering("fake", ScriptedProvider(no_lines), lambda _: None)
    report = Tune(200, (20,), answering=answering).report()
    assert verdicts(report) == {20: Verdict.GIVEN_UP}
    assert report.pack_size is None
    assert report.cost is None


def test_tickets_that_fail_each_time_are_no_disagreement() -> None:
    """They are counted apart."""

    def refused(asked: Asked) -> Reply:
        return "no idea" if "printer 1 " in asked.text else label()

    answering = Answering("fake", ScriptedProvider(refused), lambda _: None)
    report = Tune(20, (2,), answering=answering).report()
    assert report.rows[0].failed == 2
    assert report.self_agreement == 1.0


def test_the_forecast_is_near_what_is_spent() -> None:
    """Requests to the number, tokens within a seventh, and cached answers are not asked for."""
    tune = Tune(flags=PRICES)
    before = forecast(tune.subject, SIZES, frozenset())
    report = tune.report()
    assert before.requests == sum(each.tally.tries for each in tune.passes)
    assert before.tokens == pytest.approx(report.spent_tokens, rel=0.15)
    assert before.cost is not None
    assert report.cost is not None
    assert float(before.cost.amount) == pytest.approx(float(report.cost.amount), rel=0.2)
    cached = forecast(tune.subject, SIZES, frozenset(range(50)))
    assert (cached.requests, cached.cached) == (before.requests - 50, 50)


def test_the_forecast_knows_limits() -> None:
    """Else its time is a guess, and without a price the cost is unknown."""
    guessed = forecast(Tune().subject, SIZES, frozenset())
    assert guessed.is_time_guessed
    assert guessed.cost is None
    slow = forecast(Tune(flags={"rpm": 60.0}).subject, SIZES, frozenset())
    assert slow.time_s == slow.requests
    assert not slow.is_time_guessed
    by_tokens = forecast(Tune(flags={"tpm": 6000.0}).subject, SIZES, frozenset())
    assert by_tokens.time_s == pytest.approx(by_tokens.tokens / 100)


def test_each_size_has_other_neighbours() -> None:
    """By the seed: what one composition spoils does not count for every size."""

    def mates(tune: Tune, place: int) -> set[frozenset[int]]:
        requests = tune.passes[place].requests
        return {
            frozenset(t for t, own in requests.items() if own == request)
            for request in requests.values()
        }

    tune, again, other = Tune(40, (5, 10)), Tune(40, (5, 10)), Tune(40, (5, 10), seed=1)
    for each in (tune, again, other):
        each.report()
    assert mates(tune, 2) == mates(again, 2)
    assert mates(tune, 2) != mates(other, 2)
    halves = mates(tune, 2)
    assert not any(one | two in mates(tune, 3) for one in halves for two in halves if one != two)


def test_nothing_is_kept_where_nothing_is_to_be_kept() -> None:
    """The cache of the passes that must be fresh."""
    cache = NoCache()
    cache.put_many({b"k": CacheEntry("r", None, "m", Usage(), 0.0)})
    assert cache.get_many([b"k"]) == {}
    cache.close()
    SinglesCache(cache).close()


def test_money_in_two_currencies_is_not_summed() -> None:
    """A part without a price makes the whole unknown."""
    tune = Tune(10, (5,), flags=PRICES)
    subject = tune.subject
    unpriced = replace(subject.answering, cost_of=lambda _: None)
    assert forecast(replace(subject, answering=unpriced), (5,), frozenset()).cost is None

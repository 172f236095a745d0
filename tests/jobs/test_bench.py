"""A bench against the simulated provider, on virtual time: the known answer comes out."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from fakes import Recorder
from msgspec.structs import replace
from virtual_time import run_on_virtual_time

from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.simulator import simulated_preset, simulated_transport
from inference_forge.app import Notices, Places, Watcher
from inference_forge.app.answering import Answering
from inference_forge.cli.bench_lines import report_lines
from inference_forge.core.bench.cells import Shape
from inference_forge.core.simulation.plan_text import plan_from_text
from inference_forge.core.tokens import estimate_tokens
from inference_forge.engine.control import RunControl
from inference_forge.errors import Interrupted, OutputError, SettingsError, UsageError
from inference_forge.events import TryFinished, Warned
from inference_forge.jobs.bench.comparing import compare_files
from inference_forge.jobs.bench.expected import expected
from inference_forge.jobs.bench.measuring import Bench
from inference_forge.jobs.bench.request import (
    BenchJob,
    BenchRequest,
    model_names,
    numbers,
    shapes,
)
from inference_forge.jobs.bench.run import Inline, report_of
from inference_forge.jobs.bench.subject import EMBEDDED, Subject, open_subject
from inference_forge.jobs.bench.tickets import is_right
from inference_forge.settings import Order, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.core.bench.cells import Measured
    from inference_forge.core.simulation.tally import Statistics
    from inference_forge.core.simulation.upstream import SimulatedUpstream
    from inference_forge.jobs.bench.report import BenchReport
    from inference_forge.observe.tally import Tally

PRICES = {"price_in": 1.0, "price_out": 4.0}


@dataclass
class Benched:
    """A bench without a command line; use once.

    Attributes:
        flags: settings; `simulation` says how the model behaves.
        stop_after_s: when to interrupt it, as Ctrl-C would.
        kept: reports after each repetition.
        headings: what was measured, in order.
    """

    request: BenchRequest
    flags: Mapping[str, Any] = field(default_factory=dict)
    stop_after_s: float | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the subject; nothing is sent."""
        self.kept: list[BenchReport] = []
        self.keep: Callable[[BenchReport], None] = self.kept.append
        self.headings: list[str] = []
        self.recorder = Recorder()
        self.upstream: SimulatedUpstream | None = None
        self.notices = Notices()
        self.job = BenchJob(
            request=self.request,
            loaded=load_settings(dict(self.flags), environ=self.environ),
            environ=self.environ,
            places=Places(Path(), Path(), Path()),
            stdin=None,
            watch=self._watch,
            approve=lambda _: None,
            keep=self.kept.append,
            notices=self.notices,
        )
        self.subject: Subject = open_subject(self.job)

    def report(self) -> BenchReport:
        """Run it without ever sleeping."""
        return run_on_virtual_time(self._run)

    def told(self, code: str) -> list[str]:
        """Return the notes and warnings with `code`."""
        self.notices.pass_on(self.recorder.on_event)
        return [each.message for each in self.recorder.of(Warned) if each.code == code]

    def watch_statistics(self) -> None:
        """Let one upstream answer that tells its statistics."""
        plan = plan_from_text(self.subject.settings.simulation or "")
        transport = simulated_transport(plan, anyio.current_time)
        self.upstream = transport.upstream
        provider = connect(
            simulated_preset(plan),
            api_key=None,
            max_connections=100,
            clock=lambda: 0.0,
            estimate_tokens=estimate_tokens,
            model=None,
            transport=transport,
            stream=self.subject.settings.stream,
        )
        answering = self.subject.first
        own = Answering(answering.name, provider, answering.cost_of, address=answering.address)
        self.subject = replace(self.subject, answering=dict.fromkeys(self.subject.answering, own))

    async def _run(self) -> BenchReport:
        control = RunControl()
        bench = Bench(
            self.subject,
            self.request,
            Inline(),
            Inline(),
            control,
            self.notices,
            self._watch,
            keep=lambda: self.keep(report_of(bench)),
        )
        async with anyio.create_task_group() as background:
            background.start_soon(self._interrupt, control)
            await bench.run()
            background.cancel_scope.cancel()
        for provider in self.subject.providers():
            await provider.aclose()
        return report_of(bench)

    async def _interrupt(self, control: RunControl) -> None:
        if self.stop_after_s is not None:
            await anyio.sleep(self.stop_after_s)
            control.stop(Interrupted(2, "SIGINT"))

    def _watch(self, name: str, _tally: Tally) -> Watcher:
        self.headings.append(name)
        return Watcher(self.recorder, lambda: None, 3600.0)


def only(report: BenchReport, shape: Shape = Shape.SWEEP) -> Measured:
    """Return the one cell there is."""
    (found,) = report.measured[shape]
    return found


def single(**more: Any) -> BenchRequest:
    """Return a request for one cell of single requests, ten in flight."""
    given: dict[str, Any] = {"batch_sizes": (1,), "concurrency": (10,), "repetitions": 2}
    return BenchRequest(**{**given, **more})


def steady(simulation: str, **more: Any) -> dict[str, Any]:
    """Return flags of a simulation."""
    return {"provider": "simulated", "simulation": simulation, **more}


def test_a_known_latency_gives_the_known_throughput() -> None:
    """A hundred tickets, ten at a time, a second each: ten seconds, ten a second."""
    found = only(Benched(single(), steady("latency=1s")).report())
    assert len(found.repetitions) == 2
    for name, value in {
        "duration_s": 10.0,
        "tickets_per_s": 10.0,
        "latency_p50_s": 1.0,
        "latency_p95_s": 1.0,
        "latency_p99_s": 1.0,
        "requests": 100,
        "failure_share": 0.0,
        "answered_share": 1.0,
        "outcome_p50_s": 5.5,
    }.items():
        assert found.values(name) == [pytest.approx(value, rel=0.02)] * 2
    speed = found.estimate("tickets_per_s")
    assert speed is not None
    assert [speed.low, speed.high] == pytest.approx([10.0, 10.0])


def test_all_slots_are_used_from_the_start() -> None:
    """A limit that had to grow first would be measured with everything else."""
    benched = Benched(single(concurrency=(50,)), steady("latency=1s"))
    assert only(benched.report()).values("duration_s") == [pytest.approx(2.0)] * 2
    tries = [event for event in benched.recorder.events if isinstance(event, TryFinished)]
    assert {event.limit for event in tries} == {50}


def test_packs_are_one_request_each() -> None:
    """Of the complexity that they are made of: 40, 40 and 20 tickets in packs of ten."""
    request = single(batch_sizes=(1, 10, 50), pack=None, repetitions=1)
    report = Benched(request, steady("latency=1s")).report()
    requests = {each.cell.name: each.values("requests") for each in report.measured[Shape.SWEEP]}
    assert requests == {
        "single": [100],
        "batches of 10": [100],
        "batches of 50": [100],
        "packs of 10": [10],
        "packs of 50": [3],
    }


def test_streaming_tells_the_first_token_and_the_pace_of_writing() -> None:
    """Half a second to the first word, which comes with some tokens, then ten milliseconds each."""
    request = single(shapes=(Shape.STREAM,), repetitions=1)
    report = Benched(request, steady("ttft=500ms,token-time=10ms")).report()
    at_once, streamed = report.measured[Shape.STREAM]
    assert at_once.values("first_token_p50_s") == []
    assert streamed.values("first_token_p50_s") == [pytest.approx(0.75)]
    rest_s = (streamed.mean("latency_mean_s") or 0) - 0.75
    written = (streamed.mean("tokens_per_ticket") or 0) - (
        streamed.mean("prompt_tokens_per_ticket") or 0
    )
    assert streamed.mean("writing_tokens_per_s") == pytest.approx(written / rest_s, rel=0.02)


@pytest.mark.parametrize(
    "simulation",
    [
        "latency=200ms,jitter=0.5,seed=3",
        "latency=100ms,error-rate=5%,seed=5",
        "latency=100ms,throttle-rate=5%,throttle-wait=1s,seed=7",
    ],
)
def test_the_figures_agree_with_the_simulators_own_statistics(simulation: str) -> None:
    """Requests, tokens, throttles and latencies, counted on either side."""
    benched = Benched(single(warmup=0, repetitions=1), steady(simulation))
    benched.watch_statistics()
    report = benched.report()
    assert benched.upstream is not None
    theirs: Statistics = benched.upstream.statistics()
    ours = only(report).repetitions[0]
    assert ours["requests"] == theirs.requests == report.spent.requests
    assert ours["throttled"] == theirs.throttled
    assert report.spent.prompt_tokens == theirs.prompt_tokens
    assert report.spent.completion_tokens == theirs.completion_tokens
    assert ours["tokens_per_ticket"] == pytest.approx(
        (theirs.prompt_tokens + theirs.completion_tokens) / 100
    )
    assert ours["answered_share"] == pytest.approx(theirs.by_status[200] / theirs.requests)
    if theirs.by_status == {200: 100}:  # errors come at once, and are no answers
        assert ours["latency_p50_s"] == pytest.approx(theirs.latency_p50_s, rel=0.02)
        assert ours["latency_p95_s"] == pytest.approx(theirs.latency_p95_s, rel=0.05)


def test_no_text_is_asked_about_twice() -> None:
    """In no cell and no repetition, warm-up included: no cache of anybody's can help."""
    benched = Benched(single(batch_sizes=(1, 10), repetitions=3), steady("latency=1s"))
    benched.watch_statistics()
    benched.report()
    assert benched.upstream is not None
    theirs = benched.upstream.statistics()
    assert theirs.repeated_requests == theirs.repeated_answers == 0


def test_the_warm_up_is_paid_for_and_not_counted() -> None:
    """As many tickets as may be in flight, or as many as wanted."""
    benched = Benched(single(), steady("latency=1s", **PRICES))
    report = benched.report()
    assert benched.headings[0] == "sweep, simulated, single: warm-up, not counted"
    assert benched.headings[1] == "sweep, simulated, single: repetition 1 of 2"
    assert report.spent.requests == 210
    assert only(report).values("requests") == [100, 100]
    assert report.setting.currency == "USD"
    assert Benched(single(warmup=3), steady("latency=1s")).report().spent.requests == 203


def test_repetitions_are_interleaved_in_changing_order() -> None:
    """What changes with the hour falls on all cells alike; the seed decides."""
    request = single(batch_sizes=(1, 10, 20, 40), pack=False, repetitions=3, tickets=4, warmup=0)
    benched = Benched(request, steady("latency=1s"))
    benched.report()
    rounds = [benched.headings[n : n + 4] for n in (0, 4, 8)]
    assert all(len({each.partition(":")[0] for each in done}) == 4 for done in rounds)
    assert len({tuple(each.partition(":")[0] for each in done) for done in rounds}) > 1


def test_a_ladder_ends_where_nothing_is_gained_and_finds_the_knee() -> None:
    """A server that bears eight requests at once."""
    request = BenchRequest(shapes=(Shape.LADDER,), repetitions=2)
    report = Benched(request, steady("latency=1s,max-concurrency=8")).report()
    climb = report.climbs()["simulated"]
    assert climb.knee == 8
    assert climb.top == "saturated: nothing is gained up to 32"
    assert [each.cell.concurrency for each in report.measured[Shape.LADDER]] == [1, 2, 4, 8, 16, 32]
    marks = report.marks()
    assert [cell.concurrency for cell, said in marks.items() if said == ["knee"]] == [8]


def test_a_ladder_breaks_where_requests_are_refused() -> None:
    """A bucket of forty requests is enough for the low rungs only."""
    request = BenchRequest(shapes=(Shape.LADDER,), repetitions=1, warmup=0)
    flags = steady("latency=1s,rpm=600,bucket=20,rate-headers=no")
    climb = Benched(request, flags).report().climbs()["simulated"]
    assert climb.broken_at is not None
    assert "of the requests are answered" in climb.top


def test_a_burst_waits_longer_before_a_small_queue() -> None:
    """Five rows at most between reading and writing keep half of ten slots empty."""
    request = single(shapes=(Shape.BURST,), queues=(5, 100), repetitions=1)
    narrow, wide = Benched(request, steady("latency=1s")).report().measured[Shape.BURST]
    assert narrow.values("duration_s") == [pytest.approx(20.0, rel=0.03)]
    assert wide.values("duration_s") == [pytest.approx(10.0)]
    assert narrow.values("outcome_p95_s") == [pytest.approx(19.0, abs=1.0)]
    assert (narrow.mean("most_queued") or 0) <= 5
    assert (wide.mean("most_queued") or 0) > 80


def test_longer_tickets_take_more_tokens() -> None:
    """Each length has tickets of that length."""
    request = single(shapes=(Shape.LENGTH,), words=(10, 400), repetitions=1)
    short, long = Benched(request, steady("latency=1s")).report().measured[Shape.LENGTH]
    grown = (long.mean("prompt_tokens_per_ticket") or 0) - (
        short.mean("prompt_tokens_per_ticket") or 0
    )
    assert 390 < grown < 900


def test_several_models_are_cells_of_their_own() -> None:
    """Each asked by its name."""
    report = Benched(single(models=("small", "large")), steady("latency=1s")).report()
    assert [each.cell.model for each in report.measured[Shape.SWEEP]] == ["small", "large"]


def test_an_interrupt_keeps_whole_repetitions() -> None:
    """The one under way is paid for, but not counted."""
    benched = Benched(single(repetitions=5), steady("latency=1s"), stop_after_s=25.5)
    report = benched.report()
    assert report.exit_code == 130
    assert len(only(report).repetitions) == 2
    assert 210 < report.spent.requests < 310
    assert len(benched.kept) == 2
    assert report.as_json()["stopped"]


def test_what_an_interrupt_left_out_is_told() -> None:
    """An optimum of some of the cells is one so far, and the others are named."""
    request = BenchRequest(
        batch_sizes=tuple(range(1, 12)), concurrency=(10,), pack=False, repetitions=2, warmup=0
    )
    report = Benched(request, steady("latency=1s"), stop_after_s=15).report()
    lines = report_lines(report, width=160, is_coloured=False)
    assert len(report.measured[Shape.SWEEP]) == 1
    assert any(line.startswith("optimum so far: ") for line in lines)
    (missing,) = [line for line in lines if line.startswith("not measured: ")]
    assert missing.count("batches of") + missing.count("single") == 8
    assert missing.endswith(", 2 more")
    assert lines[-2].endswith("no intervals")
    assert len(report.as_json()["missing"]) == 10


def test_uneven_repetitions_are_told() -> None:
    """Of an interrupted bench some cells are known better than others."""
    request = BenchRequest(batch_sizes=(1, 2), concurrency=(10,), pack=False, repetitions=2)
    report = Benched(replace(request, warmup=0), steady("latency=1s"), stop_after_s=35).report()
    lines = report_lines(report, width=160, is_coloured=False)
    assert sorted(len(each.repetitions) for each in report.measured[Shape.SWEEP]) == [1, 2]
    assert "REPS" in lines[2]
    assert not any(line.startswith("not measured: ") for line in lines)
    even = Benched(request, steady("latency=1s")).report()
    assert "REPS" not in report_lines(even, width=160, is_coloured=False)[2]


def test_a_ladder_that_was_stopped_is_not_said_to_hold() -> None:
    """It was only not climbed further."""
    request = single(shapes=(Shape.LADDER,), concurrency=(), repetitions=1)
    report = Benched(request, steady("latency=1s"), stop_after_s=40).report()
    lines = report_lines(report, width=160, is_coloured=False)
    assert any(line.endswith("; stopped before it broke") for line in lines)
    assert not report.missing


def test_a_stream_that_is_refused_is_told() -> None:
    """The row would look as if streaming made no difference."""
    benched = Benched(single(shapes=(Shape.STREAM,), repetitions=1), steady("latency=1s"))
    plain = next(each for (_, streams), each in benched.subject.answering.items() if not streams)
    benched.subject = replace(
        benched.subject, answering=dict.fromkeys(benched.subject.answering, plain)
    )
    lines = report_lines(benched.report(), width=160, is_coloured=False)
    assert lines[4].endswith("not streamed")
    assert "not streamed" not in lines[3]
    assert any(line.startswith("the provider does not stream: ") for line in lines)


def test_a_stop_before_the_first_repetition_leaves_nothing() -> None:
    """But a report that says so."""
    report = Benched(single(), steady("latency=1s"), stop_after_s=0.5).report()
    assert report.measured[Shape.SWEEP] == []
    assert report.as_json()["cells"] == []


def test_a_report_that_cannot_be_kept_ends_the_bench() -> None:
    """Rather than measuring on for nothing."""
    benched = Benched(single(repetitions=5), steady("latency=1s"))

    def refuse(_: BenchReport) -> None:
        raise OutputError("the disk is full")

    benched.keep = refuse
    report = benched.report()
    assert report.exit_code == 5
    assert len(only(report).repetitions) == 1


def test_a_refusal_ends_the_bench() -> None:
    """A key that nobody accepts is no cell's fault."""
    report = Benched(single(), steady("quota=120")).report()
    assert report.exit_code == 4
    assert len(only(report).repetitions) == 1


def test_a_budget_holds_for_the_whole_bench() -> None:
    """Not for each repetition."""
    report = Benched(single(), steady("latency=1s", max_requests=150)).report()
    assert report.exit_code == 6
    assert report.spent.requests == 150


def write_gold(path: Path) -> None:
    """Write 40 labelled tickets, the labels of half of them none that there is."""
    rows = ["id,text,category,priority"]
    rows += [
        f"{n},printer {n} in room {n * 7} does not answer,{'billing' if n % 2 else '?'},"
        for n in range(40)
    ]
    path.write_text("\n".join(rows), encoding="utf-8")


def test_gold_judges_the_answers(tmp_path: Path) -> None:
    """Its tickets are asked about, and what a right label costs is told."""
    write_gold(tmp_path / "gold.csv")
    request = single(gold=str(tmp_path / "gold.csv"))
    benched = Benched(request, steady("latency=1s", **PRICES))
    found = only(benched.report())
    assert found.values("requests") == [40, 40]
    accuracy = found.mean("accuracy")
    assert accuracy is not None
    assert 0 <= accuracy <= 0.5
    right = {text for text, labels in benched.subject.gold.items() if labels}
    assert len(right) == 40
    if accuracy:
        cost = found.mean("cost_per_ticket")
        assert found.mean("cost_per_correct") == pytest.approx((cost or 0) / accuracy)


def test_tickets_of_a_file_are_sampled(tmp_path: Path) -> None:
    """Different texts, as many as wanted; the gold's labels where there are any."""
    write_gold(tmp_path / "tickets.csv")
    request = single(file=str(tmp_path / "tickets.csv"), tickets=12)
    assert only(Benched(request, steady("latency=1s")).report()).values("requests") == [12, 12]


def test_unusable_gold_is_refused(tmp_path: Path) -> None:
    """Before anything is sent."""
    (tmp_path / "plain.csv").write_text("id,text\n1,printer on fire\n", encoding="utf-8")
    write_gold(tmp_path / "gold.csv")
    with pytest.raises(UsageError, match="no row has a label"):
        Benched(single(gold=str(tmp_path / "plain.csv")), steady(""))
    request = single(file=str(tmp_path / "plain.csv"), gold=str(tmp_path / "gold.csv"))
    with pytest.raises(UsageError, match="no ticket with a text to ask about that"):
        Benched(request, steady(""))


def test_gold_of_another_taxonomy_is_refused(tmp_path: Path) -> None:
    """Nothing could be right; where some labels are known, the others are told."""
    gold = tmp_path / "gold.csv"
    gold.write_text("text,category\na,card_arrival\nb,lost_card\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"in the taxonomy \(card_arrival, lost_card\): name"):
        Benched(single(gold=str(gold)), steady(""))
    known = Benched(single(), steady("")).subject.taxonomy.fields[0].label_names[0]
    strange = "".join(f"text {n},strange {n}\n" for n in range(6))
    gold.write_text(f"text,category\na,{known.upper()}\n{strange}", encoding="utf-8")
    benched = Benched(single(gold=str(gold)), steady(""))
    (told,) = benched.told("strange_gold")
    assert told.endswith("right: strange 0, strange 1, strange 2, strange 3, strange 4, ...")


def test_the_first_of_two_labels_of_a_text_counts(tmp_path: Path) -> None:
    """And it is told."""
    gold = tmp_path / "gold.csv"
    known = Benched(single(), steady("")).subject.taxonomy.fields[0].label_names
    gold.write_text(f"text,category\na,{known[0]}\na,{known[1]}\n", encoding="utf-8")
    benched = Benched(single(gold=str(gold)), steady(""))
    assert benched.subject.gold == {"a": {"category": known[0]}}
    assert benched.told("gold_twice") == [f"{gold}: texts with two labels; the first counts"]


def test_nobody_named_is_the_simulation() -> None:
    """The embedded classifier sends no requests; named, it is refused."""
    benched = Benched(single())
    assert benched.subject.settings.simulation == EMBEDDED
    assert not benched.subject.is_real
    with pytest.raises(SettingsError, match="nothing to measure about the built-in baseline"):
        Benched(single(), {"provider": "local"})
    real = Benched(
        single(models=("x",)), {"provider": "openai"}, environ={"OPENAI_API_KEY": "sk-x"}
    )
    assert real.subject.is_real


def test_the_expected_cost_is_about_what_it_costs() -> None:
    """Requests exactly, tokens within a fifth."""
    request = single(batch_sizes=(1, 10))
    benched = Benched(request, steady("latency=1s", **PRICES))
    before = expected(benched.subject, request)
    report = benched.report()
    assert (before.cells, before.repetitions, before.tickets) == (3, 2, 630)
    assert before.requests == pytest.approx(report.spent.requests, rel=0.02)
    tokens = report.spent.prompt_tokens + report.spent.completion_tokens
    assert before.tokens == pytest.approx(tokens, rel=0.2)
    assert before.costs is not None
    paid = report.spent.cost["USD"]
    assert float(before.costs[0].amount) == pytest.approx(float(paid), rel=0.25)
    unknown = Benched(request, steady("latency=1s", rpm=60))
    assert expected(unknown.subject, request).costs is None
    assert expected(unknown.subject, request).time_s == pytest.approx(before.requests)


def test_a_report_goes_into_json_and_csv() -> None:
    """With the same figures in both."""
    report = Benched(single(batch_sizes=(1, 10)), steady("latency=1s", **PRICES)).report()
    data = json.loads(json.dumps(report.as_json()))
    rows = list(csv.DictReader(io.StringIO(report.as_csv())))
    assert [row["shape"] for row in rows] == ["sweep"] * 3
    assert [cell["name"] for cell in data["cells"]] == ["single", "batches of 10", "packs of 10"]
    for row, cell in zip(rows, data["cells"], strict=True):
        assert row["is_packed"] == ("yes" if cell["is_packed"] else "no")
        assert row["marks"] == " ".join(cell["marks"])
        for name, figure in cell["figures"].items():
            if figure is None:
                assert row[name] == row[f"{name}_low"] == ""
            else:
                assert float(row[name]) == pytest.approx(figure["mean"])
    assert Counter(mark for cell in data["cells"] for mark in cell["marks"])["optimum"] == 1


def saved(path: Path, simulation: str, **more: Any) -> str:
    """Measure, write the report, and return its name."""
    report = Benched(single(**more), steady(simulation)).report()
    path.write_text(json.dumps(report.as_json()), encoding="utf-8")
    return str(path)


def test_a_comparison_tells_what_is_no_chance(tmp_path: Path) -> None:
    """Twice the latency is worse; what is the same is neither."""
    before = saved(tmp_path / "a.json", "latency=1s", batch_sizes=(1, 10))
    after = saved(tmp_path / "b.json", "latency=2s", batch_sizes=(1, 20), models=("other",))
    found = compare_files(before, after)
    (cell,) = found.cells
    assert (cell.model_before, cell.cell.model, cell.cell.name) == ("simulated", "other", "single")
    changes = {change.name: change for change in cell.changes}
    speed = changes["tickets_per_s"]
    assert [speed.before, speed.after] == pytest.approx([10.0, 5.0])
    assert speed.is_better is False
    assert changes["latency_p50_s"].is_better is False
    assert changes["requests"].is_better is None
    assert len(found.only_before) == len(found.only_after) == 2
    back = {c.name: c for c in compare_files(after, before).cells[0].changes}
    assert back["tickets_per_s"].is_better is True


def test_a_file_too_large_for_a_report_is_not_read(tmp_path: Path) -> None:
    """Somebody named the wrong one."""
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(50_000_001)
    with pytest.raises(UsageError, match="too large for the report"):
        compare_files(str(large), str(large))


def test_a_comparison_tells_what_was_not_alike(tmp_path: Path) -> None:
    """Another simulation, other tickets: the figures may differ for that."""
    names = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for name, latency, tickets in zip(names, ("1s", "2s"), (10, 20), strict=True):
        request = single(repetitions=1, tickets=tickets)
        report = Benched(request, steady(f"latency={latency}")).report()
        Path(name).write_text(json.dumps(report.as_json()), encoding="utf-8")
    found = compare_files(*names)
    assert [(each.name, each.before, each.after) for each in found.circumstances] == [
        ("simulation", "latency=1s", "latency=2s"),
        ("tickets", 10, 20),
    ]
    assert compare_files(names[0], names[0]).circumstances == ()


def test_only_reports_with_something_in_common_are_compared(tmp_path: Path) -> None:
    """Anything else is told by name."""
    one = saved(tmp_path / "a.json", "latency=1s")
    other = saved(tmp_path / "b.json", "latency=1s", concurrency=(20,))
    with pytest.raises(UsageError, match="no cell in common"):
        compare_files(one, other)
    (tmp_path / "c.json").write_text('{"format": "forge-bench/2", "cells": []}', encoding="utf-8")
    with pytest.raises(UsageError, match="is no report of forge bench"):
        compare_files(one, str(tmp_path / "c.json"))
    with pytest.raises(UsageError, match="cannot be read"):
        compare_files(one, str(tmp_path / "missing.json"))


@pytest.mark.parametrize("text", ["", "1,", "a", "0", "11", "1,x", "-1", "1.5", "9" * 20])
def test_numbers_out_of_range_are_refused(text: str) -> None:
    """By the flag's name."""
    with pytest.raises(SettingsError, match="--batch-sizes"):
        numbers(text, "--batch-sizes", 1, 10)


def test_lists_are_read() -> None:
    """Numbers ascending and once, names and shapes as given."""
    assert numbers("10, 1,10", "--x", 1, 10) == (1, 10)
    assert model_names("b, a,b") == ("b", "a")
    assert shapes("ladder,SWEEP,ladder") == (Shape.LADDER, Shape.SWEEP)
    assert shapes("burst,all") == tuple(Shape)
    with pytest.raises(SettingsError, match="lacks a name"):
        model_names("a,,b")
    with pytest.raises(SettingsError, match="none of sweep"):
        shapes("staircase")


def test_what_does_not_go_together_is_refused() -> None:
    """Packs larger than a request bears, own tickets for lengths that are made up, `-` twice."""
    with pytest.raises(SettingsError, match="too many for one request"):
        BenchRequest(batch_sizes=(1_000,), pack=True)
    with pytest.raises(SettingsError, match="makes up its own"):
        BenchRequest(gold="gold.csv", shapes=(Shape.LENGTH,))
    with pytest.raises(SettingsError, match="so --tickets FILE does not go with it"):
        BenchRequest(file="tickets.csv", shapes=tuple(Shape))
    with pytest.raises(SettingsError, match="can be read only once"):
        BenchRequest(file="-", gold="-")


def test_large_batches_are_not_packed_unasked() -> None:
    """Without --pack, a size that no request bears is measured in single requests."""
    request = single(batch_sizes=(1_000,), tickets=5, repetitions=1)
    measured = Benched(request, steady("")).report().measured[Shape.SWEEP]
    assert [each.cell.name for each in measured] == ["batches of 1000"]


def write_tickets(path: Path, count: int) -> None:
    """Write so many different tickets, all of them simple."""
    rows = ["id,text", *(f"{n},printer {n} in room {n * 7} does not answer" for n in range(count))]
    path.write_text("\n".join(rows), encoding="utf-8")


def test_a_ladder_has_tickets_for_each_rung(tmp_path: Path) -> None:
    """Four for each request in flight, of a file too, whatever the sample of other shapes."""
    write_tickets(tmp_path / "tickets.csv", 200)
    request = single(
        file=str(tmp_path / "tickets.csv"),
        tickets=20,
        shapes=(Shape.SWEEP, Shape.LADDER),
        concurrency=(2, 40),
        repetitions=1,
    )
    report = Benched(request, steady("latency=1s")).report()
    rungs = report.measured[Shape.LADDER]
    assert [each.values("requests") for each in rungs] == [[10], [160]]
    assert [each.values("requests") for each in report.measured[Shape.SWEEP]] == [[20], [20]]


def test_cells_of_a_file_have_the_same_tickets(tmp_path: Path) -> None:
    """In another order; none is measured with easier ones, however many the file has."""
    write_tickets(tmp_path / "tickets.csv", 200)
    request = single(
        file=str(tmp_path / "tickets.csv"),
        tickets=20,
        shapes=(Shape.SWEEP, Shape.LADDER),
        batch_sizes=(1, 10),
        pack=False,
        concurrency=(40,),
    )
    subject = Benched(request, steady("")).subject
    orders = [
        [ticket.text for ticket in subject.supply.tickets(cell, repetition, 20)]
        for cell in subject.cells[Shape.SWEEP]
        for repetition in (1, 2)
    ]
    assert len({frozenset(order) for order in orders}) == 1
    assert len({tuple(order) for order in orders}) == 4


def test_a_ladder_ends_where_the_tickets_do(tmp_path: Path) -> None:
    """A rung with fewer tickets than requests in flight would be another rung."""
    path = tmp_path / "tickets.csv"
    write_tickets(path, 9)
    request = single(file=str(path), shapes=(Shape.LADDER,), concurrency=(), repetitions=1)
    benched = Benched(request, steady("latency=1s"))
    assert [cell.concurrency for cell in benched.subject.cells[Shape.LADDER]] == [1, 2, 4, 8]
    assert benched.told("short_ladder") == [
        f"{path}: has 9 different tickets, so the ladder ends at 8 in flight"
    ]
    assert benched.report().setting.tickets == 9
    with pytest.raises(UsageError, match="9 different tickets are too few for a ladder that"):
        Benched(single(file=str(path), shapes=(Shape.LADDER,)), steady(""))


def test_too_few_tickets_for_a_cell_are_told() -> None:
    """Else `packs of 50` would be packs of 40, and 32 in flight 20."""
    benched = Benched(BenchRequest(tickets=100, batch_sizes=(40, 50), concurrency=(100,)))
    assert benched.told("few_in_flight") == []
    assert benched.told("small_packs 40") == []
    (told,) = benched.told("small_packs 50")
    assert told.startswith("packs of 50 hold 40 tickets at most: a repetition has no more of one")
    assert Benched(single(concurrency=(101,))).told("few_in_flight") == [
        "a repetition has 100 tickets, so there are never more in flight"
    ]
    ladder = single(concurrency=(1,), shapes=(Shape.LADDER,), batch_sizes=(50,), pack=True)
    assert Benched(ladder).told("small_packs 50") == []


@pytest.mark.parametrize("text", ["9" * 5_000, "\N{ARABIC-INDIC DIGIT THREE}"])
def test_numbers_that_no_cell_shows_so_are_refused(text: str) -> None:
    """Longer than Python reads, or of other digits."""
    with pytest.raises(SettingsError, match="does not fit"):
        numbers(text, "--reps", 1, 10**9)


def test_what_a_bench_decides_is_not_taken_from_the_settings() -> None:
    """Answers are not held back for their order, and no cell is packed but those that say so."""
    wanted = {"pack": True, "order": "input", "publish_partial": True, "output": "x.csv"}
    settings = Benched(single(), {**steady(""), **wanted}).subject.settings
    assert settings.order is Order.COMPLETION
    assert not settings.pack
    assert not settings.publish_partial
    assert (settings.output, settings.failures, settings.sample) == (None, None, None)


def test_the_fallback_is_not_asked() -> None:
    """Figures of two models would be mixed."""
    told = Benched(single(), steady("", fallback_model="other")).told("no_fallback")
    assert told == ["the fallback is not asked: one model a cell"]
    assert Benched(single(), steady("")).told("no_fallback") == []


def test_nothing_is_begun_after_a_stop() -> None:
    """Neither a warm-up nor a repetition."""
    request = BenchRequest(batch_sizes=(1, 2), concurrency=(10,), pack=False, repetitions=3)
    in_warmup = Benched(request, steady("latency=10s"), stop_after_s=1)
    in_warmup.report()
    assert len(in_warmup.headings) == 1
    later = Benched(replace(request, warmup=0), steady("latency=10s"), stop_after_s=101)
    later.report()
    assert len(later.headings) == 2
    assert not any("warm-up" in heading for heading in later.headings)


def test_the_warm_up_is_no_longer_than_a_repetition() -> None:
    """Five tickets are not preceded by thirty-two."""
    request = single(concurrency=(32,), tickets=5, repetitions=1)
    benched = Benched(request, steady("latency=1s"))
    assert benched.report().spent.requests == 10
    assert expected(benched.subject, request).requests == 10


def test_latencies_are_of_answers() -> None:
    """An error that came late is no answer that came late."""
    request = single(repetitions=1, concurrency=(5,), tickets=40)
    benched = Benched(request, steady("latency=1s,error-rate=20%,error-latency=9s,seed=1"))
    found = only(benched.report())
    assert (found.mean("retries") or 0) > 2
    assert found.mean("latency_p99_s") == pytest.approx(1)


def test_the_expected_time_is_that_of_the_narrowest_limit() -> None:
    """Tokens, an interval between requests, or the longest of requests that are all in flight."""
    request = single(repetitions=1, warmup=0, tickets=10)
    limits: tuple[dict[str, Any], ...] = ({"tpm": 60}, {"min_interval_ms": 60_000.0}, {})
    tokens, interval, free = (
        expected(Benched(request, steady("", **limit)).subject, request) for limit in limits
    )
    assert tokens.time_s == pytest.approx(tokens.tokens)
    assert interval.time_s == pytest.approx(600)
    assert not tokens.is_time_guessed
    assert free.is_time_guessed
    wide = replace(request, concurrency=(1_000,))
    assert expected(Benched(wide, steady("")).subject, wide).time_s > 1


def test_a_failure_has_no_label_right() -> None:
    """Not even where the answer would have been blank."""
    assert not is_right(None, {})
    assert is_right({"category": "Billing "}, {"category": "billing"})


def test_blank_labels_are_none(tmp_path: Path) -> None:
    """A ticket whose labels are all blank is not judged."""
    gold = tmp_path / "gold.csv"
    gold.write_text("text,category,priority\na, ,\nb,billing, \n", encoding="utf-8")
    assert Benched(single(gold=str(gold)), steady("")).subject.gold == {
        "b": {"category": "billing"}
    }


def test_cells_are_matched_by_model_and_only_if_measured(tmp_path: Path) -> None:
    """Where a report has several models; a cell without a repetition has nothing to compare."""
    report = Benched(single(models=("a", "b"), repetitions=1), steady("latency=1s")).report()
    data = report.as_json()
    (tmp_path / "a.json").write_text(json.dumps(data), encoding="utf-8")
    found = compare_files(str(tmp_path / "a.json"), str(tmp_path / "a.json"))
    assert [(each.model_before, each.cell.model) for each in found.cells] == [
        ("a", "a"),
        ("b", "b"),
    ]
    data["cells"][1]["repetitions"] = []
    (tmp_path / "b.json").write_text(json.dumps(data), encoding="utf-8")
    found = compare_files(str(tmp_path / "b.json"), str(tmp_path / "b.json"))
    assert [each.cell.model for each in found.cells] == ["a"]

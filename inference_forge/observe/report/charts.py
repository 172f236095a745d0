"""The charts of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.charts.bars import Bar, bar_chart, parts_chart
from inference_forge.core.charts.frame import count_axis, latency_axis
from inference_forge.core.charts.over_time import Lane, Series, Span, lane_chart, time_chart
from inference_forge.core.wording import duration, unsettled
from inference_forge.observe.report.totals import LEVERS, amounts_in_words, cost_in_words
from inference_forge.observe.report.waits import BREAKER, THROTTLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.core.charts.markup import Node
    from inference_forge.core.charts.over_time import Point
    from inference_forge.observe.report.course import Moment
    from inference_forge.observe.report.gathering import Gathering

MAX_BARS: Final = 14
_STATE_COLOURS: Final = {
    "open": "red",
    "out": "red",
    "half_open": "amber",
    "paused": "purple",
    "waiting": "sky",
}
_MEANINGS: Final = (
    ("red", "open or out: nothing is sent"),
    ("amber", "half-open: one probe"),
    ("purple", "the provider asked to wait"),
    ("sky", "starting"),
)
_CODE_COLOURS: Final = {"low": "green", "medium": "sky", "high": "amber", "critical": "red"}


class Chart(Struct, frozen=True):
    """A chart.

    Attributes:
        name: of its file, without an ending.
        title: above it.
        drawing: the chart.
        note: beneath it; empty for none.
    """

    name: str
    title: str
    drawing: Node
    note: str = ""


def charts_of(run: Gathering) -> list[Chart]:
    """Return the charts that there is something to show in."""
    makers: tuple[Callable[[Gathering], list[Chart]], ...] = (
        _outcome,
        _labels,
        _latency,
        _throughput,
        _under_way,
        _waits,
        _levers,
        _failures,
    )
    return [chart for make in makers for chart in make(run)]


def _outcome(run: Gathering) -> list[Chart]:
    totals = run.totals
    parts = (
        ("classified by a call", totals.called, "blue"),
        ("from the cache", totals.cache_hits, "green"),
        ("shared a call", totals.coalesced, "sky"),
        ("failed", totals.failed, "red"),
        ("pending", totals.pending, "grey"),
    )
    bars = [Bar(name, value, f"{value:,}", colour) for name, value, colour in parts]
    if not any(bar.value for bar in bars):
        return []
    label = "Rows by outcome: " + ", ".join(f"{bar.words} {bar.name}" for bar in bars if bar.value)
    return [Chart("outcome", "Outcome", parts_chart(label, bars))]


def _labels(run: Gathering) -> list[Chart]:
    labels = run.totals.labels
    names = [name for name in run.fields if name in labels]
    names += [name for name in labels if name not in run.fields]
    found = []
    for number, name in enumerate(names, start=1):
        bars = _bars(labels[name], _CODE_COLOURS)
        if bars:
            label = f"Rows by {name}: " + ", ".join(f"{bar.name} {bar.words}" for bar in bars)
            note = "" if run.has_ended else "Of rows that needed a call: the run left no end."
            title = name.replace("_", " ").capitalize()
            found.append(Chart(f"labels-{number}", title, bar_chart(label, bars), note))
    return found


def _bars(counts: dict[str, int], colours: dict[str, str], plain: str = "blue") -> list[Bar]:
    """Return a bar for each count, the largest first; those beyond `MAX_BARS` together."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    if ordered and all(name in colours for name in counts):
        ordered = [(name, counts[name]) for name in reversed(colours) if name in counts]
    total = sum(counts.values()) or 1
    rest = sum(value for _, value in ordered[MAX_BARS:])
    shown = [(name, value, colours.get(name, plain)) for name, value in ordered[:MAX_BARS]]
    shown += [(f"{len(ordered) - MAX_BARS} others", rest, "grey")] if rest else []
    return [
        Bar(name, value, f"{value:,} ({value / total:.0%})", colour)
        for name, value, colour in shown
    ]


def _latency(run: Gathering) -> list[Chart]:
    overall, dots = run.course.overall_s, run.course.latencies
    low, high = overall.quantile(0.0), overall.quantile(1.0)
    if low is None or high is None:
        return []
    series = [
        Series("single requests", "grey", dots.points, "dots"),
        Series("p50", "blue", _points(run, lambda moment: moment.latency_s.quantile(0.5))),
        Series("p95", "amber", _points(run, lambda moment: moment.latency_s.quantile(0.95))),
    ]
    p50, p95 = overall.quantile(0.5) or 0.0, overall.quantile(0.95) or 0.0
    label = f"Latency of answers over time: p50 {duration(p50)}, p95 {duration(p95)} in all"
    note = "On a logarithmic scale."
    if dots.stride > 1:
        note += f" Of the single requests every {_ordinal(dots.stride)} is shown."
    drawing = time_chart(label, series, latency_axis(max(low, 1e-6), max(high, 2e-6)), run.until_s)
    return [Chart("latency", "Latency of answers", drawing, note)]


def _ordinal(number: int) -> str:
    return {2: "second"}.get(number, f"{number:,}th")


def _points(run: Gathering, value: Callable[[Moment], float | None]) -> list[Point]:
    """Return values at the middle of each stretch."""
    half_s = run.course.moments.width_s / 2
    return [
        (min(start_s + half_s, run.until_s), value(moment))
        for start_s, moment in run.course.moments
    ]


def _per_second(run: Gathering, value: Callable[[Moment], int]) -> list[Point]:
    """Return rates from the start of each stretch on; the last one may be a short one."""
    width_s = run.course.moments.width_s
    return [
        (start_s, value(moment) / max(min(width_s, run.until_s - start_s), width_s / 4))
        for start_s, moment in run.course.moments
    ]


def _throughput(run: Gathering) -> list[Chart]:
    if not run.course.requests:
        return _rows_a_second(run)
    areas = [
        ("answered", "blue", _per_second(run, lambda moment: moment.answered)),
        ("throttled", "amber", _per_second(run, lambda moment: moment.throttled)),
        ("failed", "red", _per_second(run, lambda moment: moment.broken)),
    ]
    shown = [
        Series(name, colour, points, "area")
        for name, colour, points in areas
        if any(value for _, value in points)
    ]
    peak = max(sum(p[1] or 0.0 for p in each) for each in zip(*(a[2] for a in areas), strict=True))
    limits = _held(run, lambda moment: moment.rate_limit_per_s)
    known = [value for _, value in limits if value is not None]
    note = ""
    if known:
        shown.append(Series("the provider's limit", "purple", limits, "step"))
        if max(known) > 2.5 * peak:
            note = f"The limit, {max(known):,.0f} a second at most, is beyond the top."
    label = f"Requests a second over time, {peak:,.1f} at most"
    axis = count_axis(max(peak, min(max(known, default=0.0), 2.5 * peak)))
    drawing = time_chart(label, shown, axis, run.until_s)
    return [Chart("throughput", "Requests a second", drawing, note)]


def _rows_a_second(run: Gathering) -> list[Chart]:
    points = _per_second(run, lambda moment: moment.rows)
    peak = max((value or 0.0 for _, value in points), default=0.0)
    if not peak:
        return []
    drawing = time_chart(
        f"Rows a second over time, {peak:,.0f} at most",
        [Series("rows with an outcome", "blue", points, "area")],
        count_axis(peak),
        run.until_s,
    )
    return [Chart("throughput", "Rows a second", drawing)]


def _held(run: Gathering, value: Callable[[Moment], float | None]) -> list[Point]:
    """Return values that hold until another is seen, and until the end."""
    found: list[Point] = []
    last: float | None = None
    for start_s, moment in run.course.moments:
        seen = value(moment)
        last = last if seen is None else seen
        found.append((start_s, last))
    return [*found, (run.until_s, last)]


def _under_way(run: Gathering) -> list[Chart]:
    if not run.course.has_limits or not run.course.requests:
        return []
    most = [(start_s, float(moment.in_flight)) for start_s, moment in run.course.moments]
    limits = _held(run, lambda moment: moment.limit)
    peak = max(value for _, value in most)
    top = max([peak, *(value for _, value in limits if value is not None)])
    drawing = time_chart(
        f"Requests under way at once, {peak:,.0f} at most, and the limit of forge",
        [
            Series("under way at most", "sky", most, "area"),
            Series("limit", "purple", limits, "step"),
        ],
        count_axis(top),
        run.until_s,
    )
    return [Chart("under-way", "Requests under way", drawing)]


def _waits(run: Gathering) -> list[Chart]:
    names = {BREAKER: "breaker", THROTTLE: "throttle"}
    lanes = run.waits.lanes
    if not any(lanes.values()):
        return []
    shown = [
        Lane(
            names.get(name, name),
            [
                Span(wait.start_s, wait.end_s, _STATE_COLOURS.get(wait.state, "grey"), wait.words)
                for wait in waits
            ],
        )
        for name, waits in lanes.items()
    ]
    seen = {span.colour for lane in shown for span in lane.spans}
    colours = [(colour, words) for colour, words in _MEANINGS if colour in seen]
    opened = sum(wait.state == "open" for wait in lanes[BREAKER])
    label = f"Waits over time: breaker open {opened} times, {len(lanes[THROTTLE])} throttle pauses"
    drawing = lane_chart(label, shown, colours, run.until_s)
    return [Chart("waits", "Breaker and throttle", drawing)]


def _levers(run: Gathering) -> list[Chart]:
    totals = run.totals
    saved = [(lever, totals.saved[lever]) for lever in LEVERS if lever in totals.saved]
    colours = {"cache": "green", "coalescing": "sky", "packing": "purple"}
    bars = [Bar("spent", totals.tokens, _words(totals.tokens, ""), "blue")]
    for lever, spared in saved:
        if spared.tokens:
            bars.append(
                Bar(f"saved: {lever}", spared.tokens, _words(spared.tokens, "~"), colours[lever])
            )
    if len(bars) == 1 and not totals.tokens:
        return []
    costs = ", ".join(
        f"{lever} {words}" for lever, each in saved if (words := amounts_in_words(each.cost))
    )
    note = f"Cost {cost_in_words(totals)}."
    if totals.unsettled_requests:
        note += f" {unsettled(totals.unsettled_requests, totals.unsettled_tokens)}."
    note += f" Saved {costs}." if costs else ""
    if len(bars) > 1:
        note += " What was saved is an estimate, against one call a row."
    label = "Tokens by lever: " + ", ".join(f"{bar.name} {bar.words}" for bar in bars)
    return [Chart("cost", "Tokens and cost by lever", bar_chart(label, bars), note)]


def _words(tokens: int, about: str) -> str:
    return f"{about}{tokens:,}"


def _failures(run: Gathering) -> list[Chart]:
    bars = _bars(run.totals.failures, {}, "red")
    if not bars:
        return []
    label = "Failed rows by code: " + ", ".join(f"{bar.name} {bar.words}" for bar in bars)
    return [Chart("failures", "Failures by code", bar_chart(label, bars))]


def alone(charts: Sequence[Chart], *names: str) -> list[Chart]:
    """Return the charts of these names, or of names that begin with one of them and a dash."""
    return [c for c in charts if c.name in names or c.name.rpartition("-")[0] in names]

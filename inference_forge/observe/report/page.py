"""The page: one HTML file that asks for nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

from inference_forge.core.charts.markup import as_html, node, style_node
from inference_forge.core.wording import duration, exit_in_words
from inference_forge.observe.report.charts import alone
from inference_forge.observe.report.details import (
    failures,
    inputs,
    settings,
    slowest,
    warnings,
)
from inference_forge.observe.report.style import page_css
from inference_forge.observe.report.totals import cost_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.core.charts.markup import Node
    from inference_forge.observe.report.charts import Chart
    from inference_forge.observe.report.gathering import Gathering
    from inference_forge.observe.report.totals import Totals

_FINE: Final = 0
_SOME_FAILED: Final = 3


def page_of(
    run: Gathering, charts: Sequence[Chart], *, source: str, defaults: Mapping[str, object]
) -> str:
    """Return the page about a run.

    Arguments:
        run: what its events say.
        charts: its charts.
        source: where the events were read.
        defaults: the settings that nobody chose, by their name in files.
    """
    css = page_css()
    # Nothing but this one style sheet, known by its hash: no script, no request, whatever a text
    # in the events would like.
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("meta", name="referrer", content="no-referrer"),
        node("title", f"Run {run.run_id}: {_ending(run)}"),
        style_node(css),
    )
    body = node(
        "main",
        _header(run),
        *_outcome(run, charts),
        *_section("What was found", alone(charts, "labels")),
        *_section("Over time", alone(charts, "latency", "throughput", "under-way", "waits")),
        *_section("Cost", alone(charts, "cost")),
        *failures(run, alone(charts, "failures")),
        *slowest(run),
        *inputs(run),
        *warnings(run),
        *settings(run, defaults),
        node("footer", node("p", f"Made by forge report from {source}.", class_="note")),
    )
    return as_html(node("html", head, node("body", body), lang="en"))


def card(chart: Chart) -> Node:
    """Return a chart with its title and note."""
    note = node("p", chart.note, class_="note") if chart.note else None
    return node("section", node("h3", chart.title), chart.drawing, note, class_="card")


def _section(title: str, charts: Sequence[Chart]) -> list[Node]:
    if not charts:
        return []
    return [node("h2", title), node("div", *map(card, charts), class_="grid2")]


def _ending(run: Gathering) -> str:
    return f"exit {exit_in_words(run.exit_code)}" if run.exit_code is not None else "no end"


def _badge(run: Gathering) -> Node:
    colours = {None: "grey", _FINE: "green", _SOME_FAILED: "amber"}
    colour = colours.get(run.exit_code, "red")
    words = "exit 0: all classified" if run.exit_code == _FINE else _ending(run)
    return node("span", words, class_=f"badge {colour}")


def _header(run: Gathering) -> Node:
    seconds = run.totals.duration_s
    facts = [
        run.asked,
        f"fallback {run.fallback}" if run.fallback else "",
        _names(run),
        f"started {run.started_at.replace('T', ' ').removesuffix('.000+00:00')}",
        f"took {duration(seconds)}" if seconds is not None else "",
        f"forge {run.version}" if run.version else "",
    ]
    return node(
        "header",
        node("h1", _badge(run), f"Run {run.run_id}"),
        node("p", " · ".join(fact for fact in facts if fact), class_="note"),
        *(node("p", line) for line in _remarks(run)),
    )


def _names(run: Gathering) -> str:
    names = run.input_names
    if not names:
        return ""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more inputs"


def _remarks(run: Gathering) -> list[str]:
    remarks = []
    if run.stop:
        remarks.append(f"It stopped early: {run.stop}")
    elif any(item.is_stopped for item in run.inputs.values()):
        remarks.append("It stopped early; forge runs says why, and the same command resumes.")
    if not run.has_ended:
        remarks.append(
            "The events have no end: the run was killed, or goes on. The figures are those of its "
            "last lines."
        )
    if run.lost:
        are = "line is" if run.lost == 1 else "lines are"
        remarks.append(f"{run.lost:,} {are} missing: whoever read the events was too slow.")
    if run.broken == 1:
        remarks.append("1 line was torn or no event, and is left out.")
    elif run.broken:
        remarks.append(f"{run.broken:,} lines were torn or no events, and are left out.")
    return remarks


def _outcome(run: Gathering, charts: Sequence[Chart]) -> list[Node]:
    totals = run.totals
    tiles = [
        node("div", node("b", figure), node("span", name), class_="tile")
        for name, figure in _figures(totals)
    ]
    bars = node("div", *(chart.drawing for chart in alone(charts, "outcome")), class_="card wide")
    shown = [node("h2", "Outcome"), bars] if alone(charts, "outcome") else []
    return [node("div", *tiles, class_="tiles"), *shown]


def _unsettled(totals: Totals) -> str:
    if not totals.unsettled_requests:
        return "0"
    return f"{totals.unsettled_requests:,} (~{totals.unsettled_tokens:,} tokens)"


def _figures(totals: Totals) -> list[tuple[str, str]]:
    seconds, done = totals.duration_s, totals.classified + totals.failed
    rows = [
        ("rows", f"{totals.rows:,}"),
        ("classified", f"{totals.classified:,}"),
        ("failed", f"{totals.failed:,}"),
        ("pending", f"{totals.pending:,}"),
        ("cache hits", f"{totals.cache_hits:,}"),
        ("coalesced", f"{totals.coalesced:,}"),
        ("requests", f"{totals.requests:,}"),
        ("tokens", f"{totals.tokens:,}"),
        ("cost", cost_in_words(totals)),
        ("unsettled", _unsettled(totals)),
        ("rows/s", f"{done / seconds:,.0f}" if seconds else "-"),
    ]
    for name, found in (
        ("latency", totals.latency_s),
        ("first token", totals.first_token_s),
        ("in queue", totals.time_in_queue_s),
    ):
        rows += [(f"{name} {q}", duration(found[q])) for q in ("p50", "p95") if q in found]
    return [row for row in rows if row[1] != "0" or row[0] in {"rows", "classified", "failed"}]

"""The specification of charts: every shape has its panels, and they hold the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from inference_forge.core.bench.cells import METRICS, Cell, Measured, Shape
from inference_forge.core.bench.charts import charts

if TYPE_CHECKING:
    from collections.abc import Sequence

PANELS = {Shape.SWEEP: 3, Shape.LADDER: 3, Shape.BURST: 2, Shape.LENGTH: 1, Shape.STREAM: 2}


def cells(shape: Shape, *models: str, **figures: float | None) -> list[Measured]:
    """Return two cells a model with all figures."""
    known: dict[str, float | None] = {metric.name: 0.5 for metric in METRICS}
    known |= {"accuracy": None, **figures}
    return [
        Measured(
            Cell(shape, model, n, False, 8 * n, queue_rows=n, words=n * 10, is_streamed=n > 1),
            ({**known, "tickets_per_s": 10.0 * n},) * 2,
        )
        for model in models or ("small",)
        for n in (1, 2)
    ]


def spec_of(measured: Sequence[Measured], marks: dict[Cell, list[str]] | None = None) -> Any:
    """Return the specification."""
    return charts({measured[0].cell.shape: measured}, marks or {}, "small, 100 tickets")


def texts(spec: Any) -> list[str]:
    """Return every string in a specification."""
    if isinstance(spec, dict):
        return [text for value in spec.values() for text in texts(value)]
    if isinstance(spec, list):
        return [text for value in spec for text in texts(value)]
    return [spec] if isinstance(spec, str) else []


@pytest.mark.parametrize("shape", Shape)
def test_every_shape_has_its_panels(shape: Shape) -> None:
    """One under another, each with a title and axes that name units."""
    spec = spec_of(cells(shape))
    assert len(spec["vconcat"]) == PANELS[shape]
    assert all(panel["title"] for panel in spec["vconcat"])
    assert spec["title"]["subtitle"] == "small, 100 tickets"


def test_shapes_without_cells_have_no_panels() -> None:
    """As after an interrupt."""
    measured = {Shape.SWEEP: cells(Shape.SWEEP), Shape.LADDER: []}
    assert len(charts(measured, {}, "")["vconcat"]) == PANELS[Shape.SWEEP]


def test_bars_hold_mean_and_interval_and_the_optimum() -> None:
    """What is drawn is what was measured."""
    measured = cells(Shape.SWEEP)
    spec = spec_of(measured, {measured[1].cell: ["optimum", "pareto"]})
    first, second = spec["vconcat"][0]["data"]["values"]
    assert (first["tickets_per_s"], first["tickets_per_s_low"]) == (10.0, 10.0)
    assert (first["is_optimum"], second["is_optimum"]) == (False, True)
    front = spec["vconcat"][2]["layer"][0]["data"]["values"]
    assert [row["cell"] for row in front] == [second["cell"]]


def test_accuracy_has_a_panel_when_there_is_gold() -> None:
    """And only then."""
    assert len(spec_of(cells(Shape.SWEEP, accuracy=0.9))["vconcat"]) == PANELS[Shape.SWEEP] + 1


def test_cost_is_money_where_it_is_known() -> None:
    """Else tokens."""
    assert "Cost of a thousand tickets (less is better)" in texts(spec_of(cells(Shape.SWEEP)))
    unknown = texts(spec_of(cells(Shape.SWEEP, cost_per_ticket=None)))
    assert "Tokens of a ticket, in and out (less is better)" in unknown


def test_labels_tell_models_and_concurrency_apart() -> None:
    """But say neither where it is the same everywhere."""
    shown = [row["cell"] for row in spec_of(cells(Shape.SWEEP, "small", "large"))["vconcat"][0]
             ["data"]["values"]]  # fmt: skip
    assert shown[0] == "single, 8 in flight, small"
    assert shown[3] == "batches of 2, 16 in flight, large"
    alone = [Measured(each.cell, each.repetitions) for each in cells(Shape.SWEEP)[:1]]
    assert spec_of(alone)["vconcat"][0]["data"]["values"][0]["cell"] == "single"


def test_points_that_lie_together_share_a_label() -> None:
    """Otherwise their labels are written across each other."""
    same = [Measured(each.cell, cells(Shape.SWEEP)[0].repetitions) for each in cells(Shape.SWEEP)]
    marks = {same[1].cell: ["optimum", "pareto"]}
    assert labels_of(spec_of(same, marks)) == ["batches of 2, 16 in flight and 1 more"]
    assert labels_of(spec_of(cells(Shape.SWEEP))) == [
        "single, 8 in flight",
        "batches of 2, 16 in flight",
    ]


def labels_of(spec: Any) -> list[str]:
    """Return what is written into the scatter plot, left half first."""
    left, right = spec["vconcat"][2]["layer"][2:]
    assert (left["mark"]["align"], right["mark"]["align"]) == ("left", "right")
    return [row["cell"] for layer in (left, right) for row in layer["data"]["values"]]


def test_of_many_points_only_the_best_have_labels() -> None:
    """All of fifty would make the picture illegible, and as wide as they are long."""
    many = [
        Measured(
            replace(each.cell, concurrency=n),
            ({**each.repetitions[0], "tickets_per_s": 10.0 * n, "tokens_per_ticket": 100.0 - n},),
        )
        for n, each in enumerate(cells(Shape.SWEEP, cost_per_ticket=None)[:1] * 50, 1)
    ]
    marks = {many[49].cell: ["optimum", "pareto"], many[0].cell: ["pareto"]}
    assert labels_of(spec_of(many, marks)) == [
        "single, 50 in flight and 3 more",
        "single, 1 in flight and 3 more",
    ]


def test_intervals_do_not_reach_below_zero() -> None:
    """Throughput cannot, and the bars would be squeezed to make room."""
    (wide,) = cells(Shape.SWEEP)[:1]
    wide = Measured(
        wide.cell, tuple({**wide.repetitions[0], "tickets_per_s": n} for n in (1.0, 9.0))
    )
    (row,) = spec_of([wide])["vconcat"][0]["data"]["values"]
    assert row["tickets_per_s_low"] == 0
    assert row["tickets_per_s_high"] > 9


def test_the_cost_of_a_thousand_has_its_interval() -> None:
    """In the same unit."""
    (cell,) = cells(Shape.SWEEP)[:1]
    given = tuple({**cell.repetitions[0], "cost_per_ticket": n} for n in (0.001, 0.0011))
    (row,) = spec_of([Measured(cell.cell, given)])["vconcat"][2]["layer"][1]["data"]["values"]
    assert row["cost_per_ticket_low"] < row["cost_per_ticket"] == pytest.approx(1.05)
    assert row["cost_per_ticket"] < row["cost_per_ticket_high"] < 2


@pytest.mark.parametrize("shape", Shape)
def test_a_cell_in_which_nothing_was_answered_is_drawn(shape: Shape) -> None:
    """With nothing where there is nothing to tell."""
    nothing: dict[str, float | None] = {metric.name: None for metric in METRICS}
    first, second = cells(shape)
    assert spec_of([Measured(first.cell, (nothing, nothing)), second])
    assert spec_of([Measured(first.cell, (nothing, nothing))])


@pytest.mark.parametrize("shape", [Shape.BURST, Shape.LENGTH])
def test_lines_join_what_has_as_many_in_flight(shape: Shape) -> None:
    """One line through several levels would zigzag between them."""
    lows = cells(shape)
    highs = [Measured(replace(each.cell, concurrency=64), each.repetitions) for each in lows]
    both = [Measured(replace(each.cell, concurrency=8), each.repetitions) for each in lows] + highs
    points = spec_of(both)["vconcat"][0]["data"]["values"]
    by_line: dict[str, list[int]] = {}
    for point in points:
        by_line.setdefault(f"{point['what']}, {point['whose']}", []).append(point["at"])
    assert all(len(places) == len(set(places)) == 2 for places in by_line.values())
    assert any(name.endswith("64 in flight") for name in by_line)
    assert encoded(spec_of(both)) == {"color": "what", "strokeDash": "whose"}
    assert encoded(spec_of(both[:2])) == {"color": "what"}
    assert encoded(spec_of(cells(Shape.LADDER, "small", "large"))) == {"color": "whose"}


def encoded(spec: Any) -> dict[str, str]:
    """Return by what the lines of the first panel are told apart."""
    layers = spec["vconcat"][0]["layer"]
    encoding = next(layer for layer in layers if layer["mark"]["type"] == "line")["encoding"]
    assert ("strokeDash" in encoding) is (layers[0]["mark"]["type"] != "area")
    return {key: encoding[key]["field"] for key in ("color", "strokeDash") if key in encoding}


def test_a_ladder_shows_its_knee_and_names_models() -> None:
    """A rule at the load that is best."""
    spec = spec_of(cells(Shape.LADDER, "small", "large"))
    values = [layer["data"]["values"] for layer in spec["vconcat"][0]["layer"] if "data" in layer]
    assert values[0] == [{"at": 16, "name": "knee"}]
    assert {p["what"] for p in spec["vconcat"][0]["data"]["values"]} == {
        "throughput",
    }
    without = spec_of(cells(Shape.LADDER, latency_mean_s=None))["vconcat"][0]["layer"]
    assert len(without) == 3


def test_what_was_not_measured_is_no_point() -> None:
    """A first token without a stream, latencies without answers."""
    spec = spec_of(cells(Shape.LENGTH, latency_p99_s=None))
    assert {p["what"] for p in spec["vconcat"][0]["data"]["values"]} == {"p50", "p95"}

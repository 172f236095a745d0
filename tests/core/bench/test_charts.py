"""The specification of charts: every shape has its panels, and they hold the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

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
    assert shown[0] == "small, single, 8 in flight"
    assert shown[3] == "large, batches of 2, 16 in flight"
    alone = [Measured(each.cell, each.repetitions) for each in cells(Shape.SWEEP)[:1]]
    assert spec_of(alone)["vconcat"][0]["data"]["values"][0]["cell"] == "single"


def test_points_that_lie_together_share_a_label() -> None:
    """Otherwise their labels are written across each other."""
    same = [Measured(each.cell, cells(Shape.SWEEP)[0].repetitions) for each in cells(Shape.SWEEP)]
    labels = spec_of(same)["vconcat"][2]["layer"][2]["data"]["values"]
    assert len(labels) == 1
    assert labels[0]["cell"].count("in flight") == 2
    apart = spec_of(cells(Shape.SWEEP))["vconcat"][2]["layer"][2]["data"]["values"]
    assert len(apart) == 2


def test_a_ladder_shows_its_knee_and_names_models() -> None:
    """A rule at the load that is best."""
    spec = spec_of(cells(Shape.LADDER, "small", "large"))
    values = [layer["data"]["values"] for layer in spec["vconcat"][0]["layer"] if "data" in layer]
    assert values[0] == [{"at": 16, "name": "knee"}]
    assert {p["what"] for p in spec["vconcat"][0]["data"]["values"]} == {
        "small throughput",
        "large throughput",
    }
    without = spec_of(cells(Shape.LADDER, latency_mean_s=None))["vconcat"][0]["layer"]
    assert len(without) == 2


def test_what_was_not_measured_is_no_point() -> None:
    """A first token without a stream, latencies without answers."""
    spec = spec_of(cells(Shape.LENGTH, latency_p99_s=None))
    assert {p["what"] for p in spec["vconcat"][0]["data"]["values"]} == {"p50", "p95"}

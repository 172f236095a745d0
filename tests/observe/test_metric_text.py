"""Counters that go on where a textfile's last run left them."""

from __future__ import annotations

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from inference_forge.observe.metric_text import Before

COUNTER = """# TYPE forge_retries_total counter
forge_retries_total{task="nightly"} 3
forge_retries_total{task="weekly"} 40
"""
HISTOGRAM = """# TYPE forge_queue_seconds histogram
forge_queue_seconds_bucket{task="nightly",le="0.5"} 7
forge_queue_seconds_bucket{task="nightly",le="+Inf"} 7
forge_queue_seconds_count{task="nightly"} 7
forge_queue_seconds_sum{task="nightly"} 1
"""


def test_series_of_another_task_are_not_carried_on() -> None:
    """A file that was copied under a new name begins with its own figures."""
    now = CounterMetricFamily("forge_retries", "Waits.", labels=["task"])
    now.add_metric(["nightly"], 2)
    (found,) = Before(COUNTER, "nightly").added_to([now])
    assert [(s.labels["task"], s.value) for s in found.samples] == [("nightly", 5)]


def test_a_histogram_with_other_buckets_begins_anew() -> None:
    """Sums over buckets with different bounds would be no histogram."""
    now = HistogramMetricFamily("forge_queue_seconds", "Waits.", labels=["task"])
    now.add_metric(["nightly"], [("1.0", 1), ("+Inf", 2)], 3.0)
    (found,) = Before(HISTOGRAM, "nightly").added_to([now])
    values = {sample.labels.get("le", sample.name): sample.value for sample in found.samples}
    assert values == {
        "1.0": 1, "+Inf": 2, "forge_queue_seconds_count": 2, "forge_queue_seconds_sum": 3,
    }  # fmt: skip

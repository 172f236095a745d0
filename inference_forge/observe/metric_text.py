"""Metrics as text, and counters that go on where the last run left them.

A batch job's counters would start at zero with every run, and where two runs end at the same
figure Prometheus would see nothing happen. So those of the textfile are added to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from inference_forge.observe.metrics import LAST_SUCCESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference_forge.observe.metrics import RunMetrics

ADDED_UP: Final = frozenset({"counter", "histogram"})

OWN: Final = "forge_"

LAST_RUN: Final = "forge_last_run_"

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Before:
    """What a textfile held before a run.

    Arguments:
        text: the file; empty when there is none.
        task: only its series count.

    Raises:
        ValueError: the text holds no metrics.

    Attributes:
        foreign: a metric in it that is another program's, None if there is none.
        last_success_at: Unix time.
    """

    def __init__(self, text: str, task: str) -> None:
        self._families: dict[str, dict[_Key, float]] = {}
        self._last_run: dict[str, Metric] = {}
        self.foreign: str | None = None
        self.last_success_at: float | None = None
        for family in text_string_to_metric_families(text):
            if not family.name.startswith(OWN):
                self.foreign = family.name
            samples = {
                _key(sample.name, sample.labels): float(sample.value)
                for sample in family.samples
                if sample.labels.get("task") == task
            }
            if family.type in ADDED_UP:
                self._families[family.name] = samples
            elif family.name.startswith(LAST_RUN) and samples:
                self._last_run[family.name] = family
            elif family.name == LAST_SUCCESS:
                self.last_success_at = next(iter(samples.values()), None)

    def added_to(self, families: Iterable[Metric]) -> Iterator[Metric]:
        """Yield `families` with what was counted before in them.

        How the last run ended holds until this one has.
        """
        names = set()
        for family in families:
            names.add(family.name)
            yield self._added_to(family) if family.type in ADDED_UP else family
        yield from (family for name, family in self._last_run.items() if name not in names)

    def _added_to(self, family: Metric) -> Metric:
        before = self._families.get(family.name, {})
        now = {_key(sample.name, sample.labels): sample for sample in family.samples}
        if family.type == "histogram" and before.keys() != now.keys():
            return family  # its buckets were others
        whole = Metric(family.name, family.documentation, family.type)
        for key, sample in now.items():
            whole.add_sample(sample.name, sample.labels, sample.value + before.get(key, 0.0))
        for (name, labels), value in before.items():
            if (name, labels) not in now:
                whole.add_sample(name, dict(labels), value)
        return whole


class WholeMetrics:
    """Collects a run's metrics together with what was before.

    Arguments:
        run: the run's.
        before: what the textfile held.
    """

    def __init__(self, run: RunMetrics, before: Before) -> None:
        self._run = run
        self._before = before

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        return self._before.added_to(self._run.collect())


def registry_of(metrics: WholeMetrics) -> CollectorRegistry:
    """Return a registry with nothing but `metrics` in it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    return registry


def as_text(registry: CollectorRegistry) -> bytes:
    """Return what a registry collects, in Prometheus' text format."""
    return generate_latest(registry)


def _key(name: str, labels: dict[str, str]) -> _Key:
    return name, tuple(sorted(labels.items()))

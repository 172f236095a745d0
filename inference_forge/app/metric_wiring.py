"""From settings to the metrics of a run, in a file, at a port, or both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.adapters.metric_outlets import LOOPBACK, MetricsFile, MetricsPort
from inference_forge.adapters.whole_file import check_writable
from inference_forge.errors import UsageError
from inference_forge.observe.metric_text import Before, WholeMetrics, as_text, registry_of
from inference_forge.observe.metrics import RunFacts, RunMetrics
from inference_forge.version import version

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.app.notices import Notices
    from inference_forge.observe.history import RunRecord
    from inference_forge.observe.stats import LabelCounts
    from inference_forge.observe.tally import Tally

SUFFIX = ".prom"
NO_FILE_TASK = "forge"


class MetricOutlets(Struct):
    """The metrics of one run and where they are read."""

    facts: RunFacts
    file: MetricsFile | None = None
    port: MetricsPort | None = None

    def begin(self) -> None:
        """Let them be read from now on."""
        if self.file is not None:
            self.file.start()

    def asks(self, provider: str, model: str) -> None:
        """Take note of who is asked."""
        self.facts.provider, self.facts.model = provider, model

    def watch(self, tally: Tally, labels: list[LabelCounts]) -> None:
        """Count one more input."""
        self.facts.tallies.append(tally)
        self.facts.labels = labels

    def end(self, record: RunRecord) -> None:
        """Take note of how the run ended, and let nobody wait for more."""
        self.facts.ended_at = time.time()  # noqa: TID251 - the composition root hands clocks out
        self.facts.duration_s = record.duration_s
        self.facts.exit_code = record.exit_code
        if self.file is not None:
            self.file.close()
        if self.port is not None:
            self.port.close()


def open_metrics(path: Path | None, port: int | None, notices: Notices) -> MetricOutlets | None:
    """Return the metrics' outlets, None where nobody wants any.

    Arguments:
        path: the textfile.
        port: on loopback.
        notices: take a note of where the port is, and trouble with the file.

    Raises:
        UsageError: the file cannot be written, has the wrong name or is another program's; or
            the port is taken.
    """
    if path is None and port is None:
        return None
    now = time.time  # noqa: TID251 - the composition root hands clocks out
    task = NO_FILE_TASK if path is None else _task_of(path)
    before = Before("", task) if path is None else _before(path, task, notices)
    facts = RunFacts(task, version(), now(), last_success_at=before.last_success_at)
    registry = registry_of(WholeMetrics(RunMetrics(facts, now), before))
    outlets = MetricOutlets(facts)
    if port is not None:
        outlets.port = MetricsPort(port, registry)
        address = f"http://{LOOPBACK}:{outlets.port.port}/metrics"
        notices.note("metrics_port", f"metrics are at {address} while this run lasts")
    if path is not None:
        outlets.file = MetricsFile(
            path, lambda: as_text(registry), warn=lambda told: notices.warn("metrics", told)
        )
    return outlets


def _task_of(path: Path) -> str:
    if path.suffix != SUFFIX or not path.stem:
        raise UsageError(
            f"--metrics {path}: node_exporter reads only files whose name ends in {SUFFIX}; what "
            "is before it names the job in all series"
        )
    try:
        check_writable(path)
    except OSError as exc:
        raise UsageError(f"--metrics {path}: cannot be written: {exc.strerror}") from exc
    return path.stem.encode("utf-8", "replace").decode()


def _before(path: Path, task: str, notices: Notices) -> Before:
    try:
        before = Before(path.read_text(encoding="utf-8"), task)
    except FileNotFoundError:
        return Before("", task)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it holds no metrics"
        notices.warn(
            "metrics_before", f"{path}: {reason}, so its counters begin anew; it is replaced"
        )
        return Before("", task)
    if before.foreign is not None:
        raise UsageError(
            f"--metrics {path}: it holds another program's metrics ({before.foreign}), which "
            "would be lost; name another file"
        )
    return before

"""Where the report of a bench goes: standard output, a file, a picture."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.adapters.charts import check_chart_target, write_chart
from inference_forge.adapters.sinks.opening import is_same_file
from inference_forge.adapters.whole_file import check_writable, write_whole
from inference_forge.cli.bench_lines import report_lines
from inference_forge.cli.measuring import show_json
from inference_forge.cli.streams import say, show, show_styled
from inference_forge.core.bench.charts import charts
from inference_forge.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference_forge.jobs.bench import BenchReport

_WIDTH_OF_FILES: Final = 160
"""Columns of a table that goes into a file or a pipe."""

_SAVED: Final = (".json", ".csv")


class Outputs(Struct, frozen=True):
    """Where a report goes.

    Attributes:
        as_json: to standard output as JSON.
        as_csv: to standard output as CSV; with neither as tables.
        save: a file; None for none.
        plot: a picture; None for none.
    """

    as_json: bool
    as_csv: bool
    save: Path | None
    plot: Path | None

    def check(self, inputs: Iterable[str | None]) -> None:
        """Refuse what could not be written, before anything is measured for it.

        Arguments:
            inputs: files that are read, which must not be overwritten; None for none.

        Raises:
            SettingsError: two want standard output, or a file is none that can be written.
        """
        if self.as_json and self.as_csv:
            raise SettingsError(
                "--json and --csv both want standard output: choose one; --save writes a file"
            )
        if self.save is not None:
            if self.save.suffix.lower() not in _SAVED:
                raise SettingsError(
                    f"--save: {str(self.save)!r} must end with {' or '.join(_SAVED)}"
                )
            try:
                check_writable(self.save)
            except OSError as exc:
                raise SettingsError(
                    f"--save: {self.save} cannot be written: {exc.strerror}"
                ) from exc
        if self.plot is not None:
            check_chart_target(self.plot)
        sources = [Path(name) for name in inputs if name is not None]
        for flag, path in (("--save", self.save), ("--plot", self.plot)):
            if path is not None and any(is_same_file(path, source) for source in sources):
                raise SettingsError(
                    f"{flag}: {path} would overwrite the tickets; choose another file"
                )

    def keep(self, report: BenchReport) -> None:
        """Write what is known so far to the file of --save.

        Raises:
            OutputError: it cannot be written.
        """
        if self.save is None:
            return
        is_csv = self.save.suffix.lower() == ".csv"
        text = report.as_csv() if is_csv else _json(report)
        try:
            write_whole(self.save, text.encode(), is_lasting=False)
        except OSError as exc:
            raise OutputError(f"{self.save} cannot be written: {exc.strerror}") from exc

    def show(self, report: BenchReport) -> None:
        """Print the report, and draw it.

        Raises:
            OutputError: it cannot be written.
        """
        if self.as_json:
            show_json(report.as_json())
        elif self.as_csv:
            for line in report.as_csv().splitlines():
                show(line)
        else:
            is_terminal = sys.stdout is not None and sys.stdout.isatty()
            width = shutil.get_terminal_size().columns if is_terminal else _WIDTH_OF_FILES
            is_coloured = is_terminal and not os.environ.get("NO_COLOR")
            for line in report_lines(report, width=width, is_coloured=is_coloured):
                show_styled(line)
        self._draw(report)

    def _draw(self, report: BenchReport) -> None:
        if self.plot is None or not any(report.measured.values()):
            return
        write_chart(charts(report.measured, report.marks(), report.setting.title), self.plot)
        say(f"charts: {self.plot}")


def _json(report: BenchReport) -> str:
    return json.dumps(report.as_json(), indent=2) + "\n"

"""Putting a page and its charts into files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.adapters.chart_images import png_maker
from inference_forge.adapters.whole_file import write_whole
from inference_forge.core.charts.markup import as_svg
from inference_forge.core.charts.palette import chart_css
from inference_forge.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.observe.report.charts import Chart


def write_page(page: str, path: Path, source: str) -> None:
    """Put a page in place.

    Arguments:
        page: the HTML.
        path: of the file; what was there is replaced.
        source: of the events, which are never replaced.

    Raises:
        UsageError: the file is that of the events.
        OutputError: it cannot be written.
    """
    try:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise UsageError(f"-o {path}: these are the events; name another file")
        write_whole(path, page.encode(), is_lasting=False)
    except OSError as exc:
        raise OutputError(f"-o {path}: cannot be written: {exc.strerror}") from exc


def write_charts(charts: Sequence[Chart], directory: Path) -> bool:
    """Put each chart as SVG and PNG into a directory, which is made if it is missing.

    Returns:
        False without the extra that makes PNGs: then there are SVGs only.

    Raises:
        OutputError: something cannot be written.
    """
    to_png = png_maker()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for chart in charts:
            svg = as_svg(chart.drawing, chart_css())
            write_whole(directory / f"{chart.name}.svg", svg.encode(), is_lasting=False)
            if to_png is not None:
                png = to_png(as_svg(chart.drawing, chart_css(has_dark=False)))
                write_whole(directory / f"{chart.name}.png", png, is_lasting=False)
    except OSError as exc:
        raise OutputError(f"--charts {directory}: cannot be written: {exc.strerror}") from exc
    return to_png is not None

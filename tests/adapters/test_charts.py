"""Drawing charts into files."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from inference_forge.adapters import charts
from inference_forge.adapters.charts import check_chart_target, write_chart
from inference_forge.core.bench.cells import METRICS, Cell, Figures, Measured, Shape
from inference_forge.core.bench.charts import charts as specification
from inference_forge.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def spec() -> dict[str, object]:
    """Return charts of every shape."""
    figures: Figures = {metric.name: 0.5 for metric in METRICS}
    measured = {
        shape: [
            Measured(
                Cell(shape, "small", n, False, 8 * n, queue_rows=n, words=n, is_streamed=n > 1),
                (figures | {"tickets_per_s": 10.0 * n}, figures | {"tickets_per_s": 11.0 * n}),
            )
            for n in (1, 2)
        ]
        for shape in Shape
    }
    return specification(measured, {}, "made up")


def test_a_png_is_drawn(tmp_path: Path) -> None:
    """Sharp, and as wide as a page."""
    write_chart(spec(), tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1_200
    assert height > 4_000


def test_an_svg_is_drawn(tmp_path: Path) -> None:
    """With the titles of the panels as text."""
    write_chart(spec(), tmp_path / "x.SVG")
    root = ET.fromstring((tmp_path / "x.SVG").read_text(encoding="utf-8"))  # noqa: S314 - our own
    text = "".join(root.itertext())
    assert "How fast: throughput" in text
    assert "knee" in text


def test_an_html_page_needs_nobody_else(tmp_path: Path) -> None:
    """It asks no server for anything."""
    write_chart(spec(), tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "How fast: throughput" in page
    assert "<script src" not in page
    assert "cdn." not in page


def test_what_cannot_be_drawn_is_refused_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wants to hear of it after an hour."""
    check_chart_target(tmp_path / "x.html")
    with pytest.raises(SettingsError, match=r"end it with \.html, \.png or \.svg"):
        check_chart_target(tmp_path / "x.pdf")
    with pytest.raises(SettingsError, match="cannot be written"):
        check_chart_target(tmp_path / "missing" / "x.png")
    monkeypatch.setattr(charts, "LIBRARY", "vl_convert_that_nobody_has")
    with pytest.raises(SettingsError, match=r"pip install 'inference-forge\[report\]'"):
        check_chart_target(tmp_path / "x.png")


def test_a_place_that_went_away_is_an_output_error(tmp_path: Path) -> None:
    """As everywhere."""
    with pytest.raises(OutputError, match="cannot be written"):
        write_chart(spec(), tmp_path / "missing" / "x.png")

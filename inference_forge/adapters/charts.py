"""Drawing charts, with a library that not everybody has."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from inference_forge.adapters.whole_file import check_writable, write_whole
from inference_forge.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LIBRARY: Final = "vl_convert"
SUFFIXES: Final = (".html", ".png", ".svg")

_SCALE: Final = 2.0
"""Pixels of a PNG for each of the chart: sharp on screens of today."""


def check_chart_target(path: Path) -> None:
    """Refuse a file that `write_chart` could not write, before anything is measured for it.

    Raises:
        SettingsError: the ending is unknown, the library is missing, or the place not writable.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(
            f"--plot: {str(path)!r} is no picture that can be drawn; end it with "
            f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    if find_spec(LIBRARY) is None:
        raise SettingsError(
            "--plot needs the extra `report`: pip install 'inference-forge[report]'"
        )
    try:
        check_writable(path)
    except OSError as exc:
        raise SettingsError(f"--plot: {path} cannot be written: {exc.strerror}") from exc


def write_chart(spec: Mapping[str, Any], path: Path) -> None:
    """Draw a Vega-Lite specification; the ending of `path` says as what.

    An HTML file holds all that it needs: it asks no server for anything.

    Raises:
        OutputError: the file cannot be written.
    """
    library: Any = import_module(LIBRARY)
    draw: dict[str, Callable[[], str | bytes]] = {
        ".html": lambda: library.vegalite_to_html(vl_spec=dict(spec), bundle=True),
        ".svg": lambda: library.vegalite_to_svg(vl_spec=dict(spec), allowed_base_urls=[]),
        ".png": lambda: library.vegalite_to_png(
            vl_spec=dict(spec), scale=_SCALE, allowed_base_urls=[]
        ),
    }
    drawn = draw[path.suffix.lower()]()
    data = drawn.encode() if isinstance(drawn, str) else drawn
    try:
        write_whole(path, data, is_lasting=False)
    except OSError as exc:
        raise OutputError(f"{path} cannot be written: {exc.strerror}") from exc

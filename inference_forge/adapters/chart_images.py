"""Drawings as pictures, with the extra `report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SCALE: Final = 2.0
"""Pixels a unit: sharp on paper and on dense screens."""


def png_maker() -> Callable[[str], bytes] | None:
    """Return what makes a PNG of an SVG; None without the extra."""
    try:
        # Loads 60 MB: only who wants pictures pays for it.
        import vl_convert  # noqa: PLC0415
    except ImportError:
        return None

    def made(svg: str) -> bytes:
        return bytes(vl_convert.svg_to_png(svg, scale=SCALE))

    return made

"""Validated settings, and where each of them was set."""

from inference_forge.settings.fields import CsvGuard, Doc, Order, ProgressStyle, Settings
from inference_forge.settings.loading import (
    PROJECT_FILE,
    Loaded,
    Origin,
    Spec,
    load_settings,
    parse_duration,
    specs,
)

__all__ = [
    "PROJECT_FILE",
    "CsvGuard",
    "Doc",
    "Loaded",
    "Order",
    "Origin",
    "ProgressStyle",
    "Settings",
    "Spec",
    "load_settings",
    "parse_duration",
    "specs",
]

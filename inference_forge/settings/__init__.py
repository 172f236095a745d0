"""Validated settings, and where each of them was set."""

from inference_forge.settings.allowed import AllowList
from inference_forge.settings.choices import (
    CacheMode,
    Cleaning,
    CsvGuard,
    HttpStack,
    LogFormat,
    OnLong,
    Order,
    ProgressStyle,
    Reasoning,
    Redaction,
    SummaryMode,
    TraceExport,
    choices_in,
)
from inference_forge.settings.doc import Doc
from inference_forge.settings.fields import Settings
from inference_forge.settings.loading import (
    PROJECT_FILE,
    Loaded,
    Origin,
    Spec,
    load_settings,
    parse_duration,
    specs,
)
from inference_forge.settings.prices import PriceTable
from inference_forge.settings.tables import ProviderTable, ProviderTables

__all__ = [
    "PROJECT_FILE",
    "AllowList",
    "CacheMode",
    "Cleaning",
    "CsvGuard",
    "Doc",
    "HttpStack",
    "Loaded",
    "LogFormat",
    "OnLong",
    "Order",
    "Origin",
    "PriceTable",
    "ProgressStyle",
    "ProviderTable",
    "ProviderTables",
    "Reasoning",
    "Redaction",
    "Settings",
    "Spec",
    "SummaryMode",
    "TraceExport",
    "choices_in",
    "load_settings",
    "parse_duration",
    "specs",
]

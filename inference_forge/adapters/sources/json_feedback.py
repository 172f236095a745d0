"""Read rows of a failures file as they were before they failed."""

from __future__ import annotations

from typing import Any

from inference_forge.core.columns import FAILURE_COLUMNS, has_failure_columns
from inference_forge.core.json_text import load, members


def without_failure(raw: bytes, value: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the object without the members that a failures file adds at its end.

    Arguments:
        raw: the object's bytes.
        value: the object as read.
    """
    if not has_failure_columns(tuple(value)):
        return raw, value
    found = members(raw)
    # With a member twice, the last ones read are not the last ones written.
    if not has_failure_columns([member.key for member in found]):
        return raw, value
    kept = found[: -len(FAILURE_COLUMNS)]
    raw = raw[: kept[-1].end] + b"}" if kept else b"{}"
    return raw, load(raw)


def unreadable_in(value: dict[str, Any]) -> str | None:
    """Return the text of a row that could not be read in an earlier run, from its failure."""
    text = value.get("raw")
    return text if isinstance(text, str) and len(value) == 1 else None

"""Where the events of a run are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from inference_forge.app import PastRun

_ENDINGS = (".ndjson", ".jsonl", ".json", ".log")


def is_file_name(name: str) -> bool:
    """Tell whether `name` is a file of events rather than a run of the history."""
    is_like_one = name == "-" or os.sep in name or name.lower().endswith(_ENDINGS)
    return is_like_one or is_there(name)


def is_there(name: str) -> bool:
    """Tell whether a file has that name; none has one that is too long or holds a NUL."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def events_of_run(run: PastRun) -> str:
    """Return the path of a run's events.

    Raises:
        UsageError: it has none that can be found.
    """
    record = run.record
    if record.events is None:
        raise UsageError(
            f"run {record.run_id} left no file of events: a report is made of what --events FILE "
            "writes (if they went to a pipe or a descriptor, name the file that they are in)"
        )
    if not is_there(record.events):
        raise UsageError(
            f"run {record.run_id} wrote its events to {record.events}, which is not there any "
            "more; name the file if it was moved"
        )
    return record.events

"""The failures file of results."""

from __future__ import annotations

from pathlib import Path

from inference_forge.app.places import STDIN, split_suffix


def failures_beside(results: str) -> str | None:
    """Return the failures file that a run wrote beside its results; None when there is none."""
    if results == STDIN:
        return None
    path = Path(results)
    stem, suffix = split_suffix(path.name)
    failures = path.with_name(f"{stem.removesuffix('.results')}.failures{suffix}")
    return str(failures) if failures != path and failures.is_file() else None

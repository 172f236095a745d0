"""Keeping outlets, inputs and results out of each other's files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from inference_forge.app.places import STDIN, STDOUT, results_path
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference_forge.settings import Settings

_STDOUT_NAMES: Final = frozenset({STDOUT, "1", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})


def check_apart(settings: Settings, inputs: Sequence[str]) -> None:
    """Look whether two of a run's files are one.

    Raises:
        UsageError: they are, or two of them go to standard output, or one has no name.
    """
    for flag, target in _outlets(settings):
        if not target.strip():
            raise UsageError(f"{flag} is empty: name a file, or leave it out")
    to_stdout = []
    if _has_results_on_stdout(settings, inputs):
        to_stdout.append("the results")
    to_stdout += [flag for flag, target in _outlets(settings) if target in _STDOUT_NAMES]
    if len(to_stdout) > 1:
        first, second = to_stdout[:2]
        raise UsageError(
            f"{second} -: standard output is taken by {first}; name a file"
            + (", or a descriptor such as 3 with 3>FILE" if second == "--events" else "")
        )
    taken: dict[str, str] = {}
    for what, target in (*_files(settings, inputs), *_outlets(settings)):
        if target in _STDOUT_NAMES or (what in {"--events", "--log-file"} and target.isdigit()):
            continue
        path = os.path.realpath(target)
        if path in taken and not _is_shared(taken[path], what):
            raise UsageError(f"{what} {target}: that is {taken[path]}, too; name another file")
        taken.setdefault(path, what)


def _is_shared(one: str, other: str) -> bool:
    """Tell whether the pair is looked after elsewhere, or is a file named twice."""
    return not (one.startswith("--") or other.startswith("--"))


def _outlets(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.summary_json is not None:
        yield "--summary-json", settings.summary_json
    if settings.events is not None:
        yield "--events", settings.events
    if settings.log_file is not None:
        yield "--log-file", str(settings.log_file)
    if settings.metrics is not None:
        yield "--metrics", str(settings.metrics)


def _has_results_on_stdout(settings: Settings, inputs: Sequence[str]) -> bool:
    if settings.output is None:
        return STDIN in inputs
    return settings.output in _STDOUT_NAMES - {"1"}


def _files(settings: Settings, inputs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in inputs:
        if name != STDIN:
            yield "an input", name
        try:
            results = results_path(name, settings.output)
        except UsageError:
            continue  # it is told when this input is opened
        if results is not None:
            yield "the results file", str(results)
    if settings.failures is not None:
        yield "the failures file", settings.failures

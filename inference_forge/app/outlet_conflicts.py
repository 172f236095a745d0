"""Keeping outlets, inputs and results out of each other's files."""

from __future__ import annotations

import os
import stat
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.sinks.targets import is_device, partial_of
from inference_forge.app.places import STDIN, STDOUT, results_path, split_suffix, targets_for
from inference_forge.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inference_forge.settings import Settings

_Identity = str | tuple[int, int]

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
    _check_files(chain(_files(settings, inputs), _outlets(settings)))


def _check_files(files: Iterable[tuple[str, str]]) -> None:
    taken: dict[_Identity, str] = {}
    for what, target in files:
        if target in _STDOUT_NAMES or (what in {"--events", "--log-file"} and target.isdigit()):
            continue
        file = _identity(target)
        if file in taken and not _is_shared(taken[file], what):
            raise UsageError(f"{what} {target}: that is {taken[file]}, too; name another file")
        taken.setdefault(file, what)


def _identity(target: str) -> _Identity:
    """Return what all names of a file share: hard links have paths of their own."""
    try:
        found = os.stat(target)  # noqa: PTH116 - a name with a null byte is told elsewhere
    except (OSError, ValueError):
        return os.path.realpath(target)
    if stat.S_ISREG(found.st_mode):
        return found.st_dev, found.st_ino
    return os.path.realpath(target)


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
            beside = [] if results is None else list(_beside(name, results, settings))
        except (UsageError, OutputError):
            continue  # it is told when this input is opened
        if results is not None:
            yield "the results file", str(results)
            yield from beside
    if settings.failures is not None:
        yield "the failures file", settings.failures
    if settings.taxonomy is not None:
        yield "the taxonomy", str(settings.taxonomy)
    if settings.api_key_file is not None:
        yield "the file with the key", str(settings.api_key_file)


def _beside(name: str, results: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what a run writes beside the results of the input `name`, or removes there."""
    if is_device(results):
        return
    targets = targets_for(
        name,
        output=str(results),
        failures=settings.failures,
        pending_suffix=split_suffix(Path(name).name)[1],
        state_dir=Path(),  # only for results on standard output
        run_id="",
    )
    yield "the failures file", str(targets.failures)
    yield "the pending file", str(targets.pending)
    for path in (results, targets.failures, targets.pending):
        yield "where the run writes until it is complete", str(partial_of(path))

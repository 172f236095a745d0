"""Open the outputs of a run, after making sure that they can be written."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from inference_forge.adapters.sinks.layout import Layout
from inference_forge.adapters.sinks.options import (
    OutputFormat,
    OutputKind,
    SinkOptions,
    format_of,
)
from inference_forge.adapters.sinks.sink import FileSink
from inference_forge.adapters.sinks.targets import (
    StreamTarget,
    is_device,
    open_target,
    partial_of,
    remove,
    resolved,
)
from inference_forge.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_LINES = OutputFormat(OutputKind.JSONL)
_DEFAULT_OPTIONS = SinkOptions()


def open_sink(
    results: Path,
    failures: Path,
    *,
    columns: tuple[str, ...] | None,
    inputs: Sequence[Path] = (),
    options: SinkOptions = _DEFAULT_OPTIONS,
    default_format: OutputFormat | None = None,
) -> FileSink:
    """Open a results file and, once there is a failure, a failures file.

    Each is written as `NAME.partial` beside its target and renamed when whole; what is at the
    target is replaced then. Devices and FIFOs are written directly.

    Arguments:
        results: the results file; its extension is its format.
        failures: the failures file, likewise; removed at the end if nothing failed.
        columns: the input's columns, from the source; None when its rows are objects.
        inputs: files that are read and must not be written.
        options: what is written besides the input's own columns, and how.
        default_format: for names without a known extension; None for an error.

    Raises:
        UsageError: an output is an input, a directory, in no directory or of no known format,
            or the options do not fit the input's columns.
        OutputError: the results file cannot be created, or the failures' directory not written.
    """
    _check_places(results, failures, inputs)
    results_format = format_of(str(results), default_format)
    failures_format = format_of(str(failures), default_format)
    layout = Layout(columns, results=results_format, failures=failures_format, options=options)
    target = open_target(results, is_gzip=results_format.is_gzip)
    return FileSink(
        layout,
        results=target,
        open_failures=partial(open_target, failures, is_gzip=failures_format.is_gzip),
        remove_failures=partial(remove, failures),
    )


def open_stream_sink(
    stream: BinaryIO,
    failures: Path,
    *,
    columns: tuple[str, ...] | None,
    inputs: Sequence[Path] = (),
    options: SinkOptions = _DEFAULT_OPTIONS,
    default_format: OutputFormat = _LINES,
) -> FileSink:
    """Write results to `stream` as JSON lines, each block at once, and failures to a file.

    Arguments:
        stream: binary, for example standard output; left open.
        failures: the failures file, created for the first failure.
        columns: the input's columns, from the source; None when its rows are objects.
        inputs: files that are read and must not be written.
        options: what is written besides the input's own columns, and how.
        default_format: the failures' format when their name has no known extension.

    Raises:
        UsageError: the failures file is an input, a directory, in no directory, or the options
            do not fit the input's columns.
        OutputError: the failures' directory cannot be written.
    """
    _check_place(failures, inputs)
    failures_format = format_of(str(failures), default_format)
    layout = Layout(columns, results=_LINES, failures=failures_format, options=options)
    return FileSink(
        layout,
        results=StreamTarget(stream, "standard output", path=None, is_gzip=False),
        open_failures=partial(open_target, failures, is_gzip=failures_format.is_gzip),
        remove_failures=partial(remove, failures),
    )


def _check_places(results: Path, failures: Path, inputs: Sequence[Path]) -> None:
    """Refuse two outputs that would destroy an input or each other."""
    _check_place(results, inputs)
    _check_place(failures, inputs)
    if not is_device(results) and resolved(results) == resolved(failures):
        raise UsageError(
            f"{results}: results and failures cannot be the same file; choose another with "
            "--failures."
        )


def _check_place(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that would destroy an input or cannot be written."""
    if is_device(path):
        return
    final = resolved(path)
    if final.is_dir():
        raise UsageError(f"{path}: is a directory; name a file in it.")
    if not final.parent.is_dir():
        raise UsageError(f"{path}: there is no directory {final.parent}; create it first.")
    for source in inputs:
        if any(_is_same(written, source) for written in (final, partial_of(path))):
            raise UsageError(
                f"{path}: this would overwrite the input {source}; choose another output."
            )
    if not os.access(final.parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"{path}: the directory {final.parent} cannot be written; choose another place."
        )


def _is_same(written: Path, source: Path) -> bool:
    """Return whether both are one file, by path or by a hard link."""
    if written == resolved(source):
        return True
    try:
        return written.samefile(source)
    except OSError:
        return False  # one of them does not exist

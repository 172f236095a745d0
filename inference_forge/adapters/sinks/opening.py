"""Open the outputs of a run, after making sure that they can be written."""

from __future__ import annotations

import os
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from inference_forge.adapters.sinks.layout import Layout
from inference_forge.adapters.sinks.marks import FAILURES_MARK
from inference_forge.adapters.sinks.optional import OptionalTarget
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

    from inference_forge.adapters.sinks.targets import Target

_LINES = OutputFormat(OutputKind.JSONL)
_DEFAULT_OPTIONS = SinkOptions()


def open_sink(
    results: Path,
    failures: Path,
    *,
    pending: Path | None = None,
    pending_format: OutputFormat = _LINES,
    columns: tuple[str, ...] | None,
    inputs: Sequence[Path] = (),
    options: SinkOptions = _DEFAULT_OPTIONS,
    default_format: OutputFormat | None = None,
) -> FileSink:
    """Open a results file and, once there is something for them, the files beside it.

    Each is written as `NAME.partial` beside its target and renamed when whole; what is at the
    target is replaced then. Devices and FIFOs are written directly.

    Arguments:
        results: the results file; its extension is its format.
        failures: takes failed rows, likewise; removed at the end if nothing failed.
        pending: takes rows without an outcome, likewise; removed at the end if there are none.
            None where no rows will be set aside.
        pending_format: its format, which is the input's.
        columns: the input's columns, from the source; None when its rows are objects.
        inputs: files that are read and must not be written.
        options: what is written besides the input's own columns, and how.
        default_format: for names without a known extension; None for an error.

    Raises:
        UsageError: an output is an input, a directory, in no directory or of no known format,
            or the options do not fit the input's columns.
        OutputError: the results file cannot be created, or the failures' directory not written.
    """
    _check_places(results, failures, pending, inputs)
    formats = _Formats(
        format_of(str(results), default_format),
        format_of(str(failures), default_format),
        pending_format,
    )
    layout = _layout(columns, formats, options)
    target = open_target(results, is_gzip=formats.results.is_gzip)
    return _sink(layout, formats, target, failures, pending)


def open_stream_sink(
    stream: BinaryIO,
    failures: Path,
    *,
    pending: Path | None = None,
    pending_format: OutputFormat = _LINES,
    columns: tuple[str, ...] | None,
    inputs: Sequence[Path] = (),
    options: SinkOptions = _DEFAULT_OPTIONS,
    default_format: OutputFormat = _LINES,
) -> FileSink:
    """Write results to `stream` as JSON lines, each block at once, and the rest to files.

    Arguments:
        stream: binary, for example standard output; left open.
        failures: takes failed rows; removed at the end if nothing failed.
        pending: takes rows without an outcome, as with `open_sink`.
        pending_format: its format.
        columns: the input's columns, from the source; None when its rows are objects.
        inputs: files that are read and must not be written.
        options: what is written besides the input's own columns, and how.
        default_format: the files' format when their names have no known extension.

    Raises:
        UsageError: a file is an input, a directory, in no directory, or the options do not fit
            the input's columns.
        OutputError: the failures' directory cannot be written.
    """
    for path in (failures, pending):
        if path is not None:
            check_place(path, inputs)
    target = StreamTarget(stream, "standard output", path=None, is_gzip=False)
    formats = _Formats(_LINES, format_of(str(failures), default_format), pending_format)
    return _sink(_layout(columns, formats, options), formats, target, failures, pending)


class _Formats(Struct, frozen=True):
    results: OutputFormat
    failures: OutputFormat
    pending: OutputFormat


def _layout(columns: tuple[str, ...] | None, formats: _Formats, options: SinkOptions) -> Layout:
    return Layout(
        columns,
        results=formats.results,
        failures=formats.failures,
        pending=formats.pending,
        options=options,
    )


def _sink(
    layout: Layout, formats: _Formats, results: Target, failures: Path, pending: Path | None
) -> FileSink:
    return FileSink(
        layout,
        results=results,
        failures=_optional(failures, formats.failures, mark=FAILURES_MARK),
        pending=None if pending is None else _optional(pending, formats.pending),
    )


def _optional(path: Path, form: OutputFormat, mark: bytes | None = None) -> OptionalTarget:
    return OptionalTarget(
        partial(open_target, path, is_gzip=form.is_gzip), partial(remove, path, mark=mark)
    )


def _check_places(
    results: Path, failures: Path, pending: Path | None, inputs: Sequence[Path]
) -> None:
    """Refuse outputs that would destroy an input or each other."""
    named = [(results, "results"), (failures, "failures")]
    if pending is not None:
        named.append((pending, "pending rows"))
    for path, _ in named:
        check_place(path, inputs)
    files = [(resolved(path), path, name) for path, name in named if not is_device(path)]
    for (final, path, name), (other, _, other_name) in combinations(files, 2):
        if final == other:
            raise UsageError(
                f"{path}: {name} and {other_name} cannot be the same file; choose another with "
                "--failures."
            )


def check_place(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that would destroy an input or cannot be written.

    Arguments:
        path: the output.
        inputs: files that are read.

    Raises:
        UsageError: it is a directory, one of `inputs`, or in no directory.
        OutputError: its directory cannot be written.
    """
    if is_device(path):
        return
    final = resolved(path)
    if final.is_dir():
        raise UsageError(f"{path}: is a directory; name a file in it.")
    if not final.parent.is_dir():
        raise UsageError(f"{path}: there is no directory {final.parent}; create it first.")
    for source in inputs:
        if any(is_same_file(written, source) for written in (final, partial_of(path))):
            raise UsageError(
                f"{path}: this would overwrite the input {source}; choose another output."
            )
    if not os.access(final.parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"{path}: the directory {final.parent} cannot be written; choose another place."
        )


def is_same_file(written: Path, source: Path) -> bool:
    """Return whether both are one file, by path or by a link."""
    if resolved(written) == resolved(source):
        return True
    try:
        return written.samefile(source)
    except OSError:
        return False  # one of them does not exist

"""Where files go: beside the input, or in the user's directories."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs
from msgspec import Struct

from inference_forge.adapters.private_directory import make_private_directory
from inference_forge.adapters.sinks.targets import is_device
from inference_forge.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

APP_NAME: Final = "inference-forge"
STDIN: Final = "-"
STDOUT: Final = "-"
WRITTEN_SUFFIXES: Final = (".results",)
# A workbook cannot be written a block at a time as lines can: its rows come out as CSV.
_WRITTEN_AS: Final = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx", ".xltm", ".xls"), ".csv"),
    ".pq": ".parquet",
}
OWN_SUFFIXES: Final = (".results", ".failures", ".pending")


class Places(Struct, frozen=True):
    """The user's directories; they may not exist yet."""

    cache: Path
    state: Path
    config: Path


class Targets(Struct, frozen=True):
    """Where one input's rows go; `results` is None for stdout."""

    results: Path | None
    failures: Path
    pending: Path


def user_places(environ: Mapping[str, str], warn: Callable[[str, str], None]) -> Places:
    """Return the platform's user directories; without HOME, a private temporary one."""
    if environ.get("HOME"):
        return Places(
            cache=platformdirs.user_cache_path(APP_NAME),
            state=platformdirs.user_state_path(APP_NAME),
            config=platformdirs.user_config_path(APP_NAME),
        )
    base = _private_temporary_directory()
    warn(
        "no_home",
        f"HOME is not set, so the cache and state are kept in {base}; set HOME or --cache-dir "
        "to keep answers between runs",
    )
    return Places(cache=base / "cache", state=base / "state", config=base / "config")


def targets_for(
    input_name: str,
    *,
    output: str | None,
    failures: str | None,
    pending_suffix: str,
    state_dir: Path,
    run_id: str,
) -> Targets:
    """Return where the rows of `input_name` go.

    Arguments:
        input_name: a path, or `-` for stdin.
        output: the user's choice, `-` for stdout, None for the default.
        failures: the user's choice, None for the default.
        pending_suffix: that of the input's format: pending rows are to be read again.
        state_dir: holds the failures of a run that writes to stdout.
        run_id: names them.

    Raises:
        OutputError: the directory for failures cannot be created.
    """
    results = results_path(input_name, output)
    if results is not None and not is_device(results):
        stem, suffix = split_suffix(results.name)
        stem = stem.removesuffix(".results")
        return Targets(
            results,
            Path(failures)
            if failures is not None
            else results.with_name(f"{stem}.failures{suffix}"),
            results.with_name(f"{stem}.pending{pending_suffix}"),
        )
    if failures is not None:
        stem = split_suffix(Path(failures).name)[0].removesuffix(".failures")
        pending = Path(failures).with_name(f"{stem}.pending{pending_suffix}")
        return Targets(results, Path(failures), pending)
    directory = state_dir / "failures"
    try:
        make_private_directory(directory)
    except OSError as exc:
        raise OutputError(
            f"{directory}: cannot be created for failures: {exc.strerror}; name a file with "
            "--failures"
        ) from exc
    return Targets(
        results,
        directory / f"{run_id}.failures.jsonl",
        directory / f"{run_id}.pending{pending_suffix}",
    )


def is_own_output(path: Path) -> bool:
    """Tell whether `path` is named like a file that forge writes."""
    return split_suffix(path.name)[0].endswith(OWN_SUFFIXES)


def split_suffix(name: str) -> tuple[str, str]:
    """Return a file name's stem and its suffix, `.gz` taken together with what is before it."""
    path = Path(name)
    if path.suffix.lower() == ".gz":
        inner = Path(path.stem)
        return inner.stem, inner.suffix + path.suffix
    return path.stem, path.suffix


def results_path(input_name: str, output: str | None) -> Path | None:
    """Return the results file of an input, None for stdout.

    Raises:
        UsageError: the input is named like one of forge's own outputs.
    """
    if output == STDOUT or (output is None and input_name == STDIN):
        return None
    if output is not None:
        if not output.strip():
            raise UsageError("-o is empty: name a results file, or - for standard output")
        return Path(output)
    path = Path(input_name)
    stem, suffix = split_suffix(path.name)
    if stem.endswith(WRITTEN_SUFFIXES):
        raise UsageError(
            f"{path}: looks like a file that forge wrote; give the original export, or choose "
            "the results file with -o"
        )
    return path.with_name(f"{stem}.results{_WRITTEN_AS.get(suffix.lower(), suffix)}")


def _private_temporary_directory() -> Path:
    """Return a directory that only this user can have made; the same in every run if possible."""
    uid = os.getuid()
    path = Path(tempfile.gettempdir()) / f"{APP_NAME}-{uid}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix=f"{APP_NAME}-"))
    if path.is_symlink() or found.st_uid != uid or found.st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix=f"{APP_NAME}-"))
    return path

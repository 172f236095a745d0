"""Which of the named inputs are read."""

from __future__ import annotations

import glob
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.app.places import STDIN, STDOUT, is_own_output, results_path
from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.settings import Settings


GLOB: Final = re.compile(r"[*?\[]")


class Input(Struct, frozen=True):
    """What is read as one.

    Attributes:
        names: paths, or `-` for stdin; several when they go into one results file.
    """

    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return what messages call it."""
        more = len(self.names) - 1
        return f"{self.names[0]} and {more} more" if more else self.names[0]

    @property
    def paths(self) -> list[Path]:
        """Return the files."""
        return [Path(name) for name in self.names if name != STDIN]


def chosen_inputs(
    names: Sequence[str], settings: Settings, note: Callable[[str, str], None]
) -> list[Input]:
    """Return the inputs to read, in order, after looking for what would fail half-way.

    One input is taken as it is. Of several (`forge classify *.csv`) those that forge wrote itself
    are left out. A pattern that the shell did not expand (`'exports/*.csv'`) is expanded here.

    Arguments:
        names: paths, patterns, or `-` for stdin; at least one.
        settings: with `output`, several inputs are read as one; `failures` alone names one file
            and so allows one input.
        note: takes a code and what was left out.

    Raises:
        UsageError: standard output is to take failures, several inputs for one failures file,
            two inputs whose results have the same name, or standard input twice.
        InputError: one of several does not exist, or nothing fits a pattern.
    """
    if settings.failures == STDOUT:
        raise UsageError(
            "--failures -: standard output takes results only, so that no failure is taken for "
            "one: name a file"
        )
    if settings.seed and settings.sample is None:
        note("seed_unused", "--seed says nothing without --sample: all rows are read")
    expanded = [found for name in names for found in _expanded(name)]
    if len(expanded) == 1 and len(names) == 1 and expanded[0] == names[0]:
        return [Input((names[0],))]
    if expanded.count(STDIN) > 1:
        raise UsageError("standard input (-) can be read only once: name it once")
    expanded = _each_once(expanded, note)
    if settings.failures is not None and settings.output is None and len(expanded) > 1:
        raise UsageError(
            f"several inputs get two files each, and --failures names one ({settings.failures}): "
            "leave it out, or add -o for one results file"
        )
    chosen = _without_own(expanded, note)
    if settings.output is not None:
        return [Input(tuple(chosen))]
    _check_results(chosen)
    return [Input((name,)) for name in chosen]


def _expanded(name: str) -> list[str]:
    try:
        is_directory = name != STDIN and Path(name).is_dir()
    except OSError as exc:  # a name that is too long, for example
        raise InputError(f"cannot be opened: {exc.strerror}", path=name) from exc
    if is_directory:
        raise InputError(
            f"is a directory: name the files in it, for example {name.rstrip('/')}/*.csv", path=name
        )
    if name == STDIN or not GLOB.search(name) or Path(name).exists():
        return [name]
    # Path.glob takes no absolute pattern.
    matches = glob.glob(name, recursive=True)  # noqa: PTH207
    found = sorted(path for path in matches if Path(path).is_file())
    if not found:
        raise InputError("no file fits this pattern; check it", path=name)
    return found


def _each_once(names: Sequence[str], note: Callable[[str, str], None]) -> list[str]:
    """Return the names without further ones of the same file, whose rows would come out twice."""
    found: dict[object, str] = {}
    again: list[str] = []
    for name in names:
        key = _identity(name)
        if key in found:
            again.append(f"{name} is {found[key]}" if name != found[key] else name)
        else:
            found[key] = name
    if again:
        note("named_twice", f"named more than once, and read once: {', '.join(again)}")
    return list(found.values())


def _identity(name: str) -> object:
    """Return what is the same for all names of a regular file, and else the name."""
    try:
        status = Path(name).stat()
    except (OSError, ValueError):
        return name
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else name


def _check_results(names: Sequence[str]) -> None:
    """Refuse `tickets.csv` beside `tickets.xlsx`, whose rows come out as CSV too."""
    taken: dict[Path | None, str] = {}
    for name in dict.fromkeys(names):
        results = results_path(name, None)
        other = taken.setdefault(results, name)
        if results is not None and other != name:
            raise UsageError(
                f"{other} and {name} would both be written to {results}: run them one by one, "
                "with -o for one of them"
            )


def _without_own(names: Sequence[str], note: Callable[[str, str], None]) -> list[str]:
    own = [name for name in names if name != STDIN and is_own_output(Path(name))]
    chosen = [name for name in names if name not in own]
    if not chosen:
        raise UsageError(
            "every input looks like a file that forge wrote; give the original exports"
        )
    for name in chosen:
        if name != STDIN and not Path(name).exists():
            raise InputError("there is no such file; check the name", path=name)
    if own:
        note(
            "own_output",
            f"not read, because they are named like files that forge writes: {', '.join(own)}",
        )
    return chosen

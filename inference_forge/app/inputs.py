"""Which of the named inputs are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.app.places import STDIN, is_own_output
from inference_forge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.settings import Settings


def chosen_inputs(
    names: Sequence[str], settings: Settings, note: Callable[[str, str], None]
) -> list[str]:
    """Return the inputs to read, in order, after looking for what would fail half-way.

    One input is taken as it is. Of several (`forge classify *.csv`) those that forge wrote itself
    are left out.

    Arguments:
        names: paths, or `-` for stdin; at least one.
        settings: `output` and `failures` name one file and so allow one input.
        note: takes a code and what was left out.

    Raises:
        UsageError: several inputs for one output, or standard input twice.
        InputError: one of several does not exist.
    """
    if len(names) == 1:
        return list(names)
    _check_several(names, settings)
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
        note("own_output", f"not read, because forge wrote it: {', '.join(own)}")
    return chosen


def _check_several(names: Sequence[str], settings: Settings) -> None:
    for flag, value in (("-o", settings.output), ("--failures", settings.failures)):
        if value is not None:
            raise UsageError(
                f"several inputs get a file each, and {flag} names one ({value}): leave it out, "
                "or give one input"
            )
    if list(names).count(STDIN) > 1:
        raise UsageError("standard input (-) can be read only once: name it once")

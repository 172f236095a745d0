"""`forge providers`: who could answer, and who is ready to."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer
from msgspec import to_builtins

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.loading import load_surroundings
from inference_forge.cli.streams import say, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.jobs.providers import Listed
    from inference_forge.settings import Loaded

_COLUMNS: Final = (
    "PROVIDER", "READY", "WHY", "MODEL", "ADDRESS", "KEY", "FORM", "PRICE", "LIMITS", "WIRE",
    "SOURCE",
)  # fmt: skip
_DISPENSABLE: Final = (
    "SOURCE", "WIRE", "LIMITS", "FORM", "PRICE", "ADDRESS", "KEY", "MODEL",
)  # fmt: skip
"""What a narrow terminal does without, the first first; all of it stands in the long form."""

_READY: Final = {True: "yes", False: "no", None: "?"}


@reports_errors
def providers(
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Show these in full.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print a JSON object a line, all fields.", show_default=False),
    ] = False,
    is_checking: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check",
            help="Ask hosted providers too whether they accept the key, or ask nobody at all.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List providers, what is known of each, and who is ready here and now.

    READY is yes when the key is set, or the server answers that needs none; ? when nobody asked.
    By itself this asks such servers only, on this machine or in your own settings file, for their
    models. No key is shown, and nothing that costs money is sent.
    """
    from inference_forge.jobs.providers import ProvidersJob, list_providers  # noqa: PLC0415

    loaded = load_surroundings({}).loaded
    rows = list_providers(ProvidersJob(loaded, os.environ, tuple(names or ()), is_checking))
    if as_json:
        for row in rows:
            show(json.dumps(_as_json(row)))
        return
    for line in _in_full(rows) if names else _table(rows, _width()):
        show(line)
    _say_next(rows, loaded)


def _as_json(row: Listed) -> dict[str, object]:
    """Return all fields, what is empty as null."""
    return {name: None if value == "" else value for name, value in to_builtins(row).items()}


def _width() -> int | None:
    """Return the columns of the terminal, None where nobody looks at lines by their length."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def _table(rows: Sequence[Listed], width: int | None) -> list[str]:
    """Return a line each, or a few where the terminal is too narrow for columns."""
    cells = [_cells(row) for row in rows]
    shown = list(_COLUMNS)
    widths = {name: max(len(name), *(len(row[name]) for row in cells)) for name in _COLUMNS}
    for name in _DISPENSABLE:
        if width is None or _total(shown, widths) <= width:
            break
        shown.remove(name)
    if width is not None and _total(shown, widths) > width:
        return [line for row in cells for line in _narrow(row)]
    headings = {name: name for name in _COLUMNS}
    return [
        "  ".join(row[name].ljust(widths[name]) for name in shown).rstrip()
        for row in (headings, *cells)
    ]


def _total(shown: Sequence[str], widths: dict[str, int]) -> int:
    return sum(widths[name] for name in shown) + 2 * (len(shown) - 1)


def _narrow(row: dict[str, str]) -> list[str]:
    return [f"{row['PROVIDER']}: {row['READY']}", f"  {row['WHY']}"]


def _cells(row: Listed) -> dict[str, str]:
    from inference_forge.jobs.providers.listing import price_in_words  # noqa: PLC0415

    return {
        "PROVIDER": row.name,
        "READY": _READY[row.is_ready],
        "WHY": row.said,
        "MODEL": row.default_model or "none: --model",
        "ADDRESS": row.base_url or "-",
        "KEY": row.key_env or "-",
        "FORM": row.structured or "-",
        "PRICE": price_in_words(row),
        "LIMITS": _limits(row),
        "WIRE": row.wire or "-",
        "SOURCE": row.source,
    }


def _limits(row: Listed) -> str:
    known = {"rpm": row.rpm, "tpm": row.tpm}
    named = [f"{value:,.0f} {unit}" for unit, value in known.items() if value is not None]
    return ", ".join(named) or ("learned" if row.wire else "-")


def _in_full(rows: Sequence[Listed]) -> list[str]:
    """Return every fact of the rows, one a line, and a blank line between two rows."""
    lines: list[str] = []
    for row in rows:
        cells = _cells(row)
        if row.key_env:
            cells["KEY"] += f" ({'set' if row.is_key_set else 'not set'})"
        lines += [*([""] if lines else []), *(_fact(name, cells[name]) for name in _COLUMNS)]
        lines += [_fact("ADVICE", row.advice)] if row.advice else []
        lines += [_fact("SERVES", name) for name in row.models]
        lines += [_fact("PRICED", name) for name in row.priced_models]
    return lines


def _fact(name: str, value: str) -> str:
    return f"{name.lower():<10}  {value}"


def _say_next(rows: Sequence[Listed], loaded: Loaded) -> None:
    """Say on stderr what can be typed next."""
    for row in rows:
        if row.is_ready and row.example:
            say(f"try: {row.example}")
    for listed in loaded.allowed:
        say(f"{listed.place} permits only {', '.join(listed.patterns)}")

"""`forge cache`: look at the cache, clear it, prune it, read its failures again."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.help_pages import Group
from inference_forge.cli.loading import load_surroundings
from inference_forge.cli.streams import show
from inference_forge.core.terminal import safe_line
from inference_forge.errors import SettingsError, UsageError
from inference_forge.settings import parse_duration

if TYPE_CHECKING:
    from inference_forge.settings import Settings

app = typer.Typer(
    cls=Group, no_args_is_help=True, rich_markup_mode=None, help="Look after the answer cache."
)

CacheDir = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        metavar="PATH",
        help="The cache. [default: the user's cache directory; env: FORGE_CACHE_DIR]",
        show_default=False,
    ),
]


def _directory(given: Path | None) -> Path:
    return _settings({"cache_dir": given})[1]


def _settings(flags: dict[str, Any]) -> tuple[Settings, Path]:
    """Return the settings, and the cache directory that they mean."""
    loaded, places = load_surroundings(flags)
    return loaded.settings, loaded.settings.cache_dir or places.cache


@app.command()
@reports_errors
def stats(cache_dir: CacheDir = None) -> None:
    """Show how many answers the cache holds, by model, and how large it is."""
    from inference_forge.adapters.cache import stats as read_stats  # noqa: PLC0415

    found = read_stats(_directory(cache_dir))
    show(f"path       {found.path}")
    show(f"answers    {found.entries:,} ({found.unparsed:,} without a valid label)")
    if found.unusable:
        show(f"unusable   {found.unusable:,} (another version's)")
    show(f"size       {found.bytes_on_disk / 1e6:,.1f} MB")
    if found.oldest_s is not None and found.newest_s is not None:
        show(f"stored     {_date(found.oldest_s)} to {_date(found.newest_s)} (UTC)")
    for model, entries in sorted((found.by_model or {}).items()):
        show(f"model      {model}: {entries:,}")
    for path in found.set_aside:
        show(f"set aside  {path} (damaged; delete it when you do not need it)")


@app.command()
@reports_errors
def clear(
    *,
    cache_dir: CacheDir = None,
    is_confirmed: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)
    ] = False,
) -> None:
    """Delete every answer; they must be paid for again."""
    from inference_forge.adapters.cache import clear as clear_cache  # noqa: PLC0415

    directory = _directory(cache_dir)
    if not is_confirmed and not _is_sure(directory):
        raise UsageError(f"nothing was deleted from {directory}; --yes deletes without asking")
    show(f"deleted {clear_cache(directory):,} answers from {directory}")


@app.command()
@reports_errors
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="For example 30d or 12h.")
    ],
    cache_dir: CacheDir = None,
) -> None:
    """Delete answers older than a given age."""
    from inference_forge.adapters.cache import prune as prune_cache  # noqa: PLC0415

    try:
        age_s = parse_duration(older_than)
    except ValueError as exc:
        raise SettingsError(f"--older-than: {older_than!r} is no duration: {exc}") from exc
    directory = _directory(cache_dir)
    deleted = prune_cache(directory, age_s, time.time)  # noqa: TID251 - nothing to inject here
    show(f"deleted {deleted:,} answers from {directory}")


@app.command()
@reports_errors
def reparse(
    taxonomy: Annotated[
        Path | None,
        typer.Option(
            "--taxonomy",
            metavar="PATH",
            help="TOML file with the labels that were asked for."
            " [default: built-in; env: FORGE_TAXONOMY]",
            show_default=False,
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--fields",
            metavar="TEXT",
            help="The fields that were asked for. [default: all; env: FORGE_FIELDS]",
            show_default=False,
        ),
    ] = None,
    cache_dir: CacheDir = None,
) -> None:
    """Read answers without a valid label again, and keep the labels found; makes no call."""
    from inference_forge.adapters.cache import reparse as reparse_cache  # noqa: PLC0415
    from inference_forge.app.taxonomy_file import load_asked  # noqa: PLC0415
    from inference_forge.core.parse import AnswerParser  # noqa: PLC0415

    settings, directory = _settings(
        {"cache_dir": cache_dir, "taxonomy": taxonomy, "fields": fields or None}
    )
    parser = AnswerParser(load_asked(settings).taxonomy)
    found = reparse_cache(directory, parser.parse)
    show(f"{found.unparsed:,} answers had no valid label; {found.parsed:,} of them have one now")


def _is_sure(directory: Path) -> bool:
    """Ask on the terminal; without one nobody can say yes."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    return typer.confirm(f"Delete every answer in {safe_line(str(directory))}?", err=True)


def _date(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M")

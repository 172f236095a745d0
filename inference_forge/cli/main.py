"""The `forge` command and its sub-commands."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import Annotated, Any, Final

import typer

from inference_forge.cli.commands import Commands
from inference_forge.cli.help_pages import WIDEST
from inference_forge.cli.streams import occupy_closed_descriptors, say, tolerated
from inference_forge.core.terminal import safe_line
from inference_forge.errors import OutputError

EXIT_SIGINT: Final = 130

GARBAGE_THRESHOLDS: Final = (100_000, 10, 10)
"""When Python looks for cycles, instead of (700, 10, 10): rows are many objects and make none, so
that a cached run takes a fifteenth less time, and a thousand calls in flight an eighth less.
Starting up ends before the first look. What calls leave behind does not show in a run's memory."""

COMPLETION: Final = "_FORGE_COMPLETE"
"""Set by the script of a shell that completes a line."""

app = typer.Typer(
    name="forge",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
)
# typer carries its own copy of click since 0.2x; this is the base of the usage errors of either.
_ClickException: Any = typer.BadParameter.__mro__[2]


def _show_version(*, is_wanted: bool) -> None:
    if is_wanted:
        from inference_forge.version import version_text  # noqa: PLC0415 - not for --help

        typer.echo(version_text())
        raise typer.Exit


@app.callback()
def forge(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version on a line; forge version tells more.",
            is_eager=True,
            callback=lambda value: _show_version(is_wanted=value),
        ),
    ] = False,
    is_debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Show where errors come from, and a line for each request.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """Classify a ticket export with any language model."""
    from inference_forge.cli.debugging import set_debug  # noqa: PLC0415 - not for --help

    set_debug(is_on=is_debug)


def main() -> None:
    """Run the command line and exit with its code."""
    occupy_closed_descriptors()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    if COMPLETION in os.environ:
        _complete()
    sys.exit(_run())


def _complete() -> None:
    """Answer a shell that asks what may stand at the cursor; leave it to typer if we do not."""
    from inference_forge.cli.completion import answer  # noqa: PLC0415 - not for --help

    answered = answer(typer.main.get_command(app), os.environ)
    if answered is not None:
        typer.echo(answered[0], nl=False)
        sys.exit(answered[1])


def _run() -> int:
    """Return the exit code; commands report their own errors, the rest is the parser's."""
    try:
        code = app(prog_name="forge", standalone_mode=False)
    except _ClickException as error:
        _show_refusal(error)
        return int(error.exit_code)
    except typer.Abort:
        return EXIT_SIGINT
    except OSError as exc:
        # Only --help and --version print outside of the commands.
        say(f"error: standard output cannot be written: {exc.strerror}")
        return OutputError.exit_code
    return code if isinstance(code, int) else 0


def _show_refusal(error: Any) -> None:
    """Print usage and message; words of the command line may be names of files, so any text."""
    shown = io.StringIO()
    error.show(file=shown)
    for line in shown.getvalue().splitlines():
        with tolerated():
            typer.echo(safe_line(line), err=True)

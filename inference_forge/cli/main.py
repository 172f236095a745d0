"""The `forge` command and its sub-commands."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any, Final

import typer

from inference_forge.cli.cache import app as cache_app
from inference_forge.cli.classify import classify
from inference_forge.cli.debugging import set_debug
from inference_forge.cli.doctor import doctor
from inference_forge.cli.eval import eval_
from inference_forge.cli.providers import providers
from inference_forge.cli.runs import runs
from inference_forge.cli.schema import schema
from inference_forge.cli.simulate import simulate
from inference_forge.cli.streams import occupy_closed_descriptors, say, tolerated
from inference_forge.cli.taxonomy import app as taxonomy_app
from inference_forge.cli.tune import tune
from inference_forge.core.terminal import safe_line
from inference_forge.errors import OutputError
from inference_forge.version import version_text

EXIT_SIGINT: Final = 130

app = typer.Typer(
    name="forge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(
    name="classify",
    no_args_is_help=True,
    short_help="Give every ticket a category, a priority and a summary.",
)(classify)
app.command(name="doctor", short_help="Check what a run needs, and say what to do.")(doctor)
app.command(name="eval", no_args_is_help=True, short_help="Measure how right results are.")(eval_)
app.command(name="providers", short_help="List providers and who is ready.")(providers)
app.command(name="runs", short_help="List past runs and how they ended.")(runs)
app.command(name="schema", no_args_is_help=True, short_help="Print a JSON Schema of events.")(
    schema
)
app.command(name="simulate", short_help="Serve a simulated model on 127.0.0.1.")(simulate)
app.command(
    name="tune",
    no_args_is_help=True,
    short_help="Measure which pack size a model bears.",
)(tune)
app.add_typer(cache_app, name="cache", short_help="Look at the answer cache, clear or prune it.")
app.add_typer(
    taxonomy_app, name="taxonomy", short_help="Make a taxonomy file, check it, show its prompt."
)

# typer carries its own copy of click since 0.2x; this is the base of the usage errors of either.
_ClickException: Any = typer.BadParameter.__mro__[2]


def _show_version(*, is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(version_text())
        raise typer.Exit


@app.callback()
def forge(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and what it runs on.",
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
    set_debug(is_on=is_debug)


def main() -> None:
    """Run the command line and exit with its code."""
    occupy_closed_descriptors()
    sys.exit(_run())


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

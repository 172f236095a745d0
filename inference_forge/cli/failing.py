"""What a person sees when a command fails, and the exit code."""

from __future__ import annotations

import functools
import sys
import traceback
from typing import TYPE_CHECKING, Final, ParamSpec

import typer

from inference_forge.cli.streams import say, silence_stdout, tolerated
from inference_forge.errors import ForgeError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")

EXIT_SIGPIPE: Final = 141
EXIT_INTERNAL: Final = 1


def reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Return `command` with every error turned into a message and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except ForgeError as error:
            say(f"error: {error}")
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            silence_stdout()
            raise typer.Exit(EXIT_SIGPIPE) from None
        except (typer.Exit, typer.Abort, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - the last place where anything can be said
            with tolerated():
                traceback.print_exc(file=sys.stderr)
            say(f"internal error: {type(error).__name__}; please report it with the lines above")
            raise typer.Exit(EXIT_INTERNAL) from None

    return wrapped

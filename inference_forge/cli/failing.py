"""What a person sees when a command fails, and the exit code."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, ParamSpec

import typer

from inference_forge.cli.debugging import known_secrets, show_error, show_traceback
from inference_forge.cli.streams import end_log, say, silence_stdout
from inference_forge.errors import ForgeError
from inference_forge.levels import LogLevel

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
            show_error(error)
            say(f"error: {known_secrets().text(str(error))}", LogLevel.ERROR)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            silence_stdout()
            raise typer.Exit(EXIT_SIGPIPE) from None
        except (typer.Exit, typer.Abort, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - the last place where anything can be said
            show_traceback(error)
            say(
                f"internal error: {type(error).__name__}; please report it with the "
                "lines above and what `forge version` says",
                LogLevel.ERROR,
            )
            raise typer.Exit(EXIT_INTERNAL) from None
        finally:
            end_log()

    return wrapped

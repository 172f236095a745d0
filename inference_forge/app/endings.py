"""What an error that ends a run means to whoever started it."""

from __future__ import annotations

import signal
from typing import Final

from inference_forge.errors import ForgeError

EXIT_INTERNAL: Final = 1


def exit_code_of(error: BaseException) -> int:
    """Return the exit code that the command line gives for an error."""
    match error:
        case ForgeError():
            return error.exit_code
        case BrokenPipeError():
            return 128 + signal.SIGPIPE
        case KeyboardInterrupt():
            return 128 + signal.SIGINT
        case _:
            return EXIT_INTERNAL


def reason_of(error: BaseException) -> str:
    """Return in words why a run ended."""
    match error:
        case ForgeError():
            return str(error)
        case BrokenPipeError():
            return "whoever read standard output went away"
        case KeyboardInterrupt():
            return "stopped by SIGINT"
        case _:
            # Its message may hold anything, tickets too.
            return f"internal error: {type(error).__name__}"

"""Which event loop a run gets."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from inference_forge.settings import HttpStack


def is_uvloop_used(stack: HttpStack) -> bool:
    """Tell whether a run uses uvloop, which the extra `[fast]` brings."""
    return stack is HttpStack.AUTO and find_spec("uvloop") is not None


def loop_options(stack: HttpStack) -> dict[str, Any]:
    """Return the options of `anyio.run`'s asyncio backend."""
    return {"use_uvloop": is_uvloop_used(stack)}

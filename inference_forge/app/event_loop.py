"""Which event loop a run gets."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import current_token

from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from collections.abc import Callable


def is_uvloop_used(stack: HttpStack) -> bool:
    """Tell whether a run uses uvloop, which the extra `[fast]` brings."""
    return stack is HttpStack.AUTO and find_spec("uvloop") is not None


def loop_options(stack: HttpStack) -> dict[str, Any]:
    """Return the options of `anyio.run`'s asyncio backend."""
    return {"use_uvloop": is_uvloop_used(stack)}


def loop_clock() -> Callable[[], float]:
    """Return the running event loop's clock; `anyio.current_time` looks for the loop each time."""
    own: Callable[[], float] | None = getattr(current_token().native_token, "time", None)
    return own or anyio.current_time

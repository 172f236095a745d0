"""What speaks HTTP here: the choice, and what is installed for it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inference_forge.adapters.http.replies import H11Reader
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from inference_forge.adapters.http.replies import MakeReader


def is_httptools_there() -> bool:
    """Tell whether the parser of the extra `[fast]` is installed."""
    return find_spec("httptools") is not None


def reader_of(stack: HttpStack) -> MakeReader | None:
    """Return what reads replies; None when httpx's own transport is to do all of it."""
    if stack is HttpStack.HTTPX:
        return None
    if stack is HttpStack.AUTO and is_httptools_there():
        from inference_forge.adapters.http.replies_fast import (  # noqa: PLC0415 - not everywhere
            HttptoolsReader,
        )

        return HttptoolsReader
    return H11Reader

"""Runs a module's async tests over everything that speaks HTTP here.

A test module takes part by importing both fixtures. On trio there is httpx's own transport alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from inference_forge.adapters.http import stack, transport
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Speaker:
    """An event loop, and what speaks HTTP on it."""

    backend: str
    stack: HttpStack
    options: Mapping[str, bool] = field(default_factory=dict)


SPEAKERS = {
    "asyncio": Speaker("asyncio", HttpStack.AUTO),
    "uvloop": Speaker("asyncio", HttpStack.AUTO, {"use_uvloop": True}),
    "h11": Speaker("asyncio", HttpStack.PLAIN),
    "httpx": Speaker("asyncio", HttpStack.HTTPX),
    "trio": Speaker("trio", HttpStack.AUTO),
}


@pytest.fixture(params=list(SPEAKERS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, bool]]:
    """Return the event loop, as anyio's plugin wants it."""
    speaker = SPEAKERS[request.param]
    return speaker.backend, speaker.options


@pytest.fixture(autouse=True)
def http_stack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have clients that leave it open speak as the test's parameter says."""
    if "anyio_backend" in request.fixturenames:
        chosen = SPEAKERS[request.node.callspec.params["anyio_backend"]].stack
        monkeypatch.setattr(transport, "reader_of", lambda _: stack.reader_of(chosen))

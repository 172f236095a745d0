"""Asking once outside a run, where nobody counts requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference_forge.errors import WayRefused

if TYPE_CHECKING:
    from inference_forge.models import ModelAnswer, ModelRequest
    from inference_forge.ports import Provider


async def ask_any_way(provider: Provider, request: ModelRequest) -> ModelAnswer:
    """Return the answer to `request`, in whatever way the provider wants to be asked.

    Raises:
        ProviderError: as `Provider.ask`, but never `WayRefused`.
    """
    way: object = None
    while True:
        try:
            return await provider.ask(request, way)
        except WayRefused as error:
            way = error.way

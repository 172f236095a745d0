"""What every test gets: a watch over the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_blocks_the_event_loop() -> Iterator[None]:
    """Fail a test in which the package makes a blocking call inside asyncio's event loop."""
    with blockbuster_ctx("inference_forge"):
        yield

"""Every test here has a home, a current directory and an environment of its own."""

from __future__ import annotations

import pytest
from running import isolated

__all__ = ["isolated"]


@pytest.fixture(autouse=True)
def _isolated(isolated: object) -> None:
    pass

"""What every sweep needs: the library that strikes, and a way to say how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kill_sweep.preload import build_library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile preload.c once."""
    return build_library(tmp_path_factory.mktemp("preload"))


@pytest.fixture
def progress(
    capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Callable[[str], None]:
    """Give the test a way to print a line at once; a sweep takes minutes."""
    name = request.node.name

    def say(line: str) -> None:
        with capfd.disabled():
            print(f"\n  {name}: {line}", end="", flush=True)  # noqa: T201 - progress

    return say

"""The words around tickets."""

from __future__ import annotations

import re
from itertools import islice

from inference_forge.app.fences import fences


def test_every_fence_is_another_word_of_eight_digits() -> None:
    """Also beyond the block in which they are drawn, and in another run."""
    drawn = [*islice(fences(), 1_000), *islice(fences(), 1_000)]
    assert all(re.fullmatch("[0-9a-f]{8}", fence) for fence in drawn)
    assert len(set(drawn)) > 1_990

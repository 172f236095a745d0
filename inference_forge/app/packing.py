"""Whether and how tickets share requests, as the settings say."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.app.output_cap import output_cap
from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.plan import PackPlan, pack_plan
from inference_forge.core.packing.prompt import MAX_PACK_SIZE, build_pack_prompt, pack_names
from inference_forge.core.packing.reading import PackReader
from inference_forge.engine.call import PackForm
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.settings import Settings

AUTO: Final = "auto"
MIN_PACK_SIZE: Final = 2


class Packing(Struct, frozen=True):
    """How tickets share requests.

    Attributes:
        plan: which do.
        form: how they are asked about.
    """

    plan: PackPlan
    form: PackForm


def open_packing(settings: Settings, taxonomy: Taxonomy) -> Packing | None:
    """Return how tickets share requests, None when each has its own.

    Raises:
        SettingsError: the size is no size, or nothing is left to be coded.
    """
    size = _size(settings.pack_size)
    if not settings.pack:
        return None
    codes = CodeBook(taxonomy)
    numbers = random.SystemRandom()
    form = PackForm(
        prompt=build_pack_prompt(taxonomy, codes, max_output_tokens=output_cap(settings)),
        reader=PackReader(taxonomy, codes),
        names=lambda count: pack_names(count, numbers.sample),
    )
    return Packing(pack_plan(size), form)


def _size(text: str) -> int | None:
    """Return the most tickets in a pack, None for what suits their complexity."""
    if text.strip().lower() == AUTO:
        return None
    size = int(text) if text.strip().isdecimal() else 0
    if not MIN_PACK_SIZE <= size <= MAX_PACK_SIZE:
        raise SettingsError(
            f"--pack-size: {text!r} is no size; use auto, or {MIN_PACK_SIZE} to {MAX_PACK_SIZE}"
        )
    return size

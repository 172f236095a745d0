"""What people read about settings, and the kinds of values that several have."""

from __future__ import annotations

from typing import Annotated, Final

from annotated_types import Ge, Gt, Le
from msgspec import Struct

INPUT: Final = "Input"
SENT: Final = "What is sent"
OUTPUT: Final = "Output"
MODEL: Final = "Model"
LIMITS: Final = "Speed and patience"
MONEY: Final = "Money"
CACHE: Final = "Cache"
SCREEN: Final = "Screen"
WATCH: Final = "Watching"

Count = Annotated[int, Ge(1)]
Seconds = Annotated[float, Gt(0), Le(10 * 365 * 86_400)]


class Doc(Struct, frozen=True):
    """What people read about a setting.

    Attributes:
        text: one line for `--help`.
        group: the heading under which `--help` lists it.
        name: key in files and, with dashes, flag; the field's name when None.
        flag: spelling of the flag when it is not made from the name.
        is_duration: given as seconds or as text such as `90s`, `15m`, `1h30m`, `30d`.
        shown_default: how to show the default when its value says too little.
        several: the setting that it is when the flag is given more than once.
    """

    text: str
    group: str
    name: str | None = None
    flag: str | None = None
    is_duration: bool = False
    shown_default: str | None = None
    several: str | None = None

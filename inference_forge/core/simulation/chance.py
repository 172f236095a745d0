"""Chance without a random generator: numbers that only depend on what they are drawn for."""

from __future__ import annotations

import math
import struct
from hashlib import blake2b
from typing import Final

from msgspec import Struct

_PARTS: Final = struct.Struct("<6Q")
# A double holds 53 bits: of 64, the lower 11 would round up to 1.0.
_DROPPED_BITS: Final = 11
_UNIT: Final = 2.0**-53


class Chances(Struct, frozen=True):
    """What fell for one request; all but the last are uniform, from 0 to below 1.

    Attributes:
        fault: decides whether it ends in a fault, and in which.
        kind: decides which sort of that fault.
        disagreement: decides whether the usual labels are given.
        digits: names the answer.
        normal: standard normal, decides the latency.
    """

    fault: float
    kind: float
    disagreement: float
    digits: float
    normal: float


def text_key(text: str) -> bytes:
    """Return 16 bytes that stand for `text`."""
    return blake2b(text.encode(), digest_size=16).digest()


def draw(seed: int, key: bytes, ask: int) -> Chances:
    """Return what falls for the `ask`-th time (from 0) that a text is asked.

    Arguments:
        seed: the plan's.
        key: the text's, from `text_key`.
        ask: how often the text was asked before.
    """
    digest = blake2b(b"%d:%d:%b" % (seed, ask, key), digest_size=_PARTS.size).digest()
    numbers = [(part >> _DROPPED_BITS) * _UNIT for part in _PARTS.unpack(digest)]
    # Box and Muller, "A note on the generation of random normal deviates", 1958.
    radius = math.sqrt(-2.0 * math.log(1.0 - numbers[4]))
    normal = radius * math.cos(math.tau * numbers[5])
    return Chances(numbers[0], numbers[1], numbers[2], numbers[3], normal)


def rank(seed: int, *words: str) -> int:
    """Return a number for words in this order.

    Of several labels, the one of the highest rank is chosen: so the choice does not depend on
    the order in which they are listed.
    """
    text = "\x1f".join((str(seed), *words))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def chance_of(*words: str) -> float:
    """Return a number that only depends on words in this order, uniform from 0 to below 1."""
    return (rank(0, *words) >> _DROPPED_BITS) * _UNIT

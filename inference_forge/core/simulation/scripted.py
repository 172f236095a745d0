"""What to do with one request, decided beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class Chunk(Struct, frozen=True):
    """A piece of a streamed body; `delay_s` is the time since the piece before it."""

    delay_s: float
    data: bytes


class Scripted(Struct, frozen=True):
    """What to do with one request.

    Attributes:
        number: names the request when it is `finished`.
        status: HTTP status.
        headers: of the response, with lower case names; without a length.
        body: of the response; empty when it is streamed.
        delay_s: seconds until the first byte, or until the connection is reset.
        chunks: the pieces of a streamed body; empty when it is not.
        hangs: True to send nothing until the client leaves.
        resets: True to reset the connection instead of answering, or after the chunks.
    """

    number: int
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    delay_s: float = 0.0
    chunks: tuple[Chunk, ...] = ()
    hangs: bool = False
    resets: bool = False

"""Connecting to a host by whichever of its addresses answers first (RFC 8305).

For the event loop of asyncio alone, where a socket is needed that is not yet anybody's stream.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - see above
import socket
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

    Address = tuple[Any, ...]

ATTEMPT_DELAY_S: Final = 0.25
"""Until the next address is tried as well (RFC 8305, section 5)."""


async def connected_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to `host`.

    Raises:
        OSError: the name does not resolve (`socket.gaierror`), or no address can be reached.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = _in_order([(family, address) for family, _, _, _, address in found])
    if len(addresses) == 1:
        return await _connect(*addresses[0])
    won: list[socket.socket] = []
    faults: list[OSError] = []

    async def attempt(family: int, address: Address, ended: anyio.Event) -> None:
        try:
            connected = await _connect(family, address)
        except OSError as exc:
            faults.append(exc)
            ended.set()
            return
        if won:
            connected.close()
        else:
            won.append(connected)
        attempts.cancel_scope.cancel()

    async with anyio.create_task_group() as attempts:
        for family, address in addresses:
            ended = anyio.Event()
            attempts.start_soon(attempt, family, address, ended)
            with anyio.move_on_after(ATTEMPT_DELAY_S):
                await ended.wait()
    if not won:
        raise faults[-1]
    return won[0]


async def _connect(family: int, address: Address) -> socket.socket:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connecting, address)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _in_order(addresses: Sequence[tuple[int, Address]]) -> list[tuple[int, Address]]:
    """Return `addresses` with the families taking turns, the first one's first."""
    first = [each for each in addresses if each[0] == addresses[0][0]]
    others = [each for each in addresses if each[0] != addresses[0][0]]
    return [each for each in chain.from_iterable(zip_longest(first, others)) if each is not None]

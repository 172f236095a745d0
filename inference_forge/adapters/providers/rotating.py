"""Going on with a new key when the provider refuses the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.errors import FatalError, SettingsError, ThrottleError, TicketError, WayRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.adapters.providers.credentials import ApiKey
    from inference_forge.adapters.providers.http_provider import HttpProvider
    from inference_forge.adapters.threads import DedicatedThread
    from inference_forge.models import ModelAnswer, ModelRequest

REFUSED_KEY: Final = "unauthorized"
"""The code of a 401, and of a 403 that says that the key is at fault."""


class KeyPool:
    """The keys of one place, which is read again when one of them is refused.

    Every refused key leads to one reading at most, whoever is refused with it.

    Arguments:
        keys: read first, at least one.
        place: what messages call the place.
        read_again: returns the keys that are there now; may block. None when they cannot change.
        worker: runs it away from the event loop.
        note: told, by code and message, of keys that were read again.
        warn: told, likewise, why reading again fails.
    """

    def __init__(
        self,
        keys: Sequence[ApiKey],
        *,
        place: str,
        read_again: Callable[[], Sequence[ApiKey]] | None,
        worker: DedicatedThread,
        note: Callable[[str, str], None],
        warn: Callable[[str, str], None],
    ) -> None:
        self._used = list(keys)
        self._place = place
        self._read_again = read_again
        self._worker = worker
        self._note = note
        self._warn = warn
        self._successors: dict[ApiKey, ApiKey | None] = {}
        self._reading = anyio.Lock()

    def __repr__(self) -> str:
        """Show the place; never a key."""
        return f"<KeyPool {self._place}, {len(self._used)} keys>"

    def redact(self, text: str) -> str:
        """Return `text` with every key that was ever used here replaced by `***`."""
        for key in self._used:
            text = key.redact(text)
        return text

    async def successor(self, refused: ApiKey) -> ApiKey | None:
        """Return the key to go on with after `refused`, None when there is none."""
        async with self._reading:
            if refused not in self._successors:
                self._successors[refused] = await self._new_key()
            return self._successors[refused]

    def close(self) -> None:
        """Let the thread end; idempotent."""
        self._worker.close()

    async def _new_key(self) -> ApiKey | None:
        if self._read_again is None:
            return None
        try:
            found = await self._worker.run(self._read_again)
        except SettingsError as error:
            self._warn("key_not_read", f"the key was refused, and reading it again fails: {error}")
            return None
        new = next((key for key in found if key not in self._used), None)
        if new is not None:
            self._used.append(new)
            self._note("key_read_again", f"the key was refused; {self._place} has a new one")
        return new


class RotatingProvider:
    """Asks with the key of the moment; implements `ports.Provider`.

    A request that is refused for its key is to be sent once more when the place has another one
    now: `WayRefused` says so. A new key that never got an answer is not replaced again, so a place
    that gives another bad key each time is not asked for ever.

    Arguments:
        inner: asks; its first key is `api_key`.
        api_key: the first key.
        pool: knows what comes after it.
    """

    def __init__(self, inner: HttpProvider, api_key: ApiKey, pool: KeyPool) -> None:
        self._inner = inner
        self._key = api_key
        self._pool = pool
        self._may_replace = True

    def __repr__(self) -> str:
        """Show the provider behind."""
        return repr(self._inner)

    @property
    def model(self) -> str:
        """The model asked for."""
        return self._inner.model

    @property
    def generation(self) -> Mapping[str, object]:
        """What changes answers."""
        return self._inner.generation

    @property
    def address(self) -> str:
        """Method, host and path of every request."""
        return self._inner.address

    async def ask(self, request: ModelRequest, way: object = None) -> ModelAnswer:
        """Send one request.

        Raises:
            WayRefused: as `HttpProvider.ask`, or its key is refused and there is a new one.
            ProviderError: as `HttpProvider.ask`.
        """
        key = self._key
        try:
            answer = await self._inner.ask(request, way)
        except (TicketError, ThrottleError, WayRefused):
            self._accepted(key)
            raise
        except FatalError as error:
            if error.code != REFUSED_KEY or not await self._replace(key):
                raise
            raise WayRefused(error.detail, code=error.code, status=error.status, way=way) from error
        self._accepted(key)
        return answer

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        self._pool.close()
        await self._inner.aclose()

    def _accepted(self, key: ApiKey) -> None:
        # A late answer to the key of before says nothing about the present one.
        self._may_replace |= key == self._key

    async def _replace(self, refused: ApiKey) -> bool:
        """Take the key after `refused`; tell whether there is one."""
        if self._key == refused and self._may_replace:
            new = await self._pool.successor(refused)
            if new is not None and self._key == refused:
                self._key = new
                self._may_replace = False
                self._inner.use_key(new)
        return self._key != refused

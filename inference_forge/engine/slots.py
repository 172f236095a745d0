"""What passes through the gate: who asks for a slot, and the slot."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    import anyio

    from inference_forge.core.backoff import RetryGrant
    from inference_forge.core.breaker import Permit
    from inference_forge.core.pacing import Sent


class TryKind(StrEnum):
    """Why a slot is asked for.

    `ANOTHER_WAY` goes before all others: what it finds out, they need not.
    """

    FIRST = "first"
    ANOTHER_WAY = "another_way"
    REPAIR = "repair"
    RETRY = "retry"
    RETRY_AFTER_THROTTLE = "retry_after_throttle"


class Slot(Struct, frozen=True, eq=False):
    """Leave for one try; must come back through `succeeded`, `failed` or `release`."""

    permit: Permit
    grant: RetryGrant | None
    sent: Sent


class Waiter(Struct, eq=False):
    """A ticket that waits for a slot; woken without one when it is to go elsewhere."""

    kind: TryKind
    tokens: int
    may_divert: Callable[[], bool] | None
    woken: anyio.Event
    slot: Slot | None = None

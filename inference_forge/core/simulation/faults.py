"""Which fault a request ends in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from inference_forge.core.simulation.refused import Refused

if TYPE_CHECKING:
    from inference_forge.core.simulation.plan import SimulationPlan

ERROR_STATUSES: Final = (500, 502, 503, 504)


class Fault(StrEnum):
    """What goes wrong with a request."""

    HANG = "hang"
    RESET = "reset"
    ERROR = "error"
    THROTTLE = "throttle"
    MALFORMED = "malformed"
    BREAK = "break"


def choose_fault(plan: SimulationPlan, share: float) -> Fault | None:
    """Return the fault that falls to `share` (0 to below 1), None for none.

    Each fault has a part of the line from 0 to 1 that is as long as its share of the requests.
    """
    end = 0.0
    for fault, length in (
        (Fault.HANG, plan.hang_rate),
        (Fault.RESET, plan.reset_rate),
        (Fault.ERROR, plan.error_rate),
        (Fault.THROTTLE, plan.throttle_rate),
        (Fault.MALFORMED, plan.malformed_rate),
        (Fault.BREAK, plan.break_rate),
    ):
        end += length
        if share < end:
            return fault
    return None


def trouble(kind: float) -> Refused:
    """Return the error of a server that has trouble of its own; `kind` is 0 to below 1."""
    status = ERROR_STATUSES[int(kind * len(ERROR_STATUSES))]
    return Refused(status, f"simulated trouble ({status})", kind="server_error")


def throttled(wait_s: float) -> Refused:
    """Return the error of a server that asks for less, whatever its limits say."""
    return Refused(
        429,
        "too many requests (simulated)",
        kind="requests",
        code="rate_limit_exceeded",
        wait_s=wait_s,
    )


def outage(status: int) -> Refused:
    """Return the error of a server that is down."""
    return Refused(status, f"simulated outage ({status})", kind="server_error")

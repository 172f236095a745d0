"""When a run must stop."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from inference_forge.errors import LimitReached, SettingsError
from inference_forge.settings import parse_duration

if TYPE_CHECKING:
    from datetime import datetime

    from inference_forge.engine.control import RunControl


def seconds_until(deadline: str | None, now: datetime) -> float | None:
    """Return the seconds from `now` to a deadline, None without one.

    Arguments:
        deadline: a time of day such as `06:00`, whose next occurrence is meant, or a duration.
        now: the local time, with its zone.

    Raises:
        SettingsError: it is neither.
    """
    if deadline is None:
        return None
    clock = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", deadline.strip())
    if clock is None:
        try:
            return parse_duration(deadline)
        except ValueError as exc:
            raise SettingsError(
                f"--deadline: {deadline!r} is neither a time such as 06:00 nor a duration: {exc}"
            ) from exc
    at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
    if at <= now:
        at += timedelta(days=1)
    return (at - now).total_seconds()


async def obey_deadline(control: RunControl, deadline_s: float | None) -> None:
    """Stop a measurement after so many seconds; None lets it go on."""
    if deadline_s is not None:
        await anyio.sleep(deadline_s)
        control.stop(LimitReached("the deadline (--deadline) is reached"))

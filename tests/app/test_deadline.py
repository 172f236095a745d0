"""When a run must stop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from running import forge, tickets

from inference_forge.app.deadline import seconds_until
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [
        (None, None),
        ("90m", 5400),
        ("12:30", 1800),
        ("06:00", 18 * 3600),
        ("6:00", 18 * 3600),
        ("12:00", 24 * 3600),
    ],
)
def test_a_time_is_its_next_occurrence_and_a_duration_counts_from_now(
    deadline: str | None, seconds: float | None
) -> None:
    """In local time."""
    assert seconds_until(deadline, NOON) == seconds


@pytest.mark.parametrize("deadline", ["25:00", "soon", "12:60", ""])
def test_anything_else_is_refused(deadline: str) -> None:
    """The message shows both forms."""
    with pytest.raises(SettingsError, match="neither a time such as 06:00 nor a duration"):
        seconds_until(deadline, NOON)


def test_a_run_stops_with_6_at_its_deadline(isolated: Path) -> None:
    """What is done is kept, the rest is pending."""
    tickets(isolated / "in.csv", *(f"ticket {n}" for n in range(50)))
    done = forge(
        *("classify", "in.csv", "--provider", "simulated", "--simulation", "latency=0.3"),
        *("--concurrency", "1", "--deadline", "1s", "--grace", "2s"),
    )
    assert done.code == 6
    assert "the deadline (--deadline) is reached" in done.last
    assert not (isolated / "in.results.csv").exists()

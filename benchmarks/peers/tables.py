"""What was measured, as Markdown, and whether forge kept its promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients import FORGE
from scenarios import IN_FLIGHT, SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenarios import Scenario

COLUMNS = (
    "", "time", "requests", "repeated", "failed rows", "unusable rows", "lost rows",
    "rows not done", "memory (MB)", "exit code",
)  # fmt: skip
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a client made of a scenario.

    Attributes:
        scenario: its name.
        client: its name.
        time_s: seconds until it ended, both runs together where it was killed in between.
        is_cut: True when the limit ended it.
        requests: as the provider counted them.
        repeated: requests about a text whose good answer the client had been handed before.
        failed: rows that it says have failed.
        unusable: rows that it handed over as answered, without a label of the taxonomy.
        missing: rows that stand in none of its files.
        is_done: True when its exit code says that it came to the end.
        memory_mb: most memory of one of its processes.
        exit_code: as a shell tells it; None when the limit ended it.
        said: the last line of what it said.
        fault: what made the measurement worthless, empty for nothing.
    """

    scenario: str
    client: str
    time_s: float
    is_cut: bool
    requests: int
    repeated: int
    failed: int
    unusable: int
    missing: int
    is_done: bool
    memory_mb: float
    exit_code: int | None
    said: str = ""
    fault: str = ""

    @property
    def lost(self) -> int:
        """Rows that are gone although the client says that it has done them all."""
        return self.missing if self.is_done else 0

    @property
    def not_done(self) -> int:
        """Rows that are missing, as the exit code says."""
        return 0 if self.is_done else self.missing


def table(scenario: Scenario, found: Sequence[Measured]) -> Iterator[str]:
    """Yield the lines of a scenario's table."""
    yield f"**{scenario.title}** ({scenario.rows:,} rows, {scenario.distinct:,} texts)"
    yield ""
    yield _line(COLUMNS)
    yield _line(("---", *("---:" for _ in COLUMNS[1:])))
    ideal = scenario.ideal
    time = NOTHING if ideal.time_s is None else f"{ideal.time_s:.1f} s"
    requests = NOTHING if ideal.requests is None else f"{ideal.requests:,}"
    is_stopped = ideal.exit_code != "0"
    rest = (NOTHING, "0", "0", NOTHING) if is_stopped else ("0", "0", "0", "0")
    yield _line(("ideal", time, requests, "0", *rest, NOTHING, ideal.exit_code))
    for one in found:
        yield _line(_cells(one))


def _cells(one: Measured) -> Sequence[str]:
    if one.fault:
        return (one.client, one.fault, *(NOTHING for _ in COLUMNS[2:]))
    counts = (one.requests, one.repeated, one.failed, one.unusable, one.lost, one.not_done)
    code = NOTHING if one.exit_code is None else str(one.exit_code)
    told = (f"{count:,}" for count in counts)
    return (one.client, shown_time(one), *told, f"{one.memory_mb:.0f}", code)


def shown_time(one: Measured) -> str:
    """Return the time; that of one whom the limit ended is more than that."""
    return f"> {one.time_s:.0f} s" if one.is_cut else f"{one.time_s:.1f} s"


def overview(found: Sequence[Measured]) -> Iterator[str]:
    """Yield the lines of one table: a scenario a line, a client a column."""
    clients = list(dict.fromkeys(one.client for one in found))
    yield _line(("", "ideal", *clients))
    yield _line(("---", *("---" for _ in ("ideal", *clients))))
    for scenario in SCENARIOS:
        by_client = {one.client: one for one in found if one.scenario == scenario.name}
        if by_client:
            time_s = scenario.ideal.time_s
            ideal = NOTHING if time_s is None else f"{time_s:.1f} s"
            cells = (_in_short(by_client[name]) if name in by_client else "" for name in clients)
            yield _line((scenario.title, ideal, *cells))


def _in_short(one: Measured) -> str:
    if one.fault:
        return one.fault
    counts = (
        (one.repeated, "repeated"), (one.failed, "failed"), (one.unusable, "unusable"),
        (one.lost, "lost"), (one.not_done, "not done"),
    )  # fmt: skip
    return ", ".join([shown_time(one), *(f"{count:,} {what}" for count, what in counts if count)])


def broken(found: Sequence[Measured], in_flight: int = IN_FLIGHT) -> Iterator[str]:
    """Yield the promises that forge did not keep.

    Arguments:
        found: all that was measured.
        in_flight: requests at once: so many answers may have been on their way when it was killed.
    """
    killing = {scenario.name for scenario in SCENARIOS if scenario.is_killed}
    for one in found:
        if one.client != FORGE:
            continue
        if one.fault:
            yield f"{one.scenario}: forge could not be measured: {one.fault}"
        if one.lost:
            yield f"{one.scenario}: forge lost {one.lost:,} rows"
        allowed = in_flight if one.scenario in killing else 0
        if one.repeated > allowed:
            yield f"{one.scenario}: forge asked {one.repeated:,} times for an answer that it had"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

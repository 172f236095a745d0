"""Every write-class call fails once, or from then on, as on a full or a dying disk."""

from __future__ import annotations

import errno
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kill_sweep.checks import STOPPED
from kill_sweep.preload import Strike
from kill_sweep.scene import Stage
from kill_sweep.sweep import Findings, fail_once, strike_everywhere

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = (
    Strike(9, "short", errno.ENOSPC, "area", call="pwrite64", path="forge/cache.db-wal"),
    Strike(1, "fail", errno.EIO, "once", call="fsync", path="/in.failures.csv.partial"),
)

WAYS = {
    "full-once": Strike(0, "fail", errno.ENOSPC, "once"),
    "full-from-then-on": Strike(0, "short", errno.ENOSPC, "area"),
    "failing-once": Strike(0, "fail", errno.EIO, "once"),
    "failing-from-then-on": Strike(0, "fail", errno.EIO, "all"),
}


@pytest.mark.timeout(180)
def test_a_run_on_a_failing_disk_stops_or_goes_on(
    library: Path, tmp_path: Path, progress: Callable[[str], None]
) -> None:
    """The sweep below at two calls: the cache's disk is full, an output's fsync fails."""
    with closing(Stage(tmp_path, library, tickets=50)) as stage:
        stage.rehearse()
        findings = Findings(progress)
        for strike in QUICK:
            assert fail_once(stage, findings, stage.scene(), strike), f"{strike} was not reached"
        findings.conclude()
        assert findings.codes == {stage.finished: 1, STOPPED: 1}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_run_whose_disk_fails_at_any_call_stops_or_goes_on(
    library: Path, tmp_path: Path, progress: Callable[[str], None], way: Strike
) -> None:
    """Exit 5, or on without a cache and a warning; never a traceback, never half a file."""
    with closing(Stage(tmp_path, library, tickets=50)) as stage:
        calls, findings = stage.rehearse().calls, Findings(progress)
        strike_everywhere(
            calls, findings, way, lambda strike: fail_once(stage, findings, stage.scene(), strike)
        )
        findings.conclude()

"""Killed at every write-class call, and run again: nothing is lost, doubled or paid twice."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kill_sweep.preload import Strike
from kill_sweep.scene import Scene, Stage
from kill_sweep.sweep import Findings, Kind, kill_once, kind_of, strike_everywhere

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = (
    Strike(1, call="rename", path="/cache.db"),
    Strike(30, call="pwrite64", path="forge/cache.db-wal"),
    Strike(1, "torn", call="write", path="/in.results.csv.partial"),
    Strike(1, call="rename", path="/in.results.csv.partial"),
    Strike(1, call="fdatasync", path="forge/cache.db"),
)


@pytest.mark.timeout(180)
def test_a_killed_run_resumes(
    library: Path, tmp_path: Path, progress: Callable[[str], None]
) -> None:
    """The sweep below at its most telling calls: storing, writing, publishing, closing."""
    with closing(Stage(tmp_path, library, tickets=50)) as stage:
        stage.rehearse()
        findings = Findings(progress)
        for strike in QUICK:
            assert kill_once(stage, findings, stage.scene(), strike), f"{strike} was not reached"
        findings.conclude()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("action", ["kill", "torn"])
def test_a_run_killed_at_any_call_resumes(
    library: Path, tmp_path: Path, progress: Callable[[str], None], action: str
) -> None:
    """50 tickets, killed before each call, and with half of its bytes written."""
    with closing(Stage(tmp_path, library, tickets=50)) as stage:
        calls, findings = stage.rehearse().calls, Findings(progress)
        strike_everywhere(
            calls,
            findings,
            Strike(0, action),
            lambda strike: kill_once(stage, findings, stage.scene(), strike),
        )
        findings.conclude()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_healing_run_killed_at_any_call_resumes(
    library: Path, tmp_path: Path, progress: Callable[[str], None]
) -> None:
    """The failures of an earlier run are stale, its results are old, partials are left behind."""
    with closing(Stage(tmp_path, library, tickets=50)) as stage:
        stage.rows = [row for row in stage.rows if row[1]]
        earlier = stage.scene()
        stage.rehearse(earlier)
        before = stage.reference
        stage.is_healed = True
        for name in ("results", "failures"):
            (earlier.work / f"in.{name}.csv.partial").write_bytes(b"T-1,no00001x")

        def again() -> Scene:
            scene = stage.scene()
            shutil.copytree(earlier.root, scene.root, dirs_exist_ok=True)
            return scene

        calls, findings = stage.rehearse(again()).calls, Findings(progress)
        assert stage.reference.failures is None
        assert Kind("unlink", "work/in.failures.csv") in map(kind_of, calls)
        strike_everywhere(
            calls,
            findings,
            Strike(0),
            lambda strike: kill_once(stage, findings, again(), strike, before),
        )
        findings.conclude()

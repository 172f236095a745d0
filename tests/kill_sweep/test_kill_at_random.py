"""Killed at random moments, hundreds of times, with a run to the end now and then."""

from __future__ import annotations

import math
import random
import shutil
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest
from kill_sweep.checks import after_death, after_resuming
from kill_sweep.scene import KILLED, Stage
from kill_sweep.sweep import Findings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kill_sweep.scene import Ran, Running, Scene

KILLS: Final = 300
SEED: Final = 20_250_101
TICKETS: Final = 2000
DELAY_S: Final = 0.002
MOST_REQUESTS: Final = 500
"""A run is killed before it has sent more: a chain takes several kills."""

WAIT_S: Final = 0.1
LAST_WAIT_S: Final = 0.8
"""What was asked last takes this long to be stored, written, published and tidied up."""

POLL_S: Final = 0.002
PATIENCE_S: Final = 30.0

COMMITTED_WITHIN_S: Final = 1.0
"""Promised are 50 ms; the rest is for a busy machine."""


@dataclass(slots=True)
class Chain:
    """One scene, killed and resumed until a run ends by itself.

    Attributes:
        committed: what was in the cache after the last kill.
        kills: runs killed so far.
    """

    stage: Stage
    scene: Scene
    findings: Findings
    dice: random.Random
    committed: set[str] = field(default_factory=set)
    kills: int = 0

    def live(self, kills: int) -> None:
        """Kill until a run was faster, or `kills` times; end with a run to the end."""
        while self.kills < kills:
            ran, killed_s = self._run_and_kill()
            if ran.code != KILLED:
                # It ended before its time; all must be right already.
                self._check_end(ran)
                break
            self.kills += 1
            self._check_death(ran, killed_s)
        else:
            self._check_end(self.stage.run(self.scene))
            self.findings.runs += 1

    def _run_and_kill(self) -> tuple[Ran, float]:
        """Return the run and when it was killed; it may have ended before."""
        running = self.stage.start(self.scene)
        self.findings.runs += 1
        left = len(self.stage.answerable() - self.committed)
        wanted = self.dice.randrange(MOST_REQUESTS)
        is_last = wanted >= left
        if not self._wait_for(min(wanted, left), running):
            ran = running.kill()
            self.findings.note(
                f"kill {self.kills} in {self.scene.root.name}", ran, ["stands still"]
            )
            return ran, -math.inf
        time.sleep(self.dice.uniform(0, LAST_WAIT_S if is_last else WAIT_S))
        killed_s = time.monotonic()
        return running.kill(), killed_s

    def _wait_for(self, requests: int, running: Running) -> bool:
        """Wait for so many requests, or the end; return False when neither comes."""
        deadline_s = time.monotonic() + PATIENCE_S
        while len(self.stage.server.requests) < requests and not running.has_ended:
            if time.monotonic() > deadline_s:
                return False
            time.sleep(POLL_S)
        return True

    def _check_death(self, ran: Ran, killed_s: float) -> None:
        stage, now = self.stage, self.scene.committed()
        wrong = after_death(stage, self.scene)
        self.findings.codes[ran.code] += 1
        asked = {one for one in stage.requests(ran) if one in stage.answerable()}
        if self.committed - now:
            wrong.append(f"answers are gone from the cache: {sorted(self.committed - now)}")
        if asked & self.committed:
            wrong.append(f"paid for and asked again: {sorted(asked & self.committed)}")
        late = {
            marker
            for marker in asked - now
            if killed_s - stage.answered_s[marker] > COMMITTED_WITHIN_S
        }
        if late:
            wrong.append(f"not stored {COMMITTED_WITHIN_S} s after the answer: {sorted(late)}")
        self.findings.repeated = max(self.findings.repeated, len(asked - now))
        self.committed = now
        self.findings.note(f"kill {self.kills} in {self.scene.root.name}", ran, wrong)

    def _check_end(self, ran: Ran) -> None:
        wrong = after_resuming(self.stage, self.scene, self.committed, ran)
        self.findings.note(f"the end of {self.scene.root.name}", ran, wrong)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_killed_at_random_moments_resumes(
    tmp_path: Path, progress: Callable[[str], None]
) -> None:
    """Chains of kills of a 2,000-ticket run, 300 in all, each chain with a whole run at its end."""
    with closing(Stage(tmp_path, None, tickets=TICKETS, delay_s=DELAY_S)) as stage:
        stage.rehearse()
        findings, dice = Findings(progress), random.Random(SEED)
        while (kills := findings.codes[KILLED]) < KILLS:
            chain = Chain(stage, stage.scene(), findings, dice)
            chain.live(min(dice.randrange(1, 16), KILLS - kills))
            if not findings.problems:
                shutil.rmtree(chain.scene.root)
        findings.conclude()

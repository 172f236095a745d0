"""One disturbed run after the other, and a list of what went wrong."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kill_sweep.checks import after_death, after_fault, after_resuming
from kill_sweep.scene import KILLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kill_sweep.outputs import Outputs
    from kill_sweep.preload import Call, Strike
    from kill_sweep.scene import Ran, Scene, Stage

_PROGRESS_S: Final = 20.0
_SHOWN: Final = 12
_MISSES: Final = 3
_NEW: Final = ".cache.db.new-"


@dataclass(slots=True)
class Findings:
    """What a sweep found.

    Attributes:
        say: prints a line.
        problems: what went wrong, with all that is needed to look into it.
        struck: how many calls of each kind were struck.
        runs: processes started.
        codes: how the disturbed runs ended.
        repeated: most requests that one resuming run repeated.
    """

    say: Callable[[str], None]
    problems: list[str] = field(default_factory=list)
    struck: Counter[Kind] = field(default_factory=Counter)
    runs: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    _began_s: float = field(default_factory=time.monotonic)
    _said_s: float = field(default_factory=time.monotonic)

    def note(self, what: object, ran: Ran, wrong: Iterable[str]) -> None:
        """Add what is wrong after the disturbance `what`."""
        said = "\n    ".join(ran.err.splitlines()[-4:])
        self.problems += [f"{what}: {one}\n    exit {ran.code}: {said}" for one in wrong]
        if time.monotonic() - self._said_s > _PROGRESS_S:
            self._said_s = time.monotonic()
            self.say(self.summary())

    def summary(self) -> str:
        """Return how far the sweep is."""
        return (
            f"{sum(self.codes.values())} disturbed runs, {self.runs} in all,"
            f" {time.monotonic() - self._began_s:.0f} s, exits {dict(self.codes)},"
            f" at most {self.repeated} requests repeated, {len(self.problems)} problems"
        )

    def conclude(self) -> None:
        """Print the summary, and fail when something went wrong."""
        self.say(self.summary())
        shown = "\n".join(self.problems[:_SHOWN])
        assert not self.problems, f"{len(self.problems)} problems, the first:\n{shown}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls of one name on one file, whatever the scene and the numbers in its name.

    Attributes:
        call: for example `pwrite64`.
        path: how the path ends; a new cache's directory counts as `new`.
    """

    call: str
    path: str


def kind_of(call: Call) -> Kind:
    """Return what kind a call is of."""
    path = Path(call.path)
    directory, name = path.parent.name, path.name
    if name.startswith(_NEW):
        name = "new"
    elif path.suffix == ".lock" and name != "cache.db.lock":
        name = "a lock"
    if directory.startswith(_NEW):
        directory = "new"
    return Kind(call.name, f"/{name}" if directory.startswith("scene-") else f"{directory}/{name}")


def strike_everywhere(
    calls: Sequence[Call], findings: Findings, way: Strike, one: Callable[[Strike], bool]
) -> None:
    """Strike at call 1, 2, 3 ... until runs end before their turn comes.

    Runs differ a little in how answers are grouped, and so in their calls' numbers. What follows
    the last answer is therefore struck by name too, where the numbers left something out.

    Arguments:
        calls: of an undisturbed run.
        findings: know what was struck.
        way: the strike, but for its place.
        one: disturbs a fresh scene and checks; returns whether the strike took place.
    """
    missed = 0
    for number in count(1):
        missed = 0 if one(replace(way, at=number)) else missed + 1
        if missed == _MISSES:
            break
    kinds = Counter(map(kind_of, calls))
    for kind, times in kinds.items():
        enough = 1 if kind.call == "pwrite64" else times
        if findings.struck[kind] < enough:
            for number in range(1, enough + 1):
                one(replace(way, at=number, call=kind.call, path=kind.path))
    left_out = set(kinds) - set(findings.struck)
    assert not left_out, f"never struck: {left_out}"


def kill_once(
    stage: Stage, findings: Findings, scene: Scene, strike: Strike, before: Outputs | None = None
) -> bool:
    """Kill a run, run again, and check; return whether the strike took place."""
    dead = stage.run(scene, strike)
    findings.runs += 1
    if dead.struck is None:
        return _not_struck(stage, findings, scene, dead)
    findings.codes[dead.code] += 1
    findings.struck[kind_of(dead.struck)] += 1
    wrong = after_death(stage, scene, before)
    if dead.code != KILLED:
        wrong.append("it was not killed")
    committed = scene.committed()
    again = stage.run(scene)
    findings.runs += 1
    wrong += after_resuming(stage, scene, committed, again)
    _count_repeated(stage, findings, dead, again)
    findings.note(f"{strike.action} at {dead.struck}", again, wrong)
    _clear(scene, wrong)
    return True


def fail_once(stage: Stage, findings: Findings, scene: Scene, strike: Strike) -> bool:
    """Let a call fail, run again, and check; return whether the strike took place."""
    hurt = stage.run(scene, strike)
    findings.runs += 1
    if hurt.struck is None:
        return _not_struck(stage, findings, scene, hurt)
    findings.codes[hurt.code] += 1
    findings.struck[kind_of(hurt.struck)] += 1
    what = f"{strike.action} with {strike.error} ({strike.then}) at {hurt.struck}"
    wrong = after_fault(stage, scene, hurt)
    findings.note(what, hurt, wrong)
    committed = scene.committed()
    again = stage.run(scene)
    findings.runs += 1
    wrong_again = after_resuming(stage, scene, committed, again)
    findings.note(f"after {what}", again, wrong_again)
    _clear(scene, wrong + wrong_again)
    return True


def _not_struck(stage: Stage, findings: Findings, scene: Scene, ran: Ran) -> bool:
    """Check a run that ended before its turn came, and return False."""
    wrong = [] if ran.code == stage.finished else [f"exit {ran.code}"]
    findings.note(f"undisturbed in {scene.root}", ran, wrong)
    _clear(scene, wrong)
    return False


def _count_repeated(stage: Stage, findings: Findings, dead: Ran, again: Ran) -> None:
    both = stage.requests(dead) & stage.requests(again)
    answerable = stage.answerable()
    findings.repeated = max(findings.repeated, len([one for one in both if one in answerable]))


def _clear(scene: Scene, wrong: list[str]) -> None:
    """Remove a scene unless there is something to look at."""
    if not wrong:
        shutil.rmtree(scene.root)

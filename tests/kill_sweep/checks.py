"""What must hold after a run was disturbed, and after the next; each returns what is wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from kill_sweep.outputs import Outputs
from kill_sweep.scene import AREAS

if TYPE_CHECKING:
    from kill_sweep.scene import Ran, Scene, Stage

STOPPED: Final = 5
"""Exit code of a run that local I/O stopped."""


def after_death(stage: Stage, scene: Scene, before: Outputs | None = None) -> list[str]:
    """Return what is wrong with what a killed run left behind.

    Arguments:
        stage: knows what is right.
        scene: where it died.
        before: what an earlier run had published; None when there was none.
    """
    wrong = _half_published(stage, scene, before)
    unpaid = scene.classified_in_partial() - scene.committed()
    if unpaid:
        wrong.append(f"rows were written before their answers were stored: {sorted(unpaid)}")
    return wrong


def after_fault(stage: Stage, scene: Scene, ran: Ran) -> list[str]:
    """Return what is wrong with a run some of whose calls failed, and what it left behind."""
    wrong = []
    if "Traceback" in ran.err or "internal error" in ran.err:
        wrong.append("a traceback")
    if ran.code == stage.finished:
        return wrong + _after_success(stage, scene, ran)
    if ran.code == STOPPED:
        return wrong + _after_stop(stage, scene, ran)
    return [*wrong, f"exit {ran.code}"]


def _after_success(stage: Stage, scene: Scene, ran: Ran) -> list[str]:
    wrong = []
    if scene.outputs() != stage.reference:
        wrong.append("claims success with outputs that are not whole")
    if scene.partials():
        wrong.append(f"claims success and leaves {scene.partials()}")
    unpaid = set(stage.requests(ran)) & stage.answerable() - scene.committed()
    if unpaid and not ran.warnings:
        wrong.append(f"answers are not in the cache, and nobody was told: {sorted(unpaid)}")
    return wrong


def _after_stop(stage: Stage, scene: Scene, ran: Ran) -> list[str]:
    wrong = _half_published(stage, scene, None)
    if "same command" not in ran.err.rstrip().rpartition("\n")[2]:
        wrong.append("the last line does not say that the same command resumes")
    if AREAS.index("outputs") not in ran.failed_areas:
        wrong.append("stopped, though the outputs could be written")
    return wrong


def after_resuming(stage: Stage, scene: Scene, committed: set[str], ran: Ran) -> list[str]:
    """Return what is wrong with the run that followed a disturbed one.

    Arguments:
        stage: knows what is right.
        scene: where both ran.
        committed: tickets whose answers were in the cache when it began.
        ran: the second run.
    """
    wrong = []
    if ran.code != stage.finished:
        wrong.append(f"the same command ends with {ran.code}")
    if ran.warnings:
        wrong.append(f"the same command warns: {ran.warnings}")
    wrong += _differences(stage.reference, scene.outputs())
    if scene.partials():
        wrong.append(f"left over: {scene.partials()}")
    if list(scene.cache.glob("*corrupt*")):
        wrong.append("the cache was set aside as damaged")
    return wrong + _requests_repeated(stage, committed, ran)


def _requests_repeated(stage: Stage, committed: set[str], ran: Ran) -> list[str]:
    asked = stage.requests(ran)
    answerable = stage.answerable()
    again = sorted(set(asked) & committed & answerable)
    twice = sorted(marker for marker in answerable if asked[marker] > 1)
    never = sorted(answerable - committed - set(asked))
    return [
        f"{what}: {markers}"
        for what, markers in (
            ("paid for and asked again", again),
            ("asked more than once in one run", twice),
            ("neither paid for nor asked", never),
        )
        if markers
    ]


def _half_published(stage: Stage, scene: Scene, before: Outputs | None) -> list[str]:
    outputs, allowed = scene.outputs(), [stage.reference, before or Outputs(None, None)]
    wrong = []
    if outputs.results not in [one.results for one in allowed]:
        wrong.append("in.results.csv is neither whole nor the earlier one")
    if outputs.failures not in [one.failures for one in allowed]:
        wrong.append("in.failures.csv is neither whole nor the earlier one")
    is_committed = outputs.results == stage.reference.results
    if is_committed and outputs.failures != stage.reference.failures:
        wrong.append("the results are there before the failures are right")
    return wrong


def _differences(reference: Outputs, outputs: Outputs) -> list[str]:
    if outputs == reference:
        return []
    wrong = []
    for name in ("results", "failures"):
        right, found = getattr(reference, name), getattr(outputs, name)
        if right == found:
            continue
        ids, others = ([row[0] for row in table or []] for table in (right, found))
        lost = sorted(set(ids) - set(others))
        doubled = sorted(row for row, times in Counter(others).items() if times > 1)
        wrong.append(f"in.{name}.csv differs; lost {lost}, doubled {doubled}")
    return wrong

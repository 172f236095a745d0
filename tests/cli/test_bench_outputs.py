"""Where the report of a bench goes, and what happens when it cannot go there."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
from running import spawn
from terminal import on_terminal

from inference_forge.cli.bench_outputs import Outputs
from inference_forge.core.bench.cells import Shape
from inference_forge.errors import OutputError
from inference_forge.jobs.bench.measuring import Spent
from inference_forge.jobs.bench.report import BenchReport, Setting

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = BenchReport(
    Setting("simulated", "", None, 10, 1, None, 0, ""), {Shape.SWEEP: []}, Spent(requests=3)
)
QUICK = (
    "bench", "--tickets", "10", "--concurrency", "10", "--batch-sizes", "1",
    "--provider", "simulated", "--simulation", "latency=10ms",
)  # fmt: skip


def test_a_file_that_cannot_be_written_ends_the_bench(tmp_path: Path) -> None:
    """Its place was there when it was checked."""
    outputs = Outputs(as_json=False, as_csv=False, save=tmp_path / "gone" / "a.json", plot=None)
    with pytest.raises(OutputError, match=r"a\.json cannot be written: No such file"):
        outputs.keep(NOTHING)


def test_nothing_is_drawn_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what was sent for it is told."""
    plot = tmp_path / "a.svg"
    Outputs(as_json=False, as_csv=False, save=None, plot=plot).show(NOTHING)
    assert not plot.exists()
    shown = capsys.readouterr()
    assert shown.out == "nothing was measured\nspent: 3 requests, 0 tokens, cost 0\n"
    assert shown.err == ""


@pytest.mark.usefixtures("isolated")
def test_colours_can_be_refused() -> None:
    """https://no-color.org; the optimum is green else."""
    _, coloured = on_terminal(*QUICK, "--reps", "1", with_stdout=True)
    _, plain = on_terminal(*QUICK, "--reps", "1", environ={"NO_COLOR": "1"}, with_stdout=True)
    assert ";32m" in coloured.split("TICKETS/S")[1]
    assert "\x1b" not in plain.split("TICKETS/S")[1].split("optimum:")[0]


def test_what_was_measured_is_shown_when_it_cannot_be_kept(isolated: Path) -> None:
    """The directory went away in the middle."""
    (isolated / "d").mkdir()
    process = spawn(*QUICK, "--reps", "100", "--save", "d/a.json")
    until = time.monotonic() + 50
    while not (isolated / "d" / "a.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    shutil.move(isolated / "d", isolated / "elsewhere")
    out, err = process.communicate(timeout=50)
    assert process.returncode == OutputError("").exit_code
    assert b"optimum so far: single" in out
    assert b"d/a.json cannot be written" in err
    assert b"what was measured before is shown" in err

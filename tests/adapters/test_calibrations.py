"""What was learned about tokens, beside the cache."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes_cache import Warnings

from inference_forge.adapters.calibrations import MAX_BYTES, CalibrationFile
from inference_forge.core.calibration import MAX_FORMS
from inference_forge.core.usage_fit import Fit, Line, fit_as_json

if TYPE_CHECKING:
    from pathlib import Path


def refuse(code: str, message: str) -> None:
    """Fail: nothing is wrong here."""
    raise AssertionError(f"{code}: {message}")


def fit(answers: float = 1.0) -> Fit:
    """Return what so many answers teach."""
    return Fit(False, 10.0, 3.0, Line(answers, 2.0, 3.0, 4.0, 5.0), Line(answers), seconds=2.0)


def calibration_file(directory: Path, warn: Any = refuse, model: str = "p m") -> CalibrationFile:
    """Return the file of a model."""
    return CalibrationFile(directory, model, warn, pause=lambda _: None)


def test_what_runs_learn_adds_up_in_a_private_file(tmp_path: Path) -> None:
    """A new directory is private, too; reading creates nothing."""
    kept = calibration_file(tmp_path / "cache")
    assert kept.read().fits == {}
    assert not kept.directory.exists()
    kept.add({"a": fit()})
    kept.add({"a": fit(2.0), "b": fit()})
    assert {key: found.prompt.n for key, found in kept.read().fits.items()} == {"a": 3.0, "b": 1.0}
    assert kept.read().fits["a"].seconds == 4.0
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in kept.directory.iterdir()) == [
        kept.path.name,
        "tokens.lock",
    ]


def test_nothing_learned_writes_nothing(tmp_path: Path) -> None:
    """Not even a directory."""
    calibration_file(tmp_path / "cache").add({})
    assert not (tmp_path / "cache").exists()


def test_models_have_files_of_their_own(tmp_path: Path) -> None:
    """Whatever their names are made of."""
    names = ["p m", "p M", "../../etc/passwd", "\udcff", "x" * 10_000]
    for number, name in enumerate(names, start=1):
        calibration_file(tmp_path, model=name).add({"a": fit(number)})
    assert [calibration_file(tmp_path, model=n).read().answers for n in names] == [1, 2, 3, 4, 5]
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*"))


def test_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each adds its own under the lock."""
    files = [CalibrationFile(tmp_path, "p m", refuse) for _ in range(8)]

    def add(kept: CalibrationFile) -> None:
        for _ in range(10):
            kept.add({"a": fit()})

    threads = [threading.Thread(target=add, args=(kept,)) for kept in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files[0].read().answers == 80


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """However many taxonomies are tried."""
    kept = calibration_file(tmp_path)
    for number in range(MAX_FORMS + 10):
        kept.add({f"{number:016x}": fit(123456.789)})
    assert len(kept.read().fits) == MAX_FORMS
    assert kept.path.stat().st_size < MAX_BYTES / 10


GOOD = {"version": 1, "model": "p m", "forms": {}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe\x00", "can't decode"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "another version"),
        (json.dumps(GOOD | {"version": 2}).encode(), "another version"),
        (json.dumps(GOOD | {"model": "p n"}).encode(), "another model"),
        (json.dumps(GOOD | {"forms": []}).encode(), "another model"),
        (json.dumps(GOOD | {"forms": {"a": [1]}}).encode(), "no fit"),
        (b" " * (MAX_BYTES + 1), "too large"),
    ],
)
def test_what_cannot_be_used_is_passed_over_and_replaced(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    """With a warning that says what becomes of it."""
    warnings = Warnings()
    kept = calibration_file(tmp_path, warnings)
    kept.path.write_bytes(data)
    assert kept.read().fits == {}
    assert warnings.codes == ["calibration_unusable"]
    assert reason in warnings.said[0][1]
    kept.add({"a": fit()})
    assert calibration_file(tmp_path).read().answers == 1


def test_no_pipe_is_waited_for_and_no_link_followed(tmp_path: Path) -> None:
    """What somebody planted in the file's place."""
    warnings = Warnings()
    pipe = calibration_file(tmp_path, warnings)
    os.mkfifo(pipe.path)
    assert pipe.read().fits == {}
    assert "no regular file" in warnings.said[0][1]
    link = calibration_file(tmp_path, warnings, model="other")
    target = tmp_path / "target"
    planted = json.dumps(GOOD | {"model": "other", "forms": {"b": fit_as_json(fit(9.0))}})
    target.write_text(planted)
    link.path.symlink_to(target)
    assert link.read().fits == {}
    link.add({"a": fit()})
    assert target.read_text() == planted
    assert calibration_file(tmp_path, model="other").read().answers == 1
    assert warnings.codes == ["calibration_unusable"] * 3


def test_a_directory_that_refuses_is_a_warning(tmp_path: Path) -> None:
    """The run has its answers; only later estimates suffer."""
    warnings = Warnings()
    (tmp_path / "file").touch()
    calibration_file(tmp_path / "file", warnings).add({"a": fit()})
    assert warnings.codes == ["calibration_not_kept"]


def test_a_failed_replacement_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing half-written."""
    calibration_file(tmp_path).add({"a": fit()})
    warnings = Warnings()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.replace", fail)
        calibration_file(tmp_path, warnings).add({"a": fit()})
    assert warnings.codes == ["calibration_not_kept"]
    assert calibration_file(tmp_path).read().answers == 1
    assert not list(tmp_path.glob("*.new"))


def test_a_lock_that_is_held_for_long_does_not_stop_a_run(tmp_path: Path) -> None:
    """It was a process that somebody stopped."""
    waits: list[float] = []
    kept = CalibrationFile(tmp_path, "p m", refuse, pause=waits.append)
    with (tmp_path / "tokens.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        kept.add({"a": fit()})
    assert sum(waits) == pytest.approx(1.0)
    assert kept.read().answers == 1


def test_a_file_system_without_locks_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced as a whole all the same."""

    def fail(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    kept = calibration_file(tmp_path)
    kept.add({"a": fit()})
    assert kept.read().answers == 1

"""One run at a time for each output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference_forge.adapters.output_lock import OutputLock
from inference_forge.errors import TryLater


def test_a_second_run_on_one_output_is_told_to_come_back(tmp_path: Path) -> None:
    """Also under another name of the same file."""
    (tmp_path / "link").symlink_to(tmp_path / "out.csv")
    lock = OutputLock(tmp_path / "out.csv", tmp_path / "locks")
    for name in ("out.csv", "link", "./x/../out.csv"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(TryLater, match="another run is writing"):
            OutputLock(tmp_path / name, tmp_path / "locks")
    lock.release()
    lock.release()
    OutputLock(tmp_path / "link", tmp_path / "locks").release()


def test_other_outputs_are_free(tmp_path: Path) -> None:
    """A lock is for one file."""
    one = OutputLock(tmp_path / "a.csv", tmp_path / "locks")
    other = OutputLock(tmp_path / "b.csv", tmp_path / "locks")
    one.release()
    other.release()


def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    """The kernel lets go of the lock with the process."""
    code = (
        "import sys, time; from pathlib import Path;"
        "from inference_forge.adapters.output_lock import OutputLock;"
        "lock = OutputLock(Path(sys.argv[1]), Path(sys.argv[2])); print('held', flush=True);"
        "time.sleep(60)"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "o.csv"), str(tmp_path / "locks")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TryLater):
            OutputLock(tmp_path / "o.csv", tmp_path / "locks")
        holder.kill()
        holder.wait()
    OutputLock(tmp_path / "o.csv", tmp_path / "locks").release()


def test_lock_files_are_private_and_not_inherited(tmp_path: Path) -> None:
    """Mode 0600 in a directory of mode 0700; closed on exec."""
    lock = OutputLock(tmp_path / "o.csv", tmp_path / "locks")
    (file,) = (tmp_path / "locks").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert lock._file is not None
    assert not os.get_inheritable(lock._file)
    lock.release()


def test_an_unusable_directory_is_an_os_error(tmp_path: Path) -> None:
    """The caller decides to go on without."""
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(OSError, match="Not a directory"):
        OutputLock(Path("o.csv"), tmp_path / "locks")


def test_a_loop_of_links_is_a_name_like_others(tmp_path: Path) -> None:
    """It is replaced by the results; nothing is raised."""
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    OutputLock(tmp_path / "loop.csv", tmp_path / "locks").release()

"""Files that are never seen half written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inference_forge.adapters.whole_file import check_writable, write_whole

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_lasting", [True, False])
def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path, *, is_lasting: bool) -> None:
    """With its mode, under its name only."""
    path = tmp_path / "f.json"
    write_whole(path, b"one", is_lasting=is_lasting)
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    path.chmod(0o640)
    inode = path.stat().st_ino
    write_whole(path, b"two", is_lasting=is_lasting)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_ino != inode
    assert [each.name for each in tmp_path.iterdir()] == ["f.json"]


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it points to is replaced."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"one", is_lasting=False)
    assert (tmp_path / "target").read_bytes() == b"one"
    assert (tmp_path / "link").is_symlink()


def test_what_was_there_stays_when_the_new_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is left beside it."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", is_lasting=True)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_device_is_written_to() -> None:
    """Not replaced by a file."""
    write_whole(_null(), b"x", is_lasting=True)
    check_writable(_null())
    assert not _null().is_file()


def _null() -> Path:
    from pathlib import Path  # noqa: PLC0415

    return Path(os.devnull)


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    """A directory, a missing directory; a good name leaves no trace."""
    with pytest.raises(IsADirectoryError):
        check_writable(tmp_path)
    with pytest.raises(FileNotFoundError):
        check_writable(tmp_path / "no/f")
    check_writable(tmp_path / "f")
    assert [each.name for each in tmp_path.iterdir()] == []

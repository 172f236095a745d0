"""Directories that a run writes to: there, ours, private, on which disk, with what in them."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.adapters.cache import stats
from inference_forge.adapters.cache.files import CacheFiles, is_open_to_others
from inference_forge.adapters.cache.trouble import CacheTroubleError, Trouble
from inference_forge.errors import CacheError
from inference_forge.jobs.doctor.findings import LOCAL_IO, fail, ok, warn

if TYPE_CHECKING:
    from inference_forge.jobs.doctor.findings import Finding

MOUNTS: Final = Path("/proc/self/mounts")

NETWORK_FILE_SYSTEMS: Final = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs4", "ocfs2", "prl_fs", "smb3", "smbfs", "vboxsf", "vmhgfs",
    "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "fuse.vmhgfs-fuse",
})  # fmt: skip
"""Types as /proc/mounts names them: disks of other machines, and of a virtual machine's host.
SQLite's write-ahead log needs memory shared by all who use the file, which such disks do not
give: https://www.sqlite.org/wal.html, "Overview"."""

LOW_SPACE_BYTES: Final = 100_000_000
"""Some 250,000 answers, at 400 bytes each."""

_LOCK_PATIENCE_S: Final = 2.0
_PROBE_BYTES: Final = 4096  # a page: a full disk still takes an empty file
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


class Disk(Struct, frozen=True):
    """What a directory lies on.

    Attributes:
        kind: file system type, None when the system does not tell.
        free_bytes: what this user may still write.
    """

    kind: str | None
    free_bytes: int

    def __str__(self) -> str:
        """Return both for people."""
        return f"{self.kind or 'unknown file system'}, {self.free_bytes / 1e9:,.1f} GB free"


def check_cache(directory: Path, mounts: Path = MOUNTS) -> list[Finding]:
    """Return what is known of the answer cache, which is not created.

    Arguments:
        directory: the cache directory, which need not exist.
        mounts: the system's table of mounts; a missing one is no error.
    """
    findings = _check_contents(directory)
    if any(finding.exit_code for finding in findings):
        return findings
    return findings + check_directory("cache", directory, "--cache-dir PATH", mounts)


def check_directory(name: str, directory: Path, other: str, mounts: Path = MOUNTS) -> list[Finding]:
    """Return whether files can be created in `directory` and kept from others.

    Arguments:
        name: what the directory is for, the findings' name.
        directory: need not exist; then it must be possible to create it.
        other: how to choose another one.
        mounts: the system's table of mounts.
    """
    try:
        directory = directory.absolute()
        place = _nearest_existing(directory)
        _try_writing(place)
        disk = Disk(_file_system_of(place, mounts), shutil.disk_usage(place).free)
        problems = [*_ownership(name, directory, other), *_disk_troubles(name, disk, other)]
    except OSError as exc:
        is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space" if is_full else "make it writable for this user"
        found = f"{directory} cannot be written: {exc.strerror}"
        return [fail(name, found, f"{advice}, or choose another with {other}", LOCAL_IO)]
    state = "" if place == directory else "is made when needed, "
    return [ok(name, f"{directory} is writable ({state}{disk})"), *problems]


def _check_contents(directory: Path) -> list[Finding]:
    try:
        held = stats(directory, timeout_s=_LOCK_PATIENCE_S)
        database = CacheFiles(directory.absolute()).database
        if database.exists() and not _is_writable(database):
            advice = "give the file to this user (chown), or choose another --cache-dir"
            return [fail("cache", f"{database} cannot be written", advice, LOCAL_IO)]
    except CacheTroubleError as trouble:
        return [_cache_trouble(trouble)]
    except CacheError as error:
        # A run uses it nonetheless, only slower.
        found, _, fix = str(error).partition("; ")
        return [warn("cache", found, fix)]
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        return [fail("cache", f"{directory}: {exc}", "choose another --cache-dir", LOCAL_IO)]
    size = f"{held.entries:,} answers, {held.bytes_on_disk / 1e6:,.1f} MB"
    findings = [ok("cache", f"{size}, {held.path}")]
    if held.set_aside:
        names = ", ".join(path.name for path in held.set_aside)
        findings.append(warn("cache", f"damaged databases were set aside: {names}", "delete them"))
    return findings


def _cache_trouble(trouble: CacheTroubleError) -> Finding:
    found, fix = f"{trouble.database}: {trouble.detail}", _FIXES[trouble.kind]
    if trouble.kind in _MENDED_BY_RUNS:
        return warn("cache", found, fix)
    return fail("cache", found, fix, LOCAL_IO)


_MENDED_BY_RUNS: Final = (Trouble.DAMAGED, Trouble.LOCKED)
_FIXES: Final = {
    Trouble.DAMAGED: "nothing; the next run sets it aside, and pays for its answers again",
    Trouble.LOCKED: "let the program end that holds it (a backup, a database browser)",
    Trouble.FULL: "free some space, or choose a --cache-dir on another disk",
    Trouble.READ_ONLY: "give it to this user (chown), or choose another --cache-dir",
    Trouble.UNAVAILABLE: "check the disk, or choose another --cache-dir",
}


def _nearest_existing(directory: Path) -> Path:
    """Return `directory`, which is absolute, or what there is above it; the root always is."""
    above = (directory, *directory.parents)
    return next(path for path in above if path.exists() or path.is_symlink())


def _try_writing(directory: Path) -> None:
    """Write a page in a directory of its own, and take both away again; raises `OSError`."""
    probe = Path(tempfile.mkdtemp(prefix=".forge-doctor-", dir=directory))
    try:
        with (probe / "page").open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def _ownership(name: str, directory: Path, other: str) -> list[Finding]:
    if not directory.exists():
        return []
    found = directory.stat()
    mode = stat.S_IMODE(found.st_mode)
    findings = []
    if found.st_uid != os.geteuid():
        findings.append(
            warn(
                name,
                f"{directory} belongs to user {found.st_uid}, and forge runs as {os.geteuid()}",
                f"run forge as its owner (without sudo), or choose another with {other}",
            )
        )
    if is_open_to_others(directory):
        what = f"every user can replace files in {directory} (mode {mode:o})"
        findings.append(warn(name, what, f"chmod go-rwx {directory}"))
    return findings


def _disk_troubles(name: str, disk: Disk, other: str) -> list[Finding]:
    findings = []
    if disk.kind in NETWORK_FILE_SYSTEMS:
        what = f"is on a network file system ({disk.kind}), where SQLite's locks are not reliable"
        findings.append(warn(name, what, f"choose a local disk with {other}"))
    if disk.free_bytes < LOW_SPACE_BYTES:
        what = f"only {disk.free_bytes / 1e6:,.0f} MB are free"
        findings.append(warn(name, what, f"free some space, or choose another with {other}"))
    return findings


def _file_system_of(directory: Path, mounts: Path) -> str | None:
    """Return the type of what is mounted nearest above; the later of two on one point hides it."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    resolved = directory.resolve()
    kind, depth = None, -1
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:  # noqa: PLR2004 - device, point, type
            continue
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), parts[1]))
        if resolved.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = parts[2], len(point.parts)
    return kind


def _is_writable(path: Path) -> bool:
    try:
        path.open("r+b").close()  # more than permissions: a disk may be mounted read-only
    except OSError:
        return False
    return True

"""What was learned about models, kept beside the answer cache: a small JSON file for each model.

It holds sums of token counts, and nothing of tickets or answers. Several runs may add to a file
at once: each adds what it learned itself, under a lock. A file that cannot be used is passed over
with a warning and replaced by the next run that learns something.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from inference_forge.adapters.private_directory import make_private_directory
from inference_forge.core.calibration import Calibration
from inference_forge.core.usage_fit import Fit, fit_as_json, fit_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

VERSION: Final = 1
"""Raised whenever the sums change their meaning; files of other versions are passed over."""

MAX_BYTES: Final = 1 << 18
"""Far above what `MAX_FORMS` forms take."""

_MODE: Final = 0o600
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_TRIES: Final = 100
_PAUSE_S: Final = 0.01
"""A file takes a millisecond to replace; who holds the lock for a second was stopped."""


class CalibrationFile(Struct, frozen=True):
    """The file of one model.

    Attributes:
        directory: the cache directory; created with mode 0700 when something is learned.
        model: names the model, its provider and its server.
        warn: takes a stable code and a sentence.
        pause: waits, in seconds.
    """

    directory: Path
    model: str
    warn: Callable[[str, str], None]
    pause: Callable[[float], None] = time.sleep

    @property
    def path(self) -> Path:
        """The file."""
        digest = hashlib.sha256(self.model.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self.directory / f"tokens-{digest}.json"

    def read(self) -> Calibration:
        """Return what is known; nothing when there is no usable file."""
        try:
            return Calibration(self._fits())
        except FileNotFoundError:
            return Calibration()
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else str(exc)
            self.warn(
                "calibration_unusable",
                f"{self.path}: what was learned about tokens cannot be used ({reason}); estimates "
                "do without, and the next run that learns something replaces the file",
            )
            return Calibration()

    def add(self, learned: Mapping[str, Fit]) -> None:
        """Add what a run has learned; trouble is a warning."""
        if not learned:
            return
        try:
            make_private_directory(self.directory)
            with self._locked():
                self._replace(self.read().plus(learned))
        except OSError as exc:
            self.warn(
                "calibration_not_kept",
                f"{self.path}: what was learned about tokens cannot be kept ({exc.strerror}); "
                "later estimates will be less exact",
            )

    def _fits(self) -> dict[str, Fit]:
        """Return the fits in the file.

        Raises:
            OSError: it cannot be read.
            ValueError: it is no such file.
        """
        with os.fdopen(os.open(self.path, _READ), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ValueError("it is no regular file")
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError("it is too large")
        try:
            found = json.loads(data)
        except RecursionError as exc:
            raise ValueError("it is nested too deeply") from exc
        return {key: fit_from_json(value) for key, value in self._forms(found).items()}

    def _forms(self, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict) or found.get("version") != VERSION:
            raise ValueError("it is of another version, or somebody else's")
        forms = found.get("forms")
        if found.get("model") != self.model or not isinstance(forms, dict):
            raise ValueError("it is of another model")
        return forms

    def _replace(self, calibration: Calibration) -> None:
        forms = {key: fit_as_json(fit) for key, fit in calibration.fits.items()}
        data = json.dumps({"version": VERSION, "model": self.model, "forms": forms}).encode()
        new = self.path.with_suffix(f".{os.getpid()}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(new, flags, _MODE), "wb") as stream:
                stream.write(data)
            new.replace(self.path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of all these files, if that can be had in a second."""
        lock = os.open(self.directory / "tokens.lock", _LOCK, _MODE)
        try:
            for _ in range(_TRIES):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.pause(_PAUSE_S)
                    continue
                except OSError:
                    break  # locks do not work there: the file is replaced as a whole all the same
                break
            yield
        finally:
            os.close(lock)

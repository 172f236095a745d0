"""Where API keys are kept besides the environment: a file, a command, the system's keyring.

Nothing here shows what it read: messages name the place only.
"""

from __future__ import annotations

import os
import selectors
import shlex
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND_TIMEOUT_S: Final = 30.0
"""Enough to unlock a password store by hand; a run must not hang for longer."""

MAX_BYTES: Final = 65_536
"""Whatever is larger holds no keys."""

MAX_KEYS: Final = 64


class RawKey:
    """A key as it was found, not checked yet; no value that shows what it holds.

    Arguments:
        value: the key.
        place: where it stands, for messages.
    """

    __slots__ = ("place", "value")

    def __init__(self, value: str, place: str) -> None:
        self.value = value
        self.place = place

    def __repr__(self) -> str:
        """Show where it stands, not the key."""
        return f"<RawKey from {self.place}>"


class KeySource(Protocol):
    """Something that keys are read from, again and again if need be; may block."""

    @property
    def place(self) -> str:
        """What messages call it."""

    @property
    def can_change(self) -> bool:
        """Whether reading again may give another key."""

    def read(self) -> tuple[RawKey, ...]:
        """Return at least one key.

        Raises:
            SettingsError: there is none, or it cannot be read; the message shows no content.
        """


class KeyFile(Struct, frozen=True):
    """A file with one key a line; blank lines do not count."""

    path: Path

    @property
    def place(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def can_change(self) -> bool:
        """Whether it is a file: what `<(command)` gives can be read once."""
        try:
            return self.path.is_file()
        except (OSError, ValueError):
            return False

    @property
    def is_open_to_all(self) -> bool:
        """Whether every user of this machine may read it."""
        try:
            mode = self.path.stat().st_mode
        except (OSError, ValueError):
            return False
        return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)

    def read(self) -> tuple[RawKey, ...]:
        """Return the keys in the order of their lines."""
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as exc:
            raise SettingsError(
                f"the key file {self.place} cannot be read: {exc.strerror}; see --api-key-file"
            ) from exc
        except ValueError:  # a NUL in the path
            raise SettingsError("the path of --api-key-file holds a NUL") from None
        if len(data) > MAX_BYTES:
            raise SettingsError(
                f"{self.place} is no key file: it is larger than {MAX_BYTES:,} bytes"
            )
        lines = _decoded(data, f"the key file {self.place}").removeprefix("\ufeff").split("\n")
        found = [(n, line.removesuffix("\r")) for n, line in enumerate(lines, start=1)]
        keys = [(n, line) for n, line in found if line.strip()]
        if not keys:
            raise SettingsError(
                f"the key file {self.place} is empty: write the key into it, one a line"
            )
        if len(keys) > MAX_KEYS:
            raise SettingsError(
                f"{self.place} is no key file: it has {len(keys)} lines, {MAX_KEYS} keys at most"
            )
        if len(keys) == 1:
            return (RawKey(keys[0][1], self.place),)
        return tuple(RawKey(line, f"{self.place}, line {n},") for n, line in keys)


class KeyCommand(Struct, frozen=True):
    """A command whose first line of output is the key; run without a shell.

    What it prints on stderr is thrown away: it may hold the key, or a part of it.

    Attributes:
        text: the command, quoted as for a shell.
        timeout_s: seconds until it is killed.
        clock: seconds, monotonic.
    """

    text: str
    timeout_s: float = COMMAND_TIMEOUT_S
    clock: Callable[[], float] = time.monotonic

    can_change = True

    @property
    def place(self) -> str:
        """The program's name; its arguments may hold secrets."""
        try:
            words = shlex.split(self.text)
        except ValueError:
            words = []
        return f"--api-key-command ({Path(words[0]).name})" if words else "--api-key-command"

    def read(self) -> tuple[RawKey, ...]:
        """Return the one key."""
        output = self._run(self._words())
        line = _decoded(output, f"the output of {self.place}").partition("\n")[0]
        line = line.removesuffix("\r")
        if not line:
            raise SettingsError(
                f"{self.place} prints no key: its first line on standard output is to be the key"
            )
        return (RawKey(line, f"the output of {self.place}"),)

    def _words(self) -> list[str]:
        try:
            words = shlex.split(self.text)
        except ValueError as exc:
            raise SettingsError(
                f"--api-key-command cannot be split into words ({exc}); quote it as for a shell"
            ) from None
        if not words:
            raise SettingsError("--api-key-command is empty: name a program that prints the key")
        return words

    def _run(self, words: list[str]) -> bytes:
        until_s = self.clock() + self.timeout_s
        try:
            process = subprocess.Popen(  # noqa: S603 - the user names the program; there is no shell
                words,
                stdin=subprocess.DEVNULL,  # standard input may be the tickets
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it holds a NUL"
            raise SettingsError(f"{self.place} cannot be run: {reason}") from None
        try:
            output = self._output(process, until_s)
            code = process.wait(max(0.0, until_s - self.clock()))
        except subprocess.TimeoutExpired:
            raise SettingsError(
                f"{self.place} did not end within {self.timeout_s:g} s: does it wait for input?"
            ) from None
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if code != 0:
            raise SettingsError(
                f"{self.place} failed with exit code {code}; run it by hand to see why (what it "
                "prints is not shown, because it may hold the key)"
            )
        return output

    def _output(self, process: subprocess.Popen[bytes], until_s: float) -> bytes:
        """Return what it prints, up to a bound; its children may keep the pipe open for ever."""
        if process.stdout is None:  # pragma: no cover - it was asked for
            return b""
        number = process.stdout.fileno()
        data = b""
        with selectors.DefaultSelector() as selector:
            selector.register(number, selectors.EVENT_READ)
            while selector.select(max(0.0, until_s - self.clock())):
                chunk = os.read(number, MAX_BYTES)
                if not chunk:
                    return data
                data += chunk
                if len(data) > MAX_BYTES:
                    raise SettingsError(f"{self.place} prints more than {MAX_BYTES:,} bytes")
        raise subprocess.TimeoutExpired(process.args, self.timeout_s)


class KeyringEntry(Struct, frozen=True):
    """An entry of the system's keyring, which the extra `keyring` reads.

    Attributes:
        text: `SERVICE`, or `SERVICE/USER` when a service has several users.
    """

    text: str

    can_change = True

    @property
    def place(self) -> str:
        """The entry's name."""
        return f"the keyring entry {self.text!r}"

    def read(self) -> tuple[RawKey, ...]:
        """Return the one key."""
        service, _, user = self.text.rpartition("/")
        if not service:
            service, user = self.text.strip("/"), ""
        if not service:
            raise SettingsError("--api-key-keyring is empty: give SERVICE or SERVICE/USER")
        try:
            import keyring  # noqa: PLC0415 - an optional extra
            import keyring.errors  # noqa: PLC0415
        except ImportError as exc:
            raise SettingsError(
                "--api-key-keyring needs an extra: pip install 'inference-forge[keyring]'"
            ) from exc
        try:
            if user:
                value = keyring.get_password(service, user)
            else:
                entry = keyring.get_credential(service, None)
                value = None if entry is None else entry.password
        except keyring.errors.KeyringError as exc:
            raise SettingsError(
                f"{self.place} cannot be read ({type(exc).__name__}): is the keyring unlocked, and "
                "is there one on this machine?"
            ) from None
        if not value:
            hint = f"keyring set {service} {user or 'USER'}"
            raise SettingsError(f"{self.place} does not exist: store the key with `{hint}`")
        return (RawKey(value, self.place),)


def _decoded(data: bytes, what: str) -> str:
    with suppress(UnicodeDecodeError):
        return data.decode("utf-8")
    # The cause would quote what may be a key in another encoding.
    raise SettingsError(f"{what} is no text in UTF-8, so it holds no key")

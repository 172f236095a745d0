"""Keys from files, commands and keyrings: read strictly, and never shown."""

from __future__ import annotations

import os
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from inference_forge.adapters.key_sources import (
    MAX_BYTES,
    KeyCommand,
    KeyFile,
    KeyringEntry,
    RawKey,
)
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-canary-7f3a"


def values(source: KeyFile | KeyCommand | KeyringEntry) -> list[str]:
    """Return the keys that a source gives."""
    return [raw.value for raw in source.read()]


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (b"sk-1", ["sk-1"]),
        (b"sk-1\n", ["sk-1"]),
        (b"sk-1\r\n", ["sk-1"]),
        (b"\xef\xbb\xbfsk-1\n", ["sk-1"]),
        (b"\n\nsk-1\n  \nsk-2\r\n\n", ["sk-1", "sk-2"]),
        (b" sk-1 \n", [" sk-1 "]),  # the check that follows names the space
    ],
)
def test_a_file_has_one_key_a_line(tmp_path: Path, content: bytes, keys: list[str]) -> None:
    """Line ends of both kinds, a byte order mark and blank lines are no part of a key."""
    (tmp_path / "key").write_bytes(content)
    assert values(KeyFile(tmp_path / "key")) == keys


def test_the_line_of_a_key_is_named_when_there_are_several(tmp_path: Path) -> None:
    """So that a fault can be found."""
    (tmp_path / "key").write_text("sk-1\n\nsk-2\n")
    assert [raw.place for raw in KeyFile(tmp_path / "key").read()] == [
        f"{tmp_path / 'key'}, line 1,",
        f"{tmp_path / 'key'}, line 3,",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: write the key into it"),
        (b" \n\r\n", "is empty"),
        (b"\xff\xfe" + KEY.encode("utf-16-le"), "is no text in UTF-8"),
        (KEY.encode() + b"\xe9", "is no text in UTF-8"),
        (b"x" * (MAX_BYTES + 1), "is no key file: it is larger than"),
        (f"{KEY}\n".encode() * 65, "is no key file: it has 65 lines"),
    ],
)
def test_what_is_no_key_file(tmp_path: Path, content: bytes, said: str) -> None:
    """It is refused by name, and nothing of it is quoted."""
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SettingsError, match=said) as caught:
        KeyFile(tmp_path / "key").read()
    assert str(tmp_path / "key") in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing", "No such file"), (".", "Is a directory"), ("a\0b", "holds a NUL")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, said: str) -> None:
    """The reason is the system's."""
    source = KeyFile(tmp_path / name)
    with pytest.raises(SettingsError, match=said):
        source.read()
    assert not source.can_change
    assert not source.is_open_to_all or name == "."


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_file_that_everybody_may_read(tmp_path: Path, mode: int, is_open: bool) -> None:
    """The group is left out: it is how containers pass secrets on."""
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(mode)
    assert KeyFile(path).is_open_to_all == is_open


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """Reading `<(command)` again would wait for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert not KeyFile(path).can_change
    assert not KeyFile(path).is_open_to_all


def test_a_command_prints_the_key() -> None:
    """The first line counts; standard input is empty, and there is no shell."""
    assert values(KeyCommand(f"printf '{KEY}\\nlogin: me\\n'")) == [KEY]
    assert values(KeyCommand("echo $HOME ; true")) == ["$HOME ; true"]
    script = "import sys; print(len(sys.stdin.read()), 'x', sep='')"
    assert values(KeyCommand(f'{sys.executable} -c "{script}"')) == ["0x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: name a program"),
        ("pass 'x", "cannot be split into words"),
        ("/nonexistent/program --token sk-canary-7f3a", r"\(program\) cannot be run: No such file"),
        (f"sh -c 'echo {KEY} >&2; exit 7'", r"\(sh\) failed with exit code 7"),
        (f"sh -c 'echo {KEY}; exit 1'", "failed with exit code 1"),
        ("true", "prints no key"),
        ("printf '\\n%s\\n' sk-canary-7f3a", "prints no key"),
        ("printf 'sk-canary-7f3a\\377'", "is no text in UTF-8"),
        ("yes sk-canary-7f3a", "prints more than"),
        ("a\0b", "cannot be run: it holds a NUL"),
    ],
)
def test_a_command_that_gives_no_key(
    text: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only the program is named; what it prints goes nowhere."""
    with pytest.raises(SettingsError, match=said) as caught:
        KeyCommand(text).read()
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "script", ["sleep 60", "sleep 60 & echo key", "exec >&-; sleep 60"], ids=["no", "child", "shut"]
)
def test_a_command_that_does_not_end_is_killed(script: str) -> None:
    """Also when a child of it keeps its output open, or it closes its own."""
    began_s = time.monotonic()
    with pytest.raises(SettingsError, match=r"\(sh\) did not end within 0.3 s"):
        KeyCommand(f"sh -c '{script}'", timeout_s=0.3).read()
    assert time.monotonic() - began_s < 20


class _KeyringError(Exception):
    """What the library raises."""


def keyring_of(entries: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a keyring."""
    module, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    module.get_password = lambda service, user: entries.get((service, user))  # type: ignore[attr-defined]

    def credential(service: str, user: None) -> SimpleNamespace | None:
        assert user is None
        if service == "locked":
            raise _KeyringError(KEY)
        return next(
            (SimpleNamespace(password=v) for (s, _), v in entries.items() if s == service), None
        )

    module.get_credential = credential  # type: ignore[attr-defined]
    module.errors = errors  # type: ignore[attr-defined]
    errors.KeyringError = _KeyringError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_a_keyring_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """By service, or by service and user; a service may hold slashes."""
    keyring_of({("openai", "me"): "sk-1", ("https://x/y", "me"): "sk-2"}, monkeypatch)
    assert values(KeyringEntry("openai")) == ["sk-1"]
    assert values(KeyringEntry("openai/me")) == ["sk-1"]
    assert values(KeyringEntry("https://x/y/me")) == ["sk-2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("other", "'other' does not exist: store the key with `keyring set other USER`"),
        ("openai/you", "does not exist: store the key with `keyring set openai you`"),
        ("locked", r"cannot be read \(_KeyringError\)"),
        ("", "is empty"),
        ("/", "is empty"),
    ],
)
def test_a_keyring_entry_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    """The library's words are not repeated."""
    keyring_of({("openai", "me"): "sk-1"}, monkeypatch)
    with pytest.raises(SettingsError, match=said) as caught:
        KeyringEntry(text).read()
    assert KEY not in str(caught.value)


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is optional."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match=r"pip install 'inference-forge\[keyring\]'"):
        KeyringEntry("openai").read()


def test_nothing_shows_a_key() -> None:
    """Not even by accident."""
    assert "sk-1" not in repr(RawKey("sk-1", "x"))
    assert KeyCommand("pass 'x").place == "--api-key-command"
    assert KeyCommand("/usr/bin/pass show x").place == "--api-key-command (pass)"

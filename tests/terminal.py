"""Running `forge` on a terminal in tests, and looking at what reached it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from typing import Final

from running import command

ANSWER_S: Final = 20
QUESTION: Final = b"[y/N]"
RICH: Final = re.compile(
    r"\x1b\[\?25[lh]"  # hide and show the cursor
    r"|\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)+"  # clear the bar's lines
    r"|\x1b\[[0-9;]*m"  # colours, which are compared apart
)
COLOURS: Final = re.compile(r"\x1b\[([0-9;]*)m")
_SHADE: Final = re.compile(r"38;5;\d{1,3}")
# Everything that a terminal acts on, and what turns or hides text in it.
_ACTIVE: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def on_terminal(
    *args: object,
    columns: int = 100,
    stop_after: str | None = None,
    environ: dict[str, str] | None = None,
    with_stdout: bool = False,
    stdin: bytes = b"",
    typed: bytes | None = None,
) -> tuple[int, str]:
    """Run forge with stderr on a terminal, and return its exit code and what was shown.

    Arguments:
        args: the command line.
        columns: the terminal's width.
        stop_after: send SIGINT once this pattern was shown.
        environ: more variables.
        with_stdout: whether standard output is the terminal, too.
        stdin: what is piped in.
        typed: what somebody types, once asked; standard input is the terminal then.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", **(environ or {})}
    process = subprocess.Popen(
        command(*args),
        stdin=subprocess.PIPE if typed is None else theirs,
        stdout=theirs if with_stdout else subprocess.DEVNULL,
        stderr=theirs,
        env=env,
    )
    os.close(theirs)
    if process.stdin is not None:
        with process.stdin as pipe:
            pipe.write(stdin)
    shown = b""
    while select.select([ours], [], [], ANSWER_S)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            break
        shown += chunk
        if typed and QUESTION in shown:
            os.write(ours, typed)
            typed = b""
        if stop_after is not None and re.search(stop_after.encode(), shown):
            process.send_signal(signal.SIGINT)
            stop_after = None
    os.close(ours)
    return process.wait(timeout=ANSWER_S), shown.decode()


def assert_harmless(shown: str, colours: set[str]) -> None:
    """Check that nothing reached a terminal that it acts on but what the bar itself sends.

    Arguments:
        shown: what reached it.
        colours: the settings of colour that the bar uses.
    """
    others = set(COLOURS.findall(shown)) - colours
    # A bar of unknown length pulses: which of its shades are caught depends on the moment.
    assert not [colour for colour in others if not _SHADE.fullmatch(colour)]
    text = RICH.sub("", shown).replace("\r\n", "\n")
    found = _ACTIVE.search(text)
    around = text[max(0, found.start() - 60) : found.end() + 60] if found else ""
    assert found is None, f"{around!r}"

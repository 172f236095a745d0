"""Facts of the machine and the process: versions, terminal, open files, clock."""

from __future__ import annotations

import importlib.metadata
import resource
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.adapters.http.replies import H11Reader
from inference_forge.adapters.http.stack import reader_of
from inference_forge.app.event_loop import is_uvloop_used
from inference_forge.jobs.doctor.findings import ok, warn
from inference_forge.settings import HttpStack
from inference_forge.version import DISTRIBUTION, version_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.jobs.doctor.findings import Finding

LIBRARIES: Final = ("anyio", "diskcache", "httpx", "orjson", "pydantic", "rich", "typer")

SPARE_FILES: Final = 64
"""Descriptors beside one per connection: standard streams, inputs, outputs, locks, SQLite's
three files, the event loop, and resolvers at work."""

MAX_SKEW_S: Final = 300.0
"""More than networks and servers explain; waits given as a date and --cache-ttl go by the clock."""


class Terminal(Struct, frozen=True):
    """Where output goes.

    Attributes:
        is_stdout_terminal: whether standard output is one.
        is_stderr_terminal: whether standard error is one, which decides about the progress bar.
        encoding: of standard output; None when it is closed.
    """

    is_stdout_terminal: bool
    is_stderr_terminal: bool
    encoding: str | None


def check_versions() -> Finding:
    """Return which program, Python and libraries run."""
    try:
        program = version_text()
    except importlib.metadata.PackageNotFoundError:
        return warn(
            "versions", f"{DISTRIBUTION} runs without being installed", "install it with pip"
        )
    libraries = ", ".join(f"{name} {_version_of(name)}" for name in LIBRARIES)
    return ok("versions", f"{program}; {ssl.OPENSSL_VERSION}; {libraries}")


def check_http(stack: HttpStack, *, is_proxied: bool) -> Finding:
    """Return what speaks HTTP, and which event loop it runs on.

    Arguments:
        stack: the one that the settings ask for.
        is_proxied: whether requests go through a proxy.
    """
    is_httpx = is_proxied or stack is HttpStack.HTTPX
    is_fast = not is_httpx and reader_of(stack) is not H11Reader
    parser = "httpx" if is_httpx else "httptools" if is_fast else "h11"
    loop = f"uvloop {_version_of('uvloop')}" if is_uvloop_used(stack) else "asyncio"
    found = f"{parser} {_version_of(parser)} on {loop} (--http {stack})"
    if is_proxied:
        return ok("http", f"{found}; a proxy leaves no other choice than httpx")
    if stack is HttpStack.AUTO and not (is_fast and is_uvloop_used(stack)):
        return ok("http", f"{found}; pip install '{DISTRIBUTION}[fast]' takes less processor time")
    return ok("http", found)


def check_terminal(terminal: Terminal, environ: Mapping[str, str]) -> Finding:
    """Return what progress and messages are shown on.

    Arguments:
        terminal: where output goes.
        environ: the environment.
    """
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((f"{name}={environ[name]}" for name in names if environ.get(name)), "no LANG")
    colour = next(
        (f", {name} is set" for name in ("NO_COLOR", "FORCE_COLOR") if name in environ), ""
    )
    found = (
        f"stdout is {_kind(terminal.is_stdout_terminal)}, stderr "
        f"{_kind(terminal.is_stderr_terminal)} (TERM={environ.get('TERM', '')}), "
        f"encoding {terminal.encoding or 'none'}, {locale}{colour}"
    )
    is_unicode = terminal.encoding is None or terminal.encoding.lower().replace("-", "") == "utf8"
    if not is_unicode:
        return warn("terminal", found, "export LANG=C.UTF-8, or names in messages are garbled")
    return ok("terminal", found)


def check_open_files(concurrency: int, soft_limit: int | None = None) -> Finding:
    """Return whether the process may open a connection per request in flight.

    Arguments:
        concurrency: most requests in flight.
        soft_limit: files that may be open at once; None asks the system.
    """
    if soft_limit is None:
        soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = concurrency + SPARE_FILES
    if soft_limit == resource.RLIM_INFINITY:
        return ok("open files", f"no limit (--concurrency {concurrency})")
    found = f"{soft_limit} allowed, {needed} needed for --concurrency {concurrency}"
    if soft_limit < needed:
        return warn("open files", found, f"ulimit -n {needed}, or a lower --concurrency")
    return ok("open files", found)


def check_clock(headers: Mapping[str, str], now_unix: float) -> Finding | None:
    """Return how far the clock is from the server's, None when the server does not say.

    Arguments:
        headers: of a response that has just come.
        now_unix: Unix time in seconds at which it came.
    """
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        # The standard library's parser leaks all of these on foreign input.
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    # Subtraction instead of timestamp(): the latter overflows at the ends of the calendar.
    skew_s = now_unix - (date - _EPOCH).total_seconds()
    direction = "ahead of" if skew_s > 0 else "behind"
    found = f"{abs(skew_s):,.0f} s {direction} the server's"
    if abs(skew_s) > MAX_SKEW_S:
        return warn("clock", found, "set this machine's clock (for example with NTP)")
    return ok("clock", found)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _version_of(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _kind(is_terminal: bool) -> str:
    return "a terminal" if is_terminal else "no terminal"

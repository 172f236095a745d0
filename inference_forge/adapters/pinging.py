"""Telling a dead man's switch that a run began and how it ended (the URLs of healthchecks.io).

Source: healthchecks.io/docs/http_api, "Start", "Success", "Report script's exit status".
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S: Final = 5.0
TRIES: Final = 2
"""A success that gets lost is an alarm at night: it is worth a second try."""

_SERVER_ERROR: Final = 500


def check_ping(url: str) -> None:
    """Look whether a URL can be pinged.

    Raises:
        SettingsError: it cannot.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_usable = False
    if not is_usable or any(character.isspace() for character in url):
        raise SettingsError("--ping: give the whole address, such as https://hc-ping.com/UUID")


class Pinger:
    """Pings in threads; a run waits for it only at its end, and not for long.

    Arguments:
        url: the check's; a secret, whoever knows it can ping.
        warn: told, once, that a ping failed; without the URL.
        agent: says who pings.
        timeout_s: for one ping in all.
    """

    def __init__(
        self, url: str, *, warn: Callable[[str], None], agent: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._url = url
        self._warn = warn
        self._agent = agent
        self._timeout_s = timeout_s
        self._started: threading.Thread | None = None
        self._has_warned = False

    def start(self) -> None:
        """Say that the run begins; returns at once."""
        self._started = self._send("start", "", tries=1)

    def end(self, exit_code: int, body: str) -> None:
        """Say how the run ended: 0 is success, anything else failure.

        Arguments:
            exit_code: as the shell sees it.
            body: a line for people, without secrets.
        """
        if self._started is not None:
            # In this order, or the check would take the run for one that still goes on.
            self._started.join(self._timeout_s)
        ending = self._send("" if exit_code == 0 else str(exit_code), body, tries=TRIES)
        ending.join(TRIES * self._timeout_s)
        if ending.is_alive():
            self._fail("it does not answer")

    def _send(self, path: str, body: str, *, tries: int) -> threading.Thread:
        url = _below(self._url, path)
        thread = threading.Thread(
            target=self._try, args=(url, body, tries), name="forge-ping", daemon=True
        )
        thread.start()
        return thread

    def _try(self, url: str, body: str, tries: int) -> None:
        problem: str | None = None
        for _ in range(tries):
            problem, is_final = self._post(url, body)
            if is_final:
                break
        if problem is not None:
            self._fail(problem)

    def _post(self, url: str, body: str) -> tuple[str | None, bool]:
        """Return what went wrong, None if nothing did, and whether another try is no use."""
        # httpx takes a while to load: only runs that ping pay for it here.
        import httpx  # noqa: PLC0415

        headers = {"User-Agent": self._agent, "Content-Type": "text/plain; charset=utf-8"}
        try:
            with httpx.Client(timeout=self._timeout_s, follow_redirects=False) as client:
                status = client.post(url, content=body.encode(), headers=headers).status_code
        except httpx.TimeoutException:
            return "it does not answer", False
        except httpx.ConnectError:
            return "it cannot be reached", False
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
            # Its message may hold the URL.
            return f"{type(exc).__name__}", False
        is_good = 200 <= status < 300  # noqa: PLR2004 - RFC 9110, section 15.3
        return (None if is_good else f"it answers with {status}"), status < _SERVER_ERROR

    def _fail(self, problem: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            host = urlsplit(self._url).hostname
            self._warn(f"--ping: {host} was not told how the run goes: {problem}")


def _below(url: str, path: str) -> str:
    parts = urlsplit(url)
    if not path:
        return url
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}", fragment=""))

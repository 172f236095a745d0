"""Where metrics are read: a textfile for node_exporter, and a port on loopback."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.whole_file import write_whole
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prometheus_client import CollectorRegistry

EVERY_S: Final = 10.0
LOOPBACK: Final = "127.0.0.1"


class MetricsFile:
    """Writes a file every 10 s from a thread of its own, and once more at the end.

    Arguments:
        path: the file.
        render: returns what to write; called in the thread.
        warn: told, once, that it cannot be written.
        every_s: seconds between two writes.
    """

    def __init__(
        self,
        path: Path,
        render: Callable[[], bytes],
        *,
        warn: Callable[[str], None],
        every_s: float = EVERY_S,
    ) -> None:
        self._path = path
        self._render = render
        self._warn = warn
        self._every_s = every_s
        self._has_warned = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="forge-metrics", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write the last time."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(self._every_s)
        self._write()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._write()
            self._closing.wait(self._every_s)

    def _write(self) -> None:
        try:
            write_whole(self._path, self._render(), is_lasting=False)
        except OSError as exc:
            if not self._has_warned:
                self._has_warned = True
                reason = exc.strerror or exc
                self._warn(f"--metrics: {self._path} cannot be written ({reason})")


class MetricsPort:
    """Serves metrics over HTTP to programs on this machine.

    Arguments:
        port: to listen at; 0 for any that is free.
        registry: what is served.

    Attributes:
        port: where it listens.

    Raises:
        UsageError: the port is taken, or needs privileges.
    """

    def __init__(self, port: int, registry: CollectorRegistry) -> None:
        # Takes a while to load, and most runs do without.
        from prometheus_client import start_http_server  # noqa: PLC0415

        try:
            self._server, self._thread = start_http_server(port, addr=LOOPBACK, registry=registry)
        except OSError as exc:
            raise UsageError(
                f"--metrics-port {port}: nothing can listen there ({exc.strerror}); choose another "
                "port, or 0 for any that is free"
            ) from exc
        self.port = self._server.server_port

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

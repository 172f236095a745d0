"""The port that serves metrics."""

from __future__ import annotations

import socket
import sys

import pytest
from prometheus_client import CollectorRegistry

from inference_forge.adapters.metric_outlets import LOOPBACK, MetricsPort


@pytest.mark.skipif(sys.platform != "linux", reason="others have one loopback address")
def test_other_machines_cannot_read_the_metrics() -> None:
    """It listens at one address: another one of this machine has nobody."""
    port = MetricsPort(0, CollectorRegistry())
    try:
        socket.create_connection((LOOPBACK, port.port), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port.port), timeout=5)
    finally:
        port.close()

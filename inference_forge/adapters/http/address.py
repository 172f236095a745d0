"""Which server a URL names."""

from __future__ import annotations

from urllib.parse import urlsplit


def server_of(url: str) -> tuple[str, str]:
    """Return scheme and host with port, without credentials; empty when it cannot be told.

    The scheme counts: a provider's host over plain HTTP is not the provider.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ("", "")
    return (parts.scheme, parts.netloc.rpartition("@")[2].lower())

"""What this installation is and runs on, for a report of a bug; nothing secret or personal."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
import re
import sqlite3
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import inference_forge
from inference_forge.errors import UsageError
from inference_forge.version import DISTRIBUTION, version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEVELOPMENT: Final = frozenset({"docs", "lint", "test"})
"""Extras that change nothing about a run."""

OWN_PREFIX: Final = "FORGE_"
SHOWN: Final = ("TERM", "LANG", "LC_ALL", "NO_COLOR", "FORCE_COLOR")
"""Variables whose values say how output looks, and nothing else."""

TELLING: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")
"""Variables that change where requests go. As of those of forge, only the name is told: an address
may hold a password."""

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([\w-]+)["']""")


class Fact(NamedTuple):
    """One thing that a report should say.

    Attributes:
        name: what it is about, a word.
        value: what is so.
    """

    name: str
    value: str


def about(environ: Mapping[str, str]) -> tuple[Fact, ...]:
    """Return what a report of a bug should say about this installation.

    Arguments:
        environ: the environment; of most variables only the name is told.

    Raises:
        UsageError: the program runs without being installed.
    """
    try:
        needed, extras = _requirements()
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            f"{DISTRIBUTION} runs without being installed; install it with pip"
        ) from None
    there = {
        extra: found for extra, names in extras.items() if (found := _versions(names)) is not None
    }
    missing = sorted(extras.keys() - there.keys())
    present = ", ".join(f"{extra} ({', '.join(found)})" for extra, found in sorted(there.items()))
    return (
        Fact("forge", version()),
        Fact("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        Fact("platform", platform.platform()),
        Fact("libraries", f"SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}"),
        Fact("installed", _installed()),
        Fact("packages", ", ".join(_versions(needed) or ("incomplete: pip install again",))),
        Fact("extras", f"{present or 'none'}; without {', '.join(missing) or 'none'}"),
        Fact("variables", ", ".join(_variables(environ)) or "none"),
    )


def _requirements() -> tuple[Sequence[str], Mapping[str, Sequence[str]]]:
    """Return what is always needed, and what by extra, as the installed package tells it."""
    needed: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in importlib.metadata.requires(DISTRIBUTION) or ():
        name, extra = _NAME.match(line), _EXTRA.search(line)
        if name is None or (extra is not None and extra[1] in DEVELOPMENT):
            continue
        (needed if extra is None else extras.setdefault(extra[1], [])).append(name[0])
    return sorted(needed), extras


def _versions(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return each name with its version, None when one is not installed."""
    try:
        return tuple(f"{name} {importlib.metadata.version(name)}" for name in names)
    except importlib.metadata.PackageNotFoundError:
        return None


def _installed() -> str:
    """Return where the package lies and what put it there, without the name of the user."""
    found = importlib.metadata.distribution(DISTRIBUTION)
    by = (found.read_text("INSTALLER") or "unknown").strip()
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    is_editable = bool(origin.get("dir_info", {}).get("editable"))
    where = Path(inference_forge.__file__).parent
    with contextlib.suppress(RuntimeError, ValueError):  # no home, or not below it
        where = "~" / where.relative_to(Path.home())
    place = "in a virtual environment" if sys.prefix != sys.base_prefix else "for the whole system"
    return f"{where} (by {by}{', editable' if is_editable else ''}, {place})"


def _variables(environ: Mapping[str, str]) -> Iterator[str]:
    for name in SHOWN:
        if name in environ:
            yield f"{name}={environ[name]}"
    for name in sorted(environ):
        if name.startswith(OWN_PREFIX) or name.upper() in TELLING:
            yield name

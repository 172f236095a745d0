"""What must be right in a `[providers.NAME]` table, in the words of settings files."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

from inference_forge.errors import SettingsError
from inference_forge.settings.wording import requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference_forge.adapters.providers.preset_tables import Described

# What a shell can set (POSIX, Base Definitions 8.1); also keeps a key from being written here.
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, section 5.6.2)."""
_HEADER_VALUE: Final = re.compile(r"[ -~]*")
# Besides the one that carries the key these decide about framing or place.
_RESERVED_HEADERS: Final = frozenset({
    "connection", "content-encoding", "content-length", "content-type", "host", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*|")
_SHOWN: Final = (str, int, float, bool)
_SECRETIVE: Final = frozenset({"headers", "extra_body"})
"""Keys whose values are not shown: somebody may have put a secret there."""


def refused(name: str, section: Described, problem: Mapping[str, Any], known: Iterable[str]) -> str:
    """Return what is wrong with a section, from one of pydantic's errors.

    Arguments:
        name: the provider.
        section: as the files leave it.
        problem: the error.
        known: the names of all providers.
    """
    key = str(problem["loc"][0])
    if problem["type"] == "missing":
        near = difflib.get_close_matches(name, [other for other in known if other != name], n=1)
        guess = f"; did you mean [providers.{near[0]}]?" if near else ""
        return f"{_title(name, section)} is a new provider and needs {key}{guess}"
    named = ".".join(str(step) for step in problem["loc"] if step != "[key]")
    value = problem["input"]
    is_shown = key not in _SECRETIVE and isinstance(value, _SHOWN)
    shown = f"{value!r} cannot be used: " if is_shown else ""
    return f"{_title(name, section, key)}: {named}: {shown}{requirement(problem)}"


def check_own(name: str, section: Described) -> None:
    """Look at what types do not tell: addresses, names of variables and headers.

    Arguments:
        name: the provider.
        section: as the files leave it; its types are right.

    Raises:
        SettingsError: something in it cannot be used.
    """
    # httpx takes a while to import: a run without tables does without.
    from inference_forge.adapters.http.client import parse_base_url  # noqa: PLC0415

    keys = section.keys
    try:
        parse_base_url(keys["base_url"])
    except SettingsError as error:
        raise SettingsError(f"{_title(name, section, 'base_url')}: {error}") from error
    _check_key(name, section)
    _check_headers(name, section)
    if _PATH.fullmatch(keys.get("check_path", "")) is None:
        raise SettingsError(
            f"{_title(name, section, 'check_path')}: check_path must be a path below base_url, "
            "such as models"
        )


def _check_key(name: str, section: Described) -> None:
    keys = section.keys
    key_env = keys.get("key_env")
    if not key_env and keys.get("requires_key", True):
        raise SettingsError(
            f"{_title(name, section)} needs key_env, the variable that holds the key; or "
            "requires_key = false"
        )
    if key_env and _VARIABLE.fullmatch(key_env) is None:
        # Not shown: it may be the key itself.
        raise SettingsError(
            f"{_title(name, section, 'key_env')}: key_env must be the name of an environment "
            "variable, never the key"
        )


def _check_headers(name: str, section: Described) -> None:
    for header, value in (section.keys.get("headers") or {}).items():
        if not _HEADER.fullmatch(header) or not _HEADER_VALUE.fullmatch(value):
            raise SettingsError(
                f"{_title(name, section, 'headers')}: header {header!r} cannot be sent: use a "
                "plain name and printable ASCII"
            )
        if header.lower() in _RESERVED_HEADERS:
            raise SettingsError(
                f"{_title(name, section, 'headers')}: {header!r} is set by forge; leave it out"
            )


def _title(name: str, section: Described, key: str = "") -> str:
    """Return the table at fault; without `key`, the last that says anything."""
    return f"[providers.{name}] in {section.places.get(key, section.files[-1])}"

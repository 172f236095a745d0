"""Packaged presets as the user's and a project's `[providers.NAME]` tables change them.

A project's `./forge.toml` may have come with somebody else's files. It may describe a provider, but
it must not decide where a key from the environment goes, or which variable is a key.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from inference_forge.adapters.http.address import server_of
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from inference_forge.settings import ProviderTable, ProviderTables

BUILT_IN: Final = ("local", "simulated")
"""Providers that are no server and so have no preset."""

# Headers are among them because a gateway may be told by one where to send a request on.
_GUARDED: Final[Mapping[str, object]] = {
    "base_url": None,
    "key_env": None,
    "headers": {},
    "auth": "bearer",
}
"""What a key is sent by, each with what a section means that leaves it out."""


class Described(Struct, frozen=True):
    """A provider's section after all files.

    Attributes:
        keys: what it sets.
        places: the file of each key that comes from one.
        is_packaged: whether the package knows the provider.
        files: those that describe or change it, in order.
        distrust: why no key from the environment goes there; empty when it may.
        is_address_own: whether the package or the user's own file says where it is.
    """

    keys: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    is_packaged: bool = True
    files: tuple[str, ...] = ()
    distrust: str = ""
    is_address_own: bool = True


def describe(
    packaged: Mapping[str, Mapping[str, Any]], own: ProviderTables, known: Collection[str]
) -> dict[str, Described]:
    """Return all sections by name, the packaged ones first.

    Arguments:
        packaged: the sections of the package.
        own: the tables of settings files.
        known: the keys that a section may have.

    Raises:
        SettingsError: a table has an unknown key, or the name of what is no server.
    """
    found = {name: Described(keys) for name, keys in packaged.items()}
    for table in own.tables:
        _check(table, known)
        before = found.get(table.name)
        after = _with(before or Described({}, is_packaged=False), table)
        if table.is_project:
            after = replace(
                after,
                distrust=_distrust(before, after, table, own.user_file),
                is_address_own=before is not None and not _differs("base_url", before, after),
            )
        found[table.name] = after
    return found


def _check(table: ProviderTable, known: Collection[str]) -> None:
    if table.name in BUILT_IN:
        raise SettingsError(
            f"{table.title}: {table.name} is built in and no server: choose another name"
        )
    for key in table.keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise SettingsError(f"{table.title}: unknown key {key!r}; {hint}")


def _with(section: Described, table: ProviderTable) -> Described:
    return replace(
        section,
        keys={**section.keys, **table.keys},
        places={**section.places, **dict.fromkeys(table.keys, table.place)},
        files=(*section.files, table.place),
    )


def _distrust(
    before: Described | None, after: Described, table: ProviderTable, user_file: str
) -> str:
    """Return why the environment's key is not for what a project's table makes of a provider."""
    key_env = after.keys.get("key_env")
    if not key_env:
        return ""
    if before is None:
        said = f"names {key_env} as a key, and a project's file does not decide what is one"
    else:
        changed = [key for key in _GUARDED if key in table.keys and _differs(key, before, after)]
        if not changed:
            return ""
        said = (
            f"changes {', '.join(changed)} of {table.name}, and a project's file does not decide "
            f"where {key_env} goes"
        )
    return f"{table.title} {said}; if that is right, move the table to {user_file}"


def _differs(key: str, before: Described, after: Described) -> bool:
    old, new = (section.keys.get(key, _GUARDED[key]) for section in (before, after))
    if key == "base_url" and isinstance(old, str) and isinstance(new, str):
        return server_of(old) != server_of(new)
    return bool(old != new)

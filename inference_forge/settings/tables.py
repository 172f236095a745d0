"""`[providers.NAME]` tables of settings files, as they were written.

What their keys mean is known further up, where providers are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES: Final = "providers"
"""The key of a file that holds them."""

# A slash would make `provider/model` ambiguous, and names are compared without case.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


class ProviderTable(Struct, frozen=True):
    """One table of one file.

    Attributes:
        name: the provider it describes, in lower case.
        keys: what it sets, with underscores in the names.
        place: the file, as messages name it.
        is_project: whether the file came with a project, perhaps from somebody else.
    """

    name: str
    keys: Mapping[str, Any]
    place: str
    is_project: bool

    @property
    def title(self) -> str:
        """Return what messages call it."""
        return f"[{TABLES}.{self.name}] in {self.place}"


class ProviderTables(Struct, frozen=True):
    """All tables, those of the user's own file first.

    Attributes:
        tables: in the order in which they apply.
        user_file: where tables belong that are to be trusted, as messages name it.
    """

    tables: tuple[ProviderTable, ...] = ()
    user_file: str = "your own settings file"


def provider_tables(value: Any, place: str, *, is_project: bool) -> tuple[ProviderTable, ...]:
    """Return the tables under the key `providers` of a file.

    Arguments:
        value: what stands there.
        place: the file, as messages name it.
        is_project: whether it is a project's file.

    Raises:
        SettingsError: it is no table of tables, or a name cannot be one.
    """
    if not isinstance(value, dict):
        raise SettingsError(
            f"{place}: {TABLES} must hold a table for each provider: write [{TABLES}.NAME]"
        )
    found: dict[str, ProviderTable] = {}
    for written, keys in value.items():
        name = written.lower()
        if not isinstance(keys, dict):
            raise SettingsError(f"{place}: {TABLES}.{written} must be a table, [{TABLES}.NAME]")
        if _NAME.fullmatch(name) is None:
            raise SettingsError(
                f"{place}: {written!r} cannot be a provider's name: use letters, digits, - and _"
            )
        if name in found:
            raise SettingsError(f"{place}: [{TABLES}.{written}] is there twice: join the two")
        plain = {key.replace("-", "_"): item for key, item in keys.items()}
        found[name] = ProviderTable(name, plain, place, is_project)
    return tuple(found.values())

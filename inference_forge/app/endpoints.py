"""Where a provider is asked: at its own address, or at one or several that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.adapters.http.address import server_of
from inference_forge.errors import SettingsError
from inference_forge.settings import Origin

if TYPE_CHECKING:
    from inference_forge.adapters.providers.presets import Preset
    from inference_forge.settings import Loaded

PRECEDENCE: Final = (Origin.FLAG, Origin.ENVIRONMENT, Origin.PROJECT_FILE, Origin.USER_FILE)
"""Who wins when one thing can be said by several settings."""


class Addresses(Struct, frozen=True):
    """Where to ask.

    Attributes:
        urls: at least one.
        is_own: the user named them; False for the provider's own address.
        setting: the setting that named them.
        origin: where that was set.
    """

    urls: tuple[str, ...]
    is_own: bool
    setting: str = "base_url"
    origin: Origin = Origin.DEFAULT

    def foreign_to(self, preset: Preset) -> list[str]:
        """Return those that are another server than the provider's own."""
        return [url for url in self.urls if self.is_own and is_foreign(url, preset)]


def find_addresses(loaded: Loaded, preset: Preset) -> Addresses:
    """Return where to ask `preset`'s provider.

    Raises:
        SettingsError: one and several addresses are set at the same place, or one is named twice.
    """
    settings = loaded.settings
    named = {
        "base_url": () if settings.base_url is None else (settings.base_url,),
        "base_urls": settings.base_urls,
    }
    setting = foremost(loaded, [name for name, urls in named.items() if urls])
    if setting is None:
        return Addresses((preset.base_url,), is_own=False)
    urls = named[setting]
    if len({url.rstrip("/") for url in urls}) < len(urls):
        raise SettingsError(f"{setting} names an address twice: name each server once")
    return Addresses(urls, is_own=True, setting=setting, origin=loaded.origin(setting))


def foremost(loaded: Loaded, attributes: list[str]) -> str | None:
    """Return which of several settings for one thing counts; None when none is set.

    Raises:
        SettingsError: two are set at the same place.
    """
    by_origin: dict[Origin, str] = {}
    for attribute in attributes:
        origin = loaded.origin(attribute)
        if origin in by_origin:
            raise SettingsError(
                f"{by_origin[origin]} and {attribute} are both set ({origin}), and mean the same: "
                "leave one out"
            )
        by_origin[origin] = attribute
    found = (by_origin[origin] for origin in (*PRECEDENCE, Origin.DEFAULT) if origin in by_origin)
    return next(found, None)


def is_foreign(base_url: str, preset: Preset) -> bool:
    """Tell whether `base_url` is another server than the provider's own.

    The scheme counts: the provider's host over plain HTTP is not the provider.
    """
    return server_of(base_url) != server_of(preset.base_url)

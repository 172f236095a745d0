"""Finding the API keys: where they may come from, and where they may go.

A flag wins over a `FORGE_*` variable, this over the user's own settings file; the provider's own
variable comes last. A project's `./forge.toml` may come with somebody else's files, so it can
neither name a place of keys nor send them to an address or a provider of its choice.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.adapters.http.address import server_of
from inference_forge.adapters.key_sources import KeyCommand, KeyFile, KeyringEntry
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.rotating import KeyPool
from inference_forge.adapters.threads import DedicatedThread
from inference_forge.app.endpoints import foremost
from inference_forge.errors import SettingsError
from inference_forge.settings import Origin, specs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.adapters.key_sources import KeySource
    from inference_forge.adapters.providers.presets import Preset
    from inference_forge.app.endpoints import Addresses
    from inference_forge.settings import Loaded

KEY_SETTINGS: Final = ("api_key_file", "api_key_command", "api_key_keyring")


def _tell_nobody(_code: str, _message: str) -> None:
    """Drop a message."""


def _forget(_secret: str) -> None:
    """Drop a secret."""


class Keys(Struct, frozen=True):
    """The keys to ask with.

    Attributes:
        keys: none when the provider is to be asked without.
        place: what messages call where they are from.
        pool: brings new ones when they are refused; None for keys of the environment.
    """

    keys: tuple[ApiKey, ...]
    place: str
    pool: KeyPool | None = None

    def for_address(self, number: int) -> ApiKey | None:
        """Return the key for the address `number`, counted from 0."""
        return self.keys[number % len(self.keys)] if self.keys else None


class KeyFinder(Struct):
    """Finds keys; the same place is read once, however many providers use it.

    Attributes:
        environ: the environment.
        learn: told of every key as soon as it is read, so that nothing shows it.
        note, warn: told, by code and message, of what the user should know.
    """

    environ: Mapping[str, str]
    learn: Callable[[str], None] = _forget
    note: Callable[[str, str], None] = _tell_nobody
    warn: Callable[[str, str], None] = _tell_nobody
    _found: dict[KeySource, Keys] = field(default_factory=dict)

    def find(self, preset: Preset, loaded: Loaded, addresses: Addresses) -> Keys:
        """Return the keys for `preset`'s provider; may block.

        Arguments:
            preset: the provider's facts.
            loaded: the settings.
            addresses: where it is asked.

        Raises:
            SettingsError: a key cannot be read or sent, must not go where it would go, or there
                are not as many keys as addresses.
        """
        source = self._source(loaded)
        self._check_preset(preset, addresses, source)
        if source is None:
            value = self.environ.get(preset.key_env)
            if not value:
                return Keys((), preset.key_env)
            _check_address(preset, addresses, preset.key_env, f"unset {preset.key_env}")
            return Keys((ApiKey(value, source=preset.key_env),), preset.key_env)
        _check_address(preset, addresses, source.place, "leave the address out")
        if source not in self._found:
            self._found[source] = self._read(source)
        found = self._found[source]
        _check_number(found, addresses)
        return found

    def _check_preset(self, preset: Preset, addresses: Addresses, source: KeySource | None) -> None:
        """Send no key to a provider that a project's file describes."""
        value = self.environ.get(preset.key_env)
        if preset.distrust and (source is not None or value or preset.requires_key):
            advice = f", else unset {preset.key_env}" if value and source is None else ""
            raise SettingsError(f"{preset.distrust}{advice}")
        if source is not None and not preset.is_address_own and not addresses.is_own:
            # A table without a key_env is distrusted by nobody, since it names no variable.
            raise SettingsError(
                f"./forge.toml says where {preset.name} is, and {source.place} would be sent "
                "there; if that is right, say so with --base-url, or move the table to your own "
                "settings file"
            )

    def _source(self, loaded: Loaded) -> KeySource | None:
        settings = loaded.settings
        sources: dict[str, KeySource] = {}
        if settings.api_key_file is not None:
            sources["api_key_file"] = KeyFile(settings.api_key_file)
        if settings.api_key_command is not None:
            sources["api_key_command"] = KeyCommand(settings.api_key_command)
        if settings.api_key_keyring is not None:
            sources["api_key_keyring"] = KeyringEntry(settings.api_key_keyring)
        setting = foremost(loaded, list(sources))
        if setting is None:
            return None
        _check_trust(loaded, setting, sources[setting])
        return sources[setting]

    def _read(self, source: KeySource) -> Keys:
        read = partial(_checked_keys, source, self.learn)
        keys = read()
        if len(set(keys)) < len(keys):
            raise SettingsError(f"{source.place} holds a key twice: write each once")
        if isinstance(source, KeyFile) and source.is_open_to_all:
            self.warn(
                "key_file_open",
                f"the key file {source.place} can be read by every user of this machine: "
                f"chmod 600 {source.place}",
            )
        pool = KeyPool(
            keys,
            place=source.place,
            read_again=read if source.can_change else None,
            worker=DedicatedThread("forge-key", is_abandonable=True),
            note=self.note,
            warn=self.warn,
        )
        return Keys(keys, source.place, pool)


def _checked_keys(source: KeySource, learn: Callable[[str], None]) -> tuple[ApiKey, ...]:
    found = source.read()
    for raw in found:
        learn(raw.value)
    return tuple(ApiKey(raw.value, source=raw.place) for raw in found)


def _check_trust(loaded: Loaded, setting: str, source: KeySource) -> None:
    """Let no project's file say where keys are, or to which provider they go."""
    origin = loaded.origin(setting)
    spec = next(spec for spec in specs() if spec.attribute == setting)
    flag = f"--{spec.key.replace('_', '-')}"
    if origin is Origin.PROJECT_FILE:
        raise SettingsError(
            f"./forge.toml sets {spec.key}, which a project's file must not: it may come with "
            f"somebody else's files; use {flag}, {spec.variable} or your own settings file"
        )
    if origin is not Origin.FLAG and loaded.origin("provider") is Origin.PROJECT_FILE:
        raise SettingsError(
            f"./forge.toml chooses the provider {loaded.settings.provider!r}, and the key of "
            f"{source.place} would be sent to it; if that is right, say so with --provider "
            f"or {flag}"
        )


def _check_address(preset: Preset, addresses: Addresses, place: str, else_: str) -> None:
    """Send no key where a project's file alone says.

    It can name another address, but a key goes only where a flag, a variable or the user's own
    file says.
    """
    foreign = addresses.foreign_to(preset)
    if not foreign or addresses.origin is not Origin.PROJECT_FILE:
        return
    server = "://".join(server_of(foreign[0]))
    raise SettingsError(
        f"./forge.toml sets {addresses.setting} to {server!r}, and {place} would be sent "
        "there; if that is right, say so with --base-url or in your own settings file, else "
        f"{else_}"
    )


def _check_number(found: Keys, addresses: Addresses) -> None:
    keys, urls = len(found.keys), len(addresses.urls)
    if keys > 1 and urls > 1 and keys != urls:
        raise SettingsError(
            f"{found.place} has {keys} keys for {urls} addresses: give one key for all, or one "
            "for each in their order"
        )

"""Who is to be asked, where, through which proxy and with whose key; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from msgspec import Struct
from msgspec.structs import replace

from inference_forge.adapters.http.client import build_client, environment_proxy, parse_base_url
from inference_forge.adapters.providers.presets import find_preset
from inference_forge.app.allowed_models import check_allowed
from inference_forge.app.answering import LOCAL, open_answering, open_fallback
from inference_forge.app.endpoints import find_addresses
from inference_forge.errors import SettingsError, TaxonomyError
from inference_forge.jobs.doctor.findings import CONFIGURATION, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from inference_forge.adapters.providers.credentials import ApiKey
    from inference_forge.adapters.providers.presets import Preset
    from inference_forge.app.answering import Answering
    from inference_forge.app.endpoints import Addresses
    from inference_forge.app.keys import KeyFinder, Keys
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.jobs.doctor.findings import Finding
    from inference_forge.settings import Loaded, PriceTable

_ANY_MODEL: Final = "any"
"""Stands in for a model that is not chosen yet, while the key is looked at."""

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Account(Struct, frozen=True):
    """Everything that a call needs.

    Attributes:
        preset: the provider's facts.
        base_url: where it is asked.
        model: None when the user must still choose.
        api_key: None when there is none and none is needed.
        label: which of several; empty when there is one.
        prices: what models cost, as settings files say.
    """

    preset: Preset
    base_url: str
    model: str | None
    api_key: ApiKey | None
    label: str = ""
    prices: tuple[PriceTable, ...] = ()

    @property
    def server(self) -> str:
        """Return scheme, host and port of the address; a path may hold anything."""
        return shown_server(parse_base_url(self.base_url))


class AccountCheck(Struct, frozen=True):
    """What was found, and the accounts when they are fit to be tried."""

    findings: tuple[Finding, ...]
    accounts: tuple[Account, ...] = ()


def shown_server(url: httpx.URL) -> str:
    """Return scheme, host and port."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def proxy_of(account: Account) -> str | None:
    """Return the proxy through which `account`'s server is reached, without credentials."""
    proxy = environment_proxy(account.base_url)
    return None if proxy is None else shown_server(proxy.url)


def check_local(loaded: Loaded, taxonomy: Taxonomy, environ: Mapping[str, str]) -> AccountCheck:
    """Return what the embedded classifier says of itself.

    Arguments:
        loaded: settings that choose it.
        taxonomy: what it is to learn.
        environ: the environment, in which there may be a key that nobody uses.
    """
    try:
        answering = open_answering(loaded, taxonomy, environ)
    except SettingsError as error:
        found, _, fix = str(error).partition(": ")
        return AccountCheck((fail("provider", found, fix, CONFIGURATION),))
    except TaxonomyError as error:
        return AccountCheck(
            (fail("taxonomy", str(error), "correct it, or add --provider", CONFIGURATION),)
        )
    anyio.run(answering.provider.aclose)
    return AccountCheck((ok("provider", f"{LOCAL}: {answering.notice}"),))


def check_hosted(loaded: Loaded, taxonomy: Taxonomy, keys: KeyFinder) -> AccountCheck:
    """Return whether a hosted provider's settings, address, proxy and key are fit to be tried.

    Arguments:
        loaded: settings that choose it.
        taxonomy: what it is to be asked for.
        keys: finds its keys.
    """
    settings = loaded.settings
    try:
        preset = find_preset(settings.provider, loaded.providers, other_names=(LOCAL,))
    except SettingsError as error:
        return AccountCheck((fail("provider", str(error), "correct --provider", CONFIGURATION),))
    model = settings.model or preset.default_model
    findings = [_provider_chosen(preset, model)]
    try:
        addresses = find_addresses(loaded, preset)
    except SettingsError as error:
        found, _, fix = str(error).partition(": ")
        return AccountCheck((*findings, fail("endpoint", found, fix, CONFIGURATION)))
    blocking = _check_allowed(loaded)
    for url in addresses.urls:
        blocking = blocking or _check_way(url, keys.environ, findings)
    if blocking is None:
        blocking = _check_key(loaded, taxonomy, preset, keys)
    if blocking is not None:
        return AccountCheck((*findings, blocking))
    accounts = _accounts(preset, model, addresses, keys.find(preset, loaded, addresses), loaded)
    for account in accounts:
        findings += _check_encryption(account)
    return AccountCheck(tuple(findings), accounts)


def _accounts(
    preset: Preset, model: str | None, addresses: Addresses, keys: Keys, loaded: Loaded
) -> tuple[Account, ...]:
    """Return one account for each address, or for each key at one address."""
    # What a run would ask for was told above: a server that is asked without a key may do without.
    preset = replace(
        preset, key_env=keys.place, requires_key=preset.requires_key and bool(keys.keys)
    )
    urls = addresses.urls
    count = max(len(urls), len(keys.keys), 1)
    found = []
    for number in range(count):
        url = urls[number % len(urls)]
        label = "" if count == 1 else f"key {number + 1}" if len(urls) == 1 else url
        account = Account(preset, url, model, keys.for_address(number), prices=loaded.prices)
        found.append(replace(account, label=account.server if label == url else label))
    return tuple(found)


def check_fallback(loaded: Loaded, taxonomy: Taxonomy, keys: KeyFinder) -> tuple[Finding, ...]:
    """Return whether the fallback's settings and key are fit; it is not called.

    Arguments:
        loaded: settings that may choose one.
        taxonomy: what it is to be asked for.
        keys: finds its keys.
    """
    try:
        answering = open_fallback(loaded, taxonomy, keys.environ, keys=keys)
    except (SettingsError, TaxonomyError) as error:
        found, _, fix = str(error).partition(": ")
        advice = fix or "correct --fallback-model or --fallback-provider"
        return (fail("fallback", found, advice, CONFIGURATION),)
    if answering is None:
        return ()
    _close(answering)
    return (ok("fallback", f"{answering.name}, model {answering.provider.model} (not called)"),)


def _provider_chosen(preset: Preset, model: str | None) -> Finding:
    source = f" ({preset.source})" if preset.files else ""
    if model is None:
        found = f"{preset.name}{source}, no model is chosen"
        return warn("provider", found, "choose one with --model")
    return ok("provider", f"{preset.name}{source}, model {model}")


def _check_allowed(loaded: Loaded) -> Finding | None:
    """Return that a list does not permit the model, if that is so."""
    try:
        check_allowed(loaded)
    except SettingsError as error:
        found, _, fix = str(error).partition("; ")
        return fail("model", found, fix, CONFIGURATION)
    return None


def _check_way(
    base_url: str, environ: Mapping[str, str], findings: list[Finding]
) -> Finding | None:
    """Return what is wrong with the address, the proxy or the certificates; else note the proxy."""
    try:
        url = parse_base_url(base_url)
    except SettingsError as error:
        return fail("endpoint", str(error), "correct --base-url", CONFIGURATION)
    try:
        proxy = environment_proxy(base_url)
    except SettingsError as error:
        return fail("proxy", str(error), "correct or unset the variable", CONFIGURATION)
    try:
        anyio.run(build_client(base_url, {}, max_connections=1).aclose)
    except SettingsError as error:
        name = "proxy" if "proxy" in str(error) else "certificates"
        return fail(name, str(error), "correct or unset the variable", CONFIGURATION)
    findings.append(_proxy_in_effect(shown_server(url), proxy, environ))
    return None


def _proxy_in_effect(server: str, proxy: httpx.Proxy | None, environ: Mapping[str, str]) -> Finding:
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY")
    rules = f"NO_PROXY={exceptions}" if exceptions else "NO_PROXY is not set"
    if proxy is None:
        return ok("proxy", f"none for {server} ({rules})")
    return ok("proxy", f"{server} is reached through {shown_server(proxy.url)} ({rules})")


def _check_encryption(account: Account) -> tuple[Finding, ...]:
    url = parse_base_url(account.base_url)
    if account.api_key is None or url.scheme == "https" or url.host in _LOOPBACK:
        return ()
    found = f"the key and every ticket go to {account.server} in the clear"
    return (warn("encryption", found, "use https:// in --base-url"),)


def _check_key(
    loaded: Loaded, taxonomy: Taxonomy, preset: Preset, keys: KeyFinder
) -> Finding | None:
    """Return what a run would object to in the key: missing, malformed, or bound elsewhere."""
    model = loaded.settings.model or preset.default_model or _ANY_MODEL
    # Whether the model may be asked was looked at before.
    as_chosen = replace(loaded, settings=loaded.settings.changed(model=model), allowed=())
    try:
        answering = open_answering(as_chosen, taxonomy, keys.environ, keys=keys)
    except SettingsError as error:
        said = str(error)
        found, _, fix = said.partition(": " if ": " in said else "; ")
        return fail("key", found, fix or f"see {preset.key_env}", CONFIGURATION)
    _close(answering)
    return None


def _close(answering: Answering) -> None:
    for provider in answering.providers():
        anyio.run(provider.aclose)

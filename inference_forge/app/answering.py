"""Choosing who answers: the embedded classifier or a model behind HTTP."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio
from msgspec import Struct, field
from msgspec.structs import replace

from inference_forge.app.allowed_models import check_allowed
from inference_forge.app.budget import own_price
from inference_forge.app.connecting import Heard, connect_endpoints
from inference_forge.app.endpoints import find_addresses
from inference_forge.core.cost import Price, cost_of
from inference_forge.core.tokens import estimate_tokens
from inference_forge.errors import SettingsError
from inference_forge.models import Money
from inference_forge.settings import Reasoning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.app.connecting import Endpoint
    from inference_forge.app.keys import KeyFinder
    from inference_forge.app.packing import Packing
    from inference_forge.app.token_book import TokenBook
    from inference_forge.core.budget import Budget
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.models import Usage
    from inference_forge.ports import Provider
    from inference_forge.settings import Loaded

LOCAL: Final = "local"
SIMULATED: Final = "simulated"

REMEMBERED_TEXTS: Final = 20_000
"""Of a simulated model in this process: a row may be asked about again while it is within the
look-ahead window, which holds half as many."""


class Answering(Struct, frozen=True):
    """Who answers, what it costs, and what the user should be told about it.

    Attributes:
        provider: the only one, or the first of several that answer alike.
        rpm: requests per minute that the provider is known to allow at most; None if unknown.
        tpm: tokens per minute, likewise.
        address: method, host and path of its requests; empty when it sends none.
        endpoints: all that answer alike, when there are several.
        sharers: how many of them share what one server allows.
        tokens: what is known of the tokens that its requests take; None where nobody counts.
    """

    name: str
    provider: Provider
    cost_of: Callable[[Usage], Money | None]
    notice: str | None = None
    rpm: float | None = None
    tpm: float | None = None
    address: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    sharers: int = 1
    tokens: TokenBook | None = None

    def providers(self) -> list[Provider]:
        """Return everybody who may be asked; to be closed at the end."""
        return [endpoint.provider for endpoint in self.endpoints] or [self.provider]


class Choice(Struct, frozen=True):
    """What is asked for, and who answers.

    Attributes:
        taxonomy: what is asked for.
        answering: who answers.
        fallback: who answers while the first is out; None for nobody.
        packing: how tickets share requests; None when each has its own.
        budget: what the command may spend on all its inputs; None for no limit.
        summary_words: as `Asked.summary_words`.
        awake: servers that are not waited for any more, in all inputs of a command.
    """

    taxonomy: Taxonomy
    answering: Answering
    fallback: Answering | None = None
    packing: Packing | None = None
    budget: Budget | None = None
    summary_words: int | None = None
    awake: set[str] = field(default_factory=set)

    def all(self) -> list[Answering]:
        """Return everybody who may answer, the first first."""
        return [self.answering] if self.fallback is None else [self.answering, self.fallback]


def _tell_nobody(_code: str, _message: str) -> None:
    """Drop a note."""


def open_answering(
    loaded: Loaded,
    taxonomy: Taxonomy,
    environ: Mapping[str, str],
    note: Callable[[str, str], None] = _tell_nobody,
    warn: Callable[[str, str], None] = _tell_nobody,
    keys: KeyFinder | None = None,
) -> Answering:
    """Return the provider that the settings choose; nothing is sent yet.

    Arguments:
        loaded: settings that choose it.
        taxonomy: what it is to be asked for.
        environ: the environment, in which the key may be.
        note: told later, by code and message, what the provider refuses and how it is asked then.
        warn: told later, likewise, that the model reasons though it was not asked to.
        keys: finds keys; None for one that nobody hears.

    Raises:
        SettingsError: unknown provider, missing key or model, unusable address, or a model that
            may not be asked.
        TaxonomyError: the embedded classifier cannot learn this taxonomy.
    """
    check_allowed(loaded)
    match loaded.settings.provider:
        case "local":
            return _local(loaded, taxonomy, environ)
        case "simulated":
            return _simulated(loaded, warn)
        case _:
            return _hosted(loaded, environ, Heard(note, warn), keys)


def open_fallback(
    loaded: Loaded,
    taxonomy: Taxonomy,
    environ: Mapping[str, str],
    note: Callable[[str, str], None] = _tell_nobody,
    warn: Callable[[str, str], None] = _tell_nobody,
    keys: KeyFinder | None = None,
) -> Answering | None:
    """Return who answers while the first provider is out, None when nobody is to.

    Raises:
        SettingsError: as `open_answering`, for the fallback's provider and model.
        TaxonomyError: as `open_answering`.
    """
    settings = loaded.settings
    if settings.fallback_model is None and settings.fallback_provider is None:
        return None
    provider = settings.fallback_provider or settings.provider
    is_same = provider == settings.provider
    chosen = settings.changed(
        provider=provider,
        model=settings.fallback_model,
        price_in=None,
        price_out=None,
        reasoning=None if provider == LOCAL else settings.reasoning,
    )
    if not is_same:
        # Addresses and keys that the settings name belong to the first provider.
        chosen = chosen.changed(
            base_url=None,
            base_urls=(),
            api_key_file=None,
            api_key_command=None,
            api_key_keyring=None,
        )
    if settings.fallback_model is None and _has_no_default_model(provider, loaded):
        raise SettingsError(f"{provider} has no default model: choose one with --fallback-model")
    if is_same and settings.fallback_model == settings.model:
        raise SettingsError("--fallback-model is the model itself: name another")
    return open_answering(replace(loaded, settings=chosen), taxonomy, environ, note, warn, keys)


def _has_no_default_model(provider: str, loaded: Loaded) -> bool:
    from inference_forge.adapters.providers.presets import load_presets  # noqa: PLC0415

    preset = load_presets(loaded.providers).get(provider.lower())
    return preset is not None and preset.default_model is None


def _local(loaded: Loaded, taxonomy: Taxonomy, environ: Mapping[str, str]) -> Answering:
    from inference_forge.adapters.local import LocalProvider  # noqa: PLC0415
    from inference_forge.adapters.providers.presets import load_presets  # noqa: PLC0415

    settings = loaded.settings
    if settings.model is not None or settings.base_url is not None or settings.base_urls:
        flag = "--model" if settings.model is not None else "--base-url"
        raise SettingsError(
            f"{flag} needs a provider: add --provider openai (or any other; local has one model)"
        )
    if settings.reasoning not in {None, Reasoning.OFF}:
        raise SettingsError(
            f"--reasoning {settings.reasoning} needs a language model: add --provider NAME"
        )
    unused = [
        f"{preset.key_env} is set: add --provider {preset.name}"
        for preset in load_presets(loaded.providers).values()
        if environ.get(preset.key_env) and not preset.distrust
    ]
    notice = "labels come from the built-in baseline (local-baseline), not from a language model; "
    notice += unused[0] if unused else "for a hosted or local model add --provider NAME"
    free = Money(Decimal(0), "")
    return Answering(LOCAL, LocalProvider.for_taxonomy(taxonomy), lambda _: free, notice)


def _simulated(loaded: Loaded, warn: Callable[[str, str], None]) -> Answering:
    from inference_forge.adapters.providers.connect import connect  # noqa: PLC0415
    from inference_forge.adapters.providers.prices import find_price  # noqa: PLC0415
    from inference_forge.adapters.simulator import (  # noqa: PLC0415
        simulated_preset,
        simulated_transport,
    )
    from inference_forge.core.simulation.plan_text import plan_from_text  # noqa: PLC0415

    settings = loaded.settings
    plan = plan_from_text(settings.simulation or "", source="--simulation")
    provider = connect(
        simulated_preset(plan),
        api_key=None,
        max_connections=settings.concurrency,
        clock=time.time,  # noqa: TID251 - the composition root hands clocks out
        estimate_tokens=estimate_tokens,
        model=settings.model,
        transport=simulated_transport(plan, anyio.current_time, max_texts=REMEMBERED_TEXTS),
        stream=settings.stream,
        reasoning=settings.reasoning,
        warn=warn,
    )
    return Answering(
        SIMULATED,
        provider,
        _pricing(own_price(settings) or find_price(SIMULATED, provider.model, loaded.prices)),
        "answers come from a simulation, not from a model",
        address=provider.address,
    )


def _hosted(
    loaded: Loaded, environ: Mapping[str, str], heard: Heard, finder: KeyFinder | None
) -> Answering:
    from inference_forge.adapters.providers.presets import find_preset  # noqa: PLC0415
    from inference_forge.adapters.providers.prices import find_price  # noqa: PLC0415
    from inference_forge.app.keys import KeyFinder  # noqa: PLC0415

    settings = loaded.settings
    preset = find_preset(settings.provider, loaded.providers, other_names=(LOCAL, SIMULATED))
    addresses = find_addresses(loaded, preset)
    is_own = bool(addresses.foreign_to(preset))
    if is_own:
        # A server of one's own that speaks this API: whether it wants a key is its affair.
        preset = replace(preset, requires_key=False)
    finder = finder or KeyFinder(environ, note=heard.note, warn=heard.warn)
    keys = finder.find(preset, loaded, addresses)
    endpoints = connect_endpoints(settings, preset, addresses, keys, heard)
    first = endpoints[0].provider
    price = own_price(settings) or find_price(preset.name, first.model, loaded.prices)
    return Answering(
        preset.name,
        first,
        _pricing(price),
        rpm=None if is_own else preset.rpm,
        tpm=None if is_own else preset.tpm,
        address=endpoints[0].address,
        endpoints=endpoints if len(endpoints) > 1 else (),
        sharers=len(endpoints) // len(addresses.urls),
    )


def _pricing(price: Price | None) -> Callable[[Usage], Money | None]:
    return lambda usage: cost_of(usage, price)

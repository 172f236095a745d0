"""Choosing who answers: the embedded classifier or a model behind HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio

from inference_forge.adapters.http.address import server_of
from inference_forge.app.allowed_models import check_allowed
from inference_forge.app.budget import own_price
from inference_forge.core.cost import Price, cost_of
from inference_forge.core.tokens import estimate_tokens
from inference_forge.errors import SettingsError
from inference_forge.models import Money
from inference_forge.settings import Origin, Reasoning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.adapters.providers.credentials import ApiKey
    from inference_forge.adapters.providers.presets import Preset
    from inference_forge.app.packing import Packing
    from inference_forge.core.budget import Budget
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.models import Usage
    from inference_forge.ports import Provider
    from inference_forge.settings import Loaded, Settings

LOCAL: Final = "local"
SIMULATED: Final = "simulated"


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers, what it costs, and what the user should be told about it.

    Attributes:
        rpm: requests per minute that the provider is known to allow at most; None if unknown.
        tpm: tokens per minute, likewise.
        address: method, host and path of its requests; empty when it sends none.
    """

    name: str
    provider: Provider
    cost_of: Callable[[Usage], Money | None]
    notice: str | None = None
    rpm: float | None = None
    tpm: float | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for, and who answers.

    Attributes:
        taxonomy: what is asked for.
        answering: who answers.
        fallback: who answers while the first is out; None for nobody.
        packing: how tickets share requests; None when each has its own.
        budget: what the command may spend on all its inputs; None for no limit.
        summary_words: as `Asked.summary_words`.
    """

    taxonomy: Taxonomy
    answering: Answering
    fallback: Answering | None = None
    packing: Packing | None = None
    budget: Budget | None = None
    summary_words: int | None = None

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
) -> Answering:
    """Return the provider that the settings choose; nothing is sent yet.

    Arguments:
        loaded: settings that choose it.
        taxonomy: what it is to be asked for.
        environ: the environment, in which the key is.
        note: told later, by code and message, what the provider refuses and how it is asked then.
        warn: told later, likewise, that the model reasons though it was not asked to.

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
            return _simulated(loaded.settings, warn)
        case _:
            return _hosted(loaded, environ, note, warn)


def open_fallback(
    loaded: Loaded,
    taxonomy: Taxonomy,
    environ: Mapping[str, str],
    note: Callable[[str, str], None] = _tell_nobody,
    warn: Callable[[str, str], None] = _tell_nobody,
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
    chosen = replace(
        settings,
        provider=provider,
        model=settings.fallback_model,
        price_in=None,
        price_out=None,
        base_url=settings.base_url if is_same else None,
        reasoning=None if provider == LOCAL else settings.reasoning,
    )
    if settings.fallback_model is None and _has_no_default_model(provider, loaded):
        raise SettingsError(f"{provider} has no default model: choose one with --fallback-model")
    if is_same and settings.fallback_model == settings.model:
        raise SettingsError("--fallback-model is the model itself: name another")
    return open_answering(replace(loaded, settings=chosen), taxonomy, environ, note, warn)


def _has_no_default_model(provider: str, loaded: Loaded) -> bool:
    from inference_forge.adapters.providers.presets import load_presets  # noqa: PLC0415

    preset = load_presets(loaded.providers).get(provider.lower())
    return preset is not None and preset.default_model is None


def _local(loaded: Loaded, taxonomy: Taxonomy, environ: Mapping[str, str]) -> Answering:
    from inference_forge.adapters.local import LocalProvider  # noqa: PLC0415
    from inference_forge.adapters.providers.presets import load_presets  # noqa: PLC0415

    settings = loaded.settings
    if settings.model is not None or settings.base_url is not None:
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


def _simulated(settings: Settings, warn: Callable[[str, str], None]) -> Answering:
    from inference_forge.adapters.providers.connect import connect  # noqa: PLC0415
    from inference_forge.adapters.simulator import (  # noqa: PLC0415
        simulated_preset,
        simulated_transport,
    )
    from inference_forge.core.simulation.plan_text import plan_from_text  # noqa: PLC0415

    plan = plan_from_text(settings.simulation or "", source="--simulation")
    provider = connect(
        simulated_preset(plan),
        api_key=None,
        max_connections=settings.concurrency,
        clock=time.time,  # noqa: TID251 - the composition root hands clocks out
        estimate_tokens=estimate_tokens,
        model=settings.model,
        transport=simulated_transport(plan, anyio.current_time),
        stream=settings.stream,
        reasoning=settings.reasoning,
        warn=warn,
    )
    return Answering(
        SIMULATED,
        provider,
        _pricing(own_price(settings)),
        "answers come from a simulation, not from a model",
        address=provider.address,
    )


def _hosted(
    loaded: Loaded,
    environ: Mapping[str, str],
    note: Callable[[str, str], None],
    warn: Callable[[str, str], None],
) -> Answering:
    from inference_forge.adapters.http.client import Timeouts  # noqa: PLC0415
    from inference_forge.adapters.providers.connect import connect  # noqa: PLC0415
    from inference_forge.adapters.providers.presets import find_preset  # noqa: PLC0415
    from inference_forge.adapters.providers.prices import find_price  # noqa: PLC0415

    settings = loaded.settings
    preset = find_preset(settings.provider, loaded.providers, other_names=(LOCAL, SIMULATED))
    if _is_foreign(settings.base_url, preset):
        # A server of one's own that speaks this API: whether it wants a key is its affair.
        preset = replace(preset, requires_key=False)
    provider = connect(
        preset,
        api_key=_api_key(preset, loaded, environ),
        max_connections=settings.concurrency,
        clock=time.time,  # noqa: TID251 - the composition root hands clocks out
        estimate_tokens=estimate_tokens,
        model=settings.model,
        base_url=settings.base_url,
        timeouts=Timeouts(read_s=settings.timeout_s),
        note=note,
        stream=settings.stream,
        reasoning=settings.reasoning,
        warn=warn,
    )
    price = own_price(settings) or find_price(preset.name, provider.model)
    is_own = _is_foreign(settings.base_url, preset)
    return Answering(
        preset.name,
        provider,
        _pricing(price),
        rpm=None if is_own else preset.rpm,
        tpm=None if is_own else preset.tpm,
        address=provider.address,
    )


def _pricing(price: Price | None) -> Callable[[Usage], Money | None]:
    return lambda usage: cost_of(usage, price)


def _api_key(preset: Preset, loaded: Loaded, environ: Mapping[str, str]) -> ApiKey | None:
    """Return the environment's key for `preset`, unless the address is not to be trusted with it.

    A project's `./forge.toml` may come with somebody else's files. It can name another address,
    but a key from the environment goes only where a flag, a variable or the user's own file says.
    """
    from inference_forge.adapters.providers.credentials import ApiKey  # noqa: PLC0415

    value = environ.get(preset.key_env)
    if preset.distrust and (value or preset.requires_key):
        advice = f", else unset {preset.key_env}" if value else ""
        raise SettingsError(f"{preset.distrust}{advice}")
    if not value:
        return None
    base_url = loaded.settings.base_url
    is_project_file = loaded.origin("base_url") is Origin.PROJECT_FILE
    if is_project_file and _is_foreign(base_url, preset):
        server = "://".join(server_of(base_url or ""))
        raise SettingsError(
            f"./forge.toml sets base_url to {server!r}, and {preset.key_env} would be sent "
            "there; if that is right, say so with --base-url or in your own settings file, else "
            f"unset {preset.key_env}"
        )
    return ApiKey(value, source=preset.key_env)


def _is_foreign(base_url: str | None, preset: Preset) -> bool:
    """Tell whether `base_url` is another server than the provider's own."""
    return base_url is not None and server_of(base_url) != server_of(preset.base_url)

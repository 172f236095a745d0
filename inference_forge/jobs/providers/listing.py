"""Every provider with what is known of it, and whether a run could begin."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import load_presets, unknown_provider
from inference_forge.adapters.providers.prices import find_price, priced_models
from inference_forge.app.answering import LOCAL, SIMULATED
from inference_forge.core.simulation.plan import DEFAULT_MODEL
from inference_forge.core.terminal import safe_line
from inference_forge.errors import SettingsError
from inference_forge.jobs.providers.probe import Asked, Probed, is_loopback, probe_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from inference_forge.adapters.providers.presets import Preset
    from inference_forge.settings import Loaded

MODEL_TO_CHOOSE: Final = "MODEL"
"""Stands in an example for a model that nobody can guess."""


class Listed(Struct, frozen=True):
    """A provider as it is listed; texts are safe for a terminal.

    Attributes:
        name: what `--provider` takes.
        is_ready: whether a run could begin, as far as it was tried: a key that is set is taken to
            be right; None when a server was not asked whether it is there.
        said: why, or why not, in a few words.
        advice: what to do, where that takes more words; else empty.
        key_env: variable of its key; empty when it takes none.
        is_key_set: whether the variable is set.
        requires_key: whether it asks for one.
        default_model: None when one must be chosen.
        structured: how answers are constrained; empty when the provider needs nothing for it.
        wire: wire format, likewise.
        base_url: where it is, likewise.
        rpm: requests per minute that every account has at most; None where none is published.
        tpm: tokens per minute, likewise.
        is_free: whether it costs nothing.
        priced_models: models whose price is known.
        source: where these facts come from.
        was_asked: whether it was asked just now.
        models: what it said it serves.
        example: a command that would work; empty when it is not ready.
    """

    name: str
    is_ready: bool | None
    said: str
    advice: str = ""
    key_env: str = ""
    is_key_set: bool = False
    requires_key: bool = False
    default_model: str | None = None
    structured: str = ""
    wire: str = ""
    base_url: str = ""
    rpm: float | None = None
    tpm: float | None = None
    is_free: bool = False
    priced_models: tuple[str, ...] = ()
    source: str = "built in"
    was_asked: bool = False
    models: tuple[str, ...] = ()
    example: str = ""


class ProvidersJob(Struct, frozen=True):
    """What `providers` takes from outside.

    Attributes:
        loaded: settings, with the tables that describe providers.
        environ: the environment, in which keys are.
        names: the providers to list; all when there is none.
        is_checking: True asks hosted providers too, with their keys; False asks nobody; None asks
            servers that need no key, on this machine or where the user's own file says.
        transport: replaces the network, for tests.
    """

    loaded: Loaded
    environ: Mapping[str, str]
    names: Sequence[str] = ()
    is_checking: bool | None = None
    transport: httpx.AsyncBaseTransport | None = None


class _Standing(Struct, frozen=True):
    """What is known without asking."""

    row: Listed
    preset: Preset
    api_key: ApiKey | None


def list_providers(job: ProvidersJob) -> tuple[Listed, ...]:
    """Return the providers in their order, or those asked for in theirs.

    No completion is asked for; what is sent is one GET each, and a key goes only where a run would
    send it.

    Raises:
        SettingsError: a name is unknown, or a table is wrong.
    """
    presets = load_presets(job.loaded.providers)
    names = _chosen(job.names, [LOCAL, SIMULATED, *presets])
    standing = {name: _standing(presets[name], job) for name in names if name in presets}
    asked = [
        Asked(one.preset, one.api_key)
        for one in standing.values()
        if _is_to_be_asked(one, job.is_checking)
    ]
    probed = probe_all(asked, transport=job.transport)
    rows = (
        _after(standing[name].row, probed.get(name)) if name in standing else _built_in(name)
        for name in names
    )
    return tuple(_with_example(_without_key(row, job), job) for row in rows)


def _chosen(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in wanted:
        if name.lower() not in known:
            raise SettingsError(unknown_provider(name, known))
    return list(dict.fromkeys(name.lower() for name in wanted)) or list(known)


def _built_in(name: str) -> Listed:
    if name == LOCAL:
        # Its package is the classifier: only who lists it pays for it.
        from inference_forge.adapters.local.provider import MODEL_NAME  # noqa: PLC0415

        said = "built in, needs nothing"
        return Listed(name, is_ready=True, said=said, default_model=MODEL_NAME, is_free=True)
    said = "built in, for trying things out"
    return Listed(name, is_ready=True, said=said, default_model=DEFAULT_MODEL, is_free=True)


def _standing(preset: Preset, job: ProvidersJob) -> _Standing:
    value = job.environ.get(preset.key_env) if preset.key_env else None
    is_ready, said, api_key = _judged(preset, value)
    if job.is_checking and is_ready is not False and not preset.check_path:
        said += ": it documents no request that would cost nothing"
    row = Listed(
        name=preset.name,
        is_ready=is_ready,
        said=said,
        advice=preset.distrust if is_ready is False else "",
        key_env=preset.key_env,
        is_key_set=bool(value),
        requires_key=preset.requires_key,
        default_model=preset.default_model,
        structured=preset.structured,
        wire=preset.wire,
        base_url=preset.base_url,
        rpm=preset.rpm,
        tpm=preset.tpm,
        priced_models=priced_models(preset.name, job.loaded.prices),
        source=preset.source,
    )
    return _Standing(row, preset, api_key)


def _judged(preset: Preset, value: str | None) -> tuple[bool | None, str, ApiKey | None]:
    """Return whether a run could begin as far as keys go, why, and the key."""
    if preset.distrust and (value or preset.requires_key):
        return False, f"a project's file gets no key: forge providers {preset.name}", None
    if not value:
        if preset.requires_key:
            return False, f"{preset.key_env} is not set", None
        return None, "needs no key; not asked", None
    try:
        key = ApiKey(value, source=preset.key_env)
    except SettingsError as error:
        return False, str(error), None
    # A key does not tell whether a server of one's own is there.
    return preset.requires_key or None, f"{preset.key_env} is set; not tried", key


def _is_to_be_asked(one: _Standing, is_checking: bool | None) -> bool:
    preset = one.preset
    if is_checking is False or one.row.is_ready is False or not preset.check_path:
        return False
    if is_checking:
        return True
    return not preset.requires_key and (preset.is_address_own or is_loopback(preset.base_url))


def _after(row: Listed, probed: Probed | None) -> Listed:
    if probed is None:
        return row
    return replace(
        row,
        is_ready=probed.is_ready,
        said=probed.said,
        was_asked=True,
        models=tuple(safe_line(name) for name in probed.models),
    )


def _without_key(row: Listed, job: ProvidersJob) -> Listed:
    """Return the row with its texts safe to show: a server may echo the key it was sent."""
    key = job.environ.get(row.key_env, "") if row.key_env else ""

    def shown(text: str) -> str:
        return safe_line(text.replace(key, "***") if key else text)

    return replace(
        row,
        said=shown(row.said),
        advice=shown(row.advice),
        models=tuple(map(shown, row.models)),
    )


def _with_example(row: Listed, job: ProvidersJob) -> Listed:
    """Return the row with a command line for it, when it is ready and a model may be asked."""
    if row.is_ready is False:
        return row
    words = ["forge", "classify", "tickets.csv"]
    if row.name != LOCAL:
        words += ["--provider", row.name]
    if row.name == SIMULATED:
        words += ["--simulation", "latency=0.2,rpm=3000"]
    elif row.default_model is None or not _is_permitted(row.name, row.default_model, job.loaded):
        permitted = [name for name in row.models if _is_permitted(row.name, name, job.loaded)]
        words += ["--model", permitted[0] if permitted else MODEL_TO_CHOOSE]
    return replace(row, example=shlex.join(words))


def _is_permitted(provider: str, model: str, loaded: Loaded) -> bool:
    providers = {LOCAL, SIMULATED, *load_presets(loaded.providers)}
    return all(listed.permits(provider, model, providers) for listed in loaded.allowed)


def price_in_words(row: Listed) -> str:
    """Return what is known of a provider's prices, in a few words."""
    if row.is_free:
        return "free"
    if row.default_model is not None:
        is_known = row.default_model in row.priced_models
        return "known" if is_known or find_price(row.name, row.default_model) else "unknown"
    count = len(row.priced_models)
    return f"of {count} model{'' if count == 1 else 's'}" if count else "unknown"

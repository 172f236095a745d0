"""Merging flags, environment and files into validated settings.

Precedence: flags, then `FORGE_*` variables, then `./forge.toml`, then the user's file, then the
defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from msgspec import Struct, field

from inference_forge.errors import SettingsError
from inference_forge.settings.allowed import ALLOW, AllowList, allow_list
from inference_forge.settings.choices import choices_in, chosen
from inference_forge.settings.doc import Doc
from inference_forge.settings.fields import Settings
from inference_forge.settings.prices import PRICES, PriceTable, price_tables
from inference_forge.settings.tables import TABLES, ProviderTables, provider_tables
from inference_forge.settings.wording import requirement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PROJECT_FILE: Final = "forge.toml"
ENV_PREFIX: Final = "FORGE_"
PATHS: Final = frozenset({"taxonomy", "cache_dir", "api_key_file", "metrics"})


class Origin(StrEnum):
    """Where a value was set."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    PROJECT_FILE = "project file"
    USER_FILE = "user file"
    DEFAULT = "default"


class Spec(Struct, frozen=True):
    """One setting as the loaders and the command line see it.

    Attributes:
        attribute: the field of `Settings`.
        key: name in files; the environment variable is made from it.
        annotation: the field's type, metadata removed.
        default: the field's default.
        doc: what people read.
    """

    attribute: str
    key: str
    annotation: Any
    default: Any
    doc: Doc

    @property
    def variable(self) -> str:
        """Return the name of the environment variable."""
        return ENV_PREFIX + self.key.upper()


class Loaded(Struct, frozen=True):
    """Settings together with where each was set, by attribute.

    Attributes:
        settings: what holds.
        origins: where each was set, by attribute.
        providers: the tables that describe providers.
        allowed: every list of models that may be asked; a model must be on all.
        prices: what models cost, as files say; a later table wins.
    """

    settings: Settings
    origins: Mapping[str, Origin] = field(default_factory=dict)
    providers: ProviderTables = field(default_factory=ProviderTables)
    allowed: tuple[AllowList, ...] = ()
    prices: tuple[PriceTable, ...] = ()

    def origin(self, attribute: str) -> Origin:
        """Return where `attribute` was set."""
        return self.origins.get(attribute, Origin.DEFAULT)


@functools.cache
def specs() -> tuple[Spec, ...]:
    """Return every setting, in the order of `--help`."""
    full = get_type_hints(Settings, include_extras=True)
    bare = get_type_hints(Settings)
    found = []
    for item in dataclasses.fields(Settings):
        doc = next(meta for meta in full[item.name].__metadata__ if isinstance(meta, Doc))
        found.append(Spec(item.name, doc.name or item.name, bare[item.name], item.default, doc))
    return tuple(found)


def load_settings(
    flags: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    project_file: Path | None = None,
    user_file: Path | None = None,
    only: Collection[str] | None = None,
) -> Loaded:
    """Merge all sources and validate.

    Arguments:
        flags: by attribute; None means not given.
        environ: the environment.
        project_file: TOML file; a missing one is no error.
        user_file: TOML file; a missing one is no error.
        only: leave all but these attributes at their defaults, whatever was set; None for none.

    Raises:
        SettingsError: an unknown key (with the nearest valid one), an unreadable file, or a value
            out of range (with where it was set).
    """
    own, project = _read_file(user_file), _read_file(project_file)
    tables = (
        *provider_tables(own.pop(TABLES, {}), str(user_file), is_project=False),
        *provider_tables(project.pop(TABLES, {}), str(project_file), is_project=True),
    )
    prices = (
        *price_tables(own.pop(PRICES, {}), str(user_file)),
        *price_tables(project.pop(PRICES, {}), str(project_file)),
    )
    layers = [
        (Origin.USER_FILE, str(user_file), _from_file(user_file, own)),
        (Origin.PROJECT_FILE, str(project_file), _from_file(project_file, project)),
        (Origin.ENVIRONMENT, "environment", _from_environment(environ)),
        (Origin.FLAG, "command line", {k: v for k, v in flags.items() if v is not None}),
    ]
    allowed = tuple(_allow_list(layer, place) for _, place, layer in layers if ALLOW in layer)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    places: dict[str, str] = {}
    for origin, place, layer in layers:
        for attribute, value in layer.items():
            if only is not None and attribute not in only:
                continue
            values[attribute] = value
            origins[attribute] = origin
            places[attribute] = place
    settings = _validated(values, places)
    _check_limit(settings, places)
    providers = ProviderTables(tables, str(user_file)) if user_file else ProviderTables(tables)
    return Loaded(settings, origins, providers, allowed, prices)


def parse_duration(text: str) -> float:
    """Return seconds from a number of seconds or from text such as `1h30m`, `90s`, `30d`.

    Raises:
        ValueError: saying what is understood.
    """
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return float(compact)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError("use seconds, or a text such as 90s, 15m, 1h30m or 30d")
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


_UNIT_S: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise SettingsError(f"{path}: is not valid TOML: {exc}") from exc


def _from_file(path: Path | None, data: Mapping[str, Any]) -> dict[str, Any]:
    if path is None:
        return {}
    by_key = {spec.key: spec.attribute for spec in specs()}
    lists = {spec.attribute for spec in specs() if spec.annotation == tuple[str, ...]}
    found = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in by_key:
            known = {*by_key, TABLES, PRICES}
            raise SettingsError(f"{path}: unknown setting {key!r}{_nearest(name, known)}")
        if isinstance(value, dict) and by_key[name] == "provider":
            raise SettingsError(
                f"{path}: provider is who answers, by name: did you mean "
                f"[{TABLES}.{next(iter(value), 'NAME')}]?"
            )
        # Paths in a file are meant from where the file is.
        is_path = by_key[name] in PATHS and isinstance(value, str)
        is_single = by_key[name] in lists and isinstance(value, str)
        found[by_key[name]] = (
            _beside(path, key, value) if is_path else (value,) if is_single else value
        )
    return found


def _beside(file: Path, key: str, value: str) -> Path:
    try:
        return file.parent / Path(value).expanduser()
    except RuntimeError as exc:
        raise SettingsError(
            f"{file}: {key}: {value!r} names a home directory that is not known; write the path out"
        ) from exc


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    by_variable = {spec.variable: spec for spec in specs()}
    found: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(ENV_PREFIX):
            continue
        spec = by_variable.get(name)
        if spec is None:
            near = difflib.get_close_matches(name, by_variable, n=1, cutoff=0.85)
            if near:
                raise SettingsError(f"environment: unknown setting {name}; did you mean {near[0]}?")
        elif value:
            is_list = spec.annotation == tuple[str, ...]
            names = tuple(name for part in value.split(",") if (name := part.strip()))
            found[spec.attribute] = names if is_list else value
    return found


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def _allow_list(layer: Mapping[str, Any], place: str) -> AllowList:
    return allow_list(layer[ALLOW], _where(_spec(ALLOW), {ALLOW: place}))


def _validated(values: dict[str, Any], places: Mapping[str, str]) -> Settings:
    # pydantic takes 26 ms to import: only commands that use settings pay for it.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    keys = {spec.attribute: spec for spec in specs()}
    for attribute, value in values.items():
        values[attribute] = _with_choices(value, keys[attribute], places)
        if keys[attribute].doc.is_duration and isinstance(value, str):
            try:
                values[attribute] = parse_duration(value)
            except ValueError as exc:
                raise SettingsError(
                    f"{_where(keys[attribute], places)}: {value!r} is no duration: {exc}"
                ) from exc
    try:
        return TypeAdapter(Settings).validate_python(values)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        spec = keys[str(problem["loc"][0])]
        raise SettingsError(
            f"{_where(spec, places)}: {problem['input']!r} cannot be used: {requirement(problem)}"
        ) from exc


def _with_choices(value: Any, spec: Spec, places: Mapping[str, str]) -> Any:
    """Return the chosen ones of a list of kinds, and anything else as it is."""
    kind = choices_in(spec.annotation)
    if kind is None:
        return value
    try:
        return chosen(value, kind)
    except ValueError as exc:
        raise SettingsError(f"{_where(spec, places)}: {exc}") from exc


def _check_limit(settings: Settings, places: Mapping[str, str]) -> None:
    if "on_long" in places and settings.max_ticket_chars is None:
        where = _where(_spec("on_long"), places)
        raise SettingsError(
            f"{where}: {settings.on_long.value!r} is for tickets that are too long, and there is "
            "no limit: add --max-ticket-chars N, or leave it out"
        )


def _spec(attribute: str) -> Spec:
    return next(spec for spec in specs() if spec.attribute == attribute)


def _where(spec: Spec, places: Mapping[str, str]) -> str:
    place = places.get(spec.attribute, "")
    match place:
        case "command line":
            return (spec.doc.flag or f"--{spec.key.replace('_', '-')}").split(",")[-1]
        case "environment":
            return spec.variable
        case _:
            return f"{place}: {spec.key}"

"""What is known of each provider, from `presets.toml` beside this module and settings files."""

from __future__ import annotations

import difflib
import importlib.resources
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from inference_forge.adapters.providers.own_preset import check_own, refused
from inference_forge.adapters.providers.preset_tables import Described, describe
from inference_forge.errors import SettingsError
from inference_forge.settings import ProviderTables, Reasoning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference_forge.adapters.providers.credentials import AuthStyle

Structured = Literal["json_schema", "json_object", "plain"]
Wire = Literal["openai", "anthropic"]
Ways = tuple[Mapping[str, object], ...]


class Preset(Struct, frozen=True):
    """A provider's facts; the file says what each means and where it is from.

    Attributes:
        name: the section's name, what `--provider` takes.
        wire: wire format.
        base_url: where it is served unless the user says otherwise.
        key_env: environment variable of the key; empty when it takes none.
        requires_key: False when it answers without a key.
        auth: how the key is sent.
        default_model: None when the user must choose.
        structured: how answers are constrained.
        max_tokens_field: name of the cap on the answer.
        fixed_body: fields of every request, the one that turns reasoning off included.
        rpm: requests per minute that no account may exceed; None where none is published.
        tpm: tokens per minute, likewise.
        headers: headers of every request, besides the one that carries the key.
        check_path: what a GET under `base_url` shows, for nothing, whether the key is accepted;
            empty where nothing is documented that does.
        fatal_codes: words in error bodies after which no request can succeed.
        throttle_codes: words that ask for less.
        transient_codes: words of what time may mend.
        ticket_codes: words that refuse one request only.
        is_packaged: whether it comes with the package.
        files: settings files that describe or change it, in order.
        distrust: why no key from the environment goes there; empty when it may.
        is_address_own: whether the package or the user's own file says where it is.
        asks_stream_usage: False when a stream's usage must not be asked for.
        reasoning: by level, the fields that ask for it, and those to try if they are refused; what
            is not in it cannot be asked for.
    """

    name: str
    wire: Wire
    base_url: str
    key_env: str
    requires_key: bool
    auth: AuthStyle
    default_model: str | None
    structured: Structured
    max_tokens_field: str
    fixed_body: Mapping[str, object]
    rpm: float | None = None
    tpm: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    check_path: str = "models"
    fatal_codes: frozenset[str] = frozenset()
    throttle_codes: frozenset[str] = frozenset()
    transient_codes: frozenset[str] = frozenset()
    ticket_codes: frozenset[str] = frozenset()
    is_packaged: bool = True
    files: tuple[str, ...] = ()
    distrust: str = ""
    is_address_own: bool = True
    asks_stream_usage: bool = True
    reasoning: Mapping[Reasoning, Ways] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Return where the facts come from, for people."""
        if not self.is_packaged:
            return f"from {' and '.join(self.files)}"
        return f"packaged, changed by {' and '.join(self.files)}" if self.files else "packaged"


class _Section(BaseModel):
    """A section of the file, as written."""

    # Inputs are hidden because a header may be a secret.
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    base_url: str
    key_env: str | None = None
    structured: Structured = "json_schema"
    wire: Wire = "openai"
    requires_key: bool = True
    auth: Literal["bearer", "api-subscription-key", "x-api-key"] = "bearer"
    default_model: str | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    reasoning_field: str | None = None
    reasoning_value: str | bool | None = None
    extra_body: dict[str, object] | None = None
    rpm: PositiveInt | None = None
    tpm: PositiveInt | None = None
    headers: dict[str, str] | None = None
    check_path: str = "models"
    fatal_codes: list[str] | None = None
    throttle_codes: list[str] | None = None
    transient_codes: list[str] | None = None
    ticket_codes: list[str] | None = None
    asks_stream_usage: bool = True
    reasoning: (
        dict[
            Literal["off", "low", "medium", "high"],
            Annotated[list[dict[str, object]], Field(min_length=1)],
        ]
        | None
    ) = None


_NONE = ProviderTables()


def load_presets(own: ProviderTables = _NONE) -> dict[str, Preset]:
    """Return all presets by name: the packaged ones in the file's order, then others.

    Arguments:
        own: tables of settings files, which add presets or change single keys of one.

    Raises:
        SettingsError: a table is wrong; the message names file, table and key.
        pydantic.ValidationError: the packaged file is wrong, which a test rules out.
    """
    text = importlib.resources.files(__package__).joinpath("presets.toml").read_text("utf-8")
    described = describe(tomllib.loads(text), own, _Section.model_fields)
    return {
        name: _preset(name, _validated(name, section, described), section)
        for name, section in described.items()
    }


def find_preset(
    name: str, own: ProviderTables = _NONE, *, other_names: Iterable[str] = ()
) -> Preset:
    """Return the preset called `name`.

    Arguments:
        name: as the user wrote it; case does not matter.
        own: tables of settings files.
        other_names: providers that need no preset, offered as corrections too.

    Raises:
        SettingsError: there is none, and the message offers the nearest name and lists all; or a
            table is wrong.
    """
    presets = load_presets(own)
    if (preset := presets.get(name.lower())) is not None:
        return preset
    raise SettingsError(unknown_provider(name, [*other_names, *presets]))


def unknown_provider(name: str, known: Iterable[str]) -> str:
    """Return that `name` is no provider, with the nearest that is one, and all."""
    names = list(known)
    nearest = difflib.get_close_matches(name.lower(), names, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"unknown provider {name!r}: {guess}Known: {', '.join(names)}"


def _validated(name: str, section: Described, known: Iterable[str]) -> _Section:
    if not section.files:
        return _Section.model_validate(section.keys)
    try:
        valid = _Section.model_validate(section.keys)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        raise SettingsError(refused(name, section, problem, known)) from exc
    check_own(name, section)
    return valid


def _preset(name: str, section: _Section, described: Described) -> Preset:
    fixed_body = dict(section.extra_body or {})
    if section.reasoning_field is not None:
        fixed_body[section.reasoning_field] = section.reasoning_value
    return Preset(
        name=name,
        wire=section.wire,
        base_url=section.base_url,
        key_env=section.key_env or "",
        requires_key=section.requires_key,
        auth=section.auth,
        default_model=section.default_model,
        structured=section.structured,
        max_tokens_field=section.max_tokens_field,
        fixed_body=fixed_body,
        rpm=section.rpm,
        tpm=section.tpm,
        # In lower case: sent beside the key's header, another case would be a second header.
        headers={key.lower(): value for key, value in (section.headers or {}).items()},
        check_path=section.check_path,
        fatal_codes=_words(section.fatal_codes),
        throttle_codes=_words(section.throttle_codes),
        transient_codes=_words(section.transient_codes),
        ticket_codes=_words(section.ticket_codes),
        is_packaged=described.is_packaged,
        files=described.files,
        distrust=described.distrust,
        is_address_own=described.is_address_own,
        asks_stream_usage=section.asks_stream_usage,
        reasoning={
            Reasoning(level): tuple(_with_nulls(way) for way in ways)
            for level, ways in (section.reasoning or {}).items()
        },
    )


def _words(codes: list[str] | None) -> frozenset[str]:
    return frozenset(code.lower() for code in codes or ())


def _with_nulls(way: Mapping[str, object]) -> dict[str, object]:
    """Return fields with JSON null where they say "null", for which TOML has no word."""
    return {name: None if value == "null" else value for name, value in way.items()}

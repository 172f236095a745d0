"""What is known of each provider, read from `presets.toml` beside this module."""

from __future__ import annotations

import difflib
import importlib.resources
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference_forge.adapters.providers.credentials import AuthStyle

Structured = Literal["json_schema", "json_object", "plain"]
Wire = Literal["openai", "anthropic"]


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider's facts; the file says what each means and where it is from.

    Attributes:
        name: the section's name, what `--provider` takes.
        wire: wire format.
        base_url: where it is served unless the user says otherwise.
        key_env: environment variable of the key.
        requires_key: False when it answers without a key.
        auth: how the key is sent.
        default_model: None when the user must choose.
        structured: how answers are constrained.
        max_tokens_field: name of the cap on the answer.
        fixed_body: fields of every request, the one that turns reasoning off included.
        rpm: requests per minute that no account may exceed; None where none is published.
        tpm: tokens per minute, likewise.
        headers: headers of every request, besides the one that carries the key.
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


class _Section(BaseModel):
    """A section of the file, as written."""

    model_config = ConfigDict(extra="forbid", strict=True)

    base_url: str
    key_env: str
    structured: Structured
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


def load_presets() -> dict[str, Preset]:
    """Return all presets by name, in the file's order.

    Raises:
        pydantic.ValidationError: the packaged file is wrong, which a test rules out.
    """
    text = importlib.resources.files(__package__).joinpath("presets.toml").read_text("utf-8")
    sections = tomllib.loads(text)
    return {name: _preset(name, _Section.model_validate(sections[name])) for name in sections}


def find_preset(name: str, *, other_names: Iterable[str] = ()) -> Preset:
    """Return the preset called `name`.

    Arguments:
        name: as the user wrote it; case does not matter.
        other_names: providers that need no preset, offered as corrections too.

    Raises:
        SettingsError: there is none; the message offers the nearest name and lists all.
    """
    presets = load_presets()
    if (preset := presets.get(name.lower())) is not None:
        return preset
    known = [*other_names, *presets]
    nearest = difflib.get_close_matches(name.lower(), known, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise SettingsError(f"unknown provider {name!r}: {guess}Known: {', '.join(known)}")


def _preset(name: str, section: _Section) -> Preset:
    fixed_body = dict(section.extra_body or {})
    if section.reasoning_field is not None:
        fixed_body[section.reasoning_field] = section.reasoning_value
    return Preset(
        name=name,
        wire=section.wire,
        base_url=section.base_url,
        key_env=section.key_env,
        requires_key=section.requires_key,
        auth=section.auth,
        default_model=section.default_model,
        structured=section.structured,
        max_tokens_field=section.max_tokens_field,
        fixed_body=fixed_body,
        rpm=section.rpm,
        tpm=section.tpm,
        headers=section.headers or {},
    )

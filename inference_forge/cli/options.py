"""Making command-line options from the list of settings, so that each is described once."""

from __future__ import annotations

import functools
import inspect
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

import typer

from inference_forge.settings import choices_in, specs

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.settings import Spec


ESCAPED_PIPE: Final = r"\|"


CLASSIFY_ONLY: Final = frozenset(
    {"sample", "seed", "output", "failures", "prefix", "keep", "drop", "order", "csv_guard"}
    | {"keep_reasoning", "publish_partial", "max_failure_rate", "pack", "pack_size", "cache_mode"}
    | {"fallback_model", "fallback_provider", "refresh", "confirm_above"}
    | {"events", "events_text", "metrics", "metrics_port", "ping", "summary_json", "traces"}
)
"""Settings about results and who is told of a run, and what a measurement decides itself."""


def with_settings(command: Callable[..., None], *attributes: str) -> Callable[..., None]:
    """Return `command` with an option for each setting.

    The command receives what was given as one mapping, its last argument `flags`: attribute to
    value, None where the option was not given.

    Arguments:
        command: a function whose last parameter is `flags`.
        attributes: the settings to offer; all when none is named.
    """
    chosen = [spec for spec in specs() if not attributes or spec.attribute in attributes]
    hints = dict(inspect.get_annotations(command, eval_str=True))
    hints.pop("flags")
    own = list(inspect.signature(command).parameters.values())[:-1]
    names = frozenset(spec.attribute for spec in chosen)

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        flags = _merged({name: arguments.pop(name) for name in names}, chosen)
        command(**arguments, flags={k: v for k, v in flags.items() if v not in (None, [])})

    # typer reads the annotations from the signature and does not evaluate strings there.
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in own
    ] + [_parameter(spec) for spec in chosen]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = hints | {p.name: p.annotation for p in parameters[len(own) :]}
    return wrapped


def _merged(flags: dict[str, Any], chosen: list[Spec]) -> dict[str, Any]:
    """Return `flags` with each that was given more than once under the setting that takes several.

    Of a flag that is given twice the last would win otherwise, without a word.
    """
    for spec in chosen:
        if spec.doc.several is None or not isinstance(given := flags[spec.attribute], list):
            continue
        all_given = [*given, *(flags.get(spec.doc.several) or [])]
        flags[spec.attribute] = None
        if len(all_given) == 1 and given:
            flags[spec.attribute] = all_given[0]
        elif all_given:
            flags[spec.doc.several] = all_given
    return flags


def flag_of(spec: Spec) -> tuple[str, ...]:
    """Return the spellings of the option, short one first."""
    if spec.doc.flag is not None:
        return tuple(spec.doc.flag.split(","))
    return (f"--{spec.key.replace('_', '-')}",)


def settings_table() -> str:
    """Return all settings as a table in Markdown (docs/reference/settings.md)."""
    lines = ["| | flag | default | meaning |", "| --- | --- | --- | --- |"]
    group = ""
    for spec in specs():
        first = "" if spec.doc.group == group else spec.doc.group
        group = spec.doc.group
        flags = ", ".join(f"`{flag}`" for flag in flag_of(spec))
        if not _is_flag(spec):
            flags = f"{flags[:-1]} {_metavar(spec)}`"
        cells = (first, flags, shown_default(spec), spec.doc.text)
        lines.append(
            "|".join(["", *(f" {cell.replace('|', ESCAPED_PIPE)} " for cell in cells), ""])
        )
    return "\n".join(lines)


def help_of(spec: Spec) -> str:
    """Return the option's help: what it does, its default, its variable."""
    return f"{spec.doc.text} [default: {shown_default(spec)}; env: {spec.variable}]"


def shown_default(spec: Spec) -> str:
    """Return the default as people write it."""
    if spec.doc.shown_default is not None:
        return spec.doc.shown_default
    match spec.default:
        case StrEnum() as choice:
            shown = choice.value
        case bool() as is_on:
            shown = "on" if is_on else "off"
        case float() as number:
            shown = _duration(number) if spec.doc.is_duration else f"{number:g}"
        case None | ():
            shown = "none" if spec.attribute != "text_column" else "found by name"
        case other:
            shown = str(other)
    return shown


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:g}m" if minutes and not rest else f"{seconds:g}s"


def _parameter(spec: Spec) -> inspect.Parameter:
    option = typer.Option(
        *flag_of(spec),
        help=help_of(spec),
        show_default=False,
        rich_help_panel=spec.doc.group,
        metavar=None if _is_flag(spec) else _metavar(spec),
    )
    annotation: Any = bool | None if _is_flag(spec) else str | None
    is_several = spec.annotation == tuple[str, ...] or spec.doc.several is not None
    if is_several or choices_in(spec.annotation) is not None:
        annotation = list[str] | None
    return inspect.Parameter(
        spec.attribute,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[annotation, option],
    )


def _is_flag(spec: Spec) -> bool:
    return spec.annotation is bool


def _metavar(spec: Spec) -> str:
    if spec.doc.is_duration:
        return "TIME"
    if (choices := _choices_of_one(spec.annotation)) is not None:
        return "|".join(choices)
    if (several := choices_in(spec.annotation)) is not None:
        return ",".join(several)
    kinds = {int: "N", int | None: "N", float | None: "N", float: "SHARE", Path | None: "PATH"}
    return kinds.get(spec.annotation, "TEXT")


def _choices_of_one(annotation: Any) -> type[StrEnum] | None:
    """Return the choices of a setting that takes one of them, None for other settings."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next((kind for kind in kinds if issubclass(kind, StrEnum)), None)

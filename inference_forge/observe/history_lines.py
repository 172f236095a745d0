"""The run history's lines: how records are written and read.

A run leaves a line when it starts and a fuller one when it ends, each a JSON object in ASCII. The
second repeats all of the first, so that either may be lost.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from msgspec import to_builtins
from msgspec.structs import replace

from inference_forge.observe.history import (
    MAX_WORD,
    MAX_WORDS,
    Counts,
    InputRecord,
    Records,
    RunRecord,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_PLAIN: Final = ("version", "provider", "model", "cwd", "kind")

_MAX_EXPONENT: Final = 30
"""Of an amount of money, either way: `1e999999` is a number, and a line of a megabyte."""

_RUN_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


def as_json(record: RunRecord) -> dict[str, Any]:
    """Return a record as a JSON object, every field in it."""
    fields: dict[str, Any] = to_builtins(record)
    return fields


def to_line(record: RunRecord) -> bytes:
    """Return a record as one line of ASCII, without the line break.

    Names that are not Unicode keep their bytes as escaped lone surrogates (PEP 383).
    """
    return json.dumps(as_json(_bounded(record)), separators=(",", ":")).encode("ascii")


def from_line(line: bytes) -> RunRecord:
    """Return the record that a line holds; fields of later versions are passed over.

    Raises:
        ValueError: the line holds none.
    """
    try:
        data = _mapping(json.loads(line))
        run = RunRecord(
            run_id=_of(data, "run_id", str),
            started_at=_moment(_of(data, "started_at", str)),
            **{name: _of(data, name, str, "") for name in _PLAIN},
            command=_texts(data, "command"),
            inputs=_texts(data, "inputs"),
            inputs_total=_of(data, "inputs_total", int, 0),
            events=_of(data, "events", str, None),
            ended_at=_moment(_of(data, "ended_at", str, None)),
            duration_s=_of(data, "duration_s", float, None),
            exit_code=_of(data, "exit_code", int, None),
            stop=_of(data, "stop", str, None),
            counts=_counts(data),
            by_input=tuple(_input(_mapping(item)) for item in _of(data, "by_input", list, [])),
        )
    except (RecursionError, OverflowError) as exc:
        raise ValueError("nested too deeply, or a number is too large") from exc
    if _RUN_ID.fullmatch(run.run_id) is None:
        # The name of a lock file is made of it.
        raise ValueError(f"run_id {run.run_id!r} is none")
    return run


def merged(lines: Iterable[bytes]) -> Records:
    """Return the runs that lines tell of; of two records of a run the end's counts."""
    runs: dict[str, RunRecord] = {}
    broken = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            run = from_line(line)
        except ValueError:
            broken += 1
            continue
        known = runs.get(run.run_id)
        if known is None or run.has_ended or not known.has_ended:
            runs[run.run_id] = run
    ordered = sorted(runs.values(), key=lambda run: (run.started_at, run.run_id))
    return Records(tuple(ordered), broken)


def newest(lines: Sequence[bytes], keep: int) -> list[bytes]:
    """Return lines that tell of the newest `keep` runs, one a run; nothing broken is in them."""
    runs = merged(lines).runs
    return [to_line(run) for run in runs[max(0, len(runs) - keep) :]]


def without(lines: Sequence[bytes], run_ids: Collection[str]) -> list[bytes]:
    """Return lines that tell of all runs but these, one a run; nothing broken is in them."""
    return [to_line(run) for run in merged(lines).runs if run.run_id not in run_ids]


def _bounded(record: RunRecord) -> RunRecord:
    return replace(
        record,
        command=tuple(word[:MAX_WORD] for word in record.command[:MAX_WORDS]),
        inputs=tuple(name[:MAX_WORD] for name in record.inputs[:MAX_WORDS]),
        by_input=record.by_input[:MAX_WORDS],
        stop=None if record.stop is None else record.stop[:MAX_WORD],
    )


_REQUIRED: Final = object()


def _of(data: Mapping[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    """Return a field that has the right type; a missing one is its default, if it may be."""
    value = data.get(name)
    if value is None and default is not _REQUIRED:
        return default
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{name} is {type(value).__name__}, not {kind.__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object is expected, not {type(value).__name__}")  # noqa: TRY004
    return value


def _texts(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = _of(data, name, list, [])
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name} holds something else than texts")
    return tuple(texts)


def _moment(text: str | None) -> Any:
    """Return the text of a moment after a look whether it is one."""
    if text is not None and datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return text


def _counts(data: Mapping[str, Any]) -> Counts:
    found = _mapping(_of(data, "counts", dict, {}))
    amounts = {
        name: {str(k): _amount(v) for k, v in _mapping(_of(found, name, dict, {})).items()}
        for name in ("cost", "saved_cost")
    }
    kinds = {"int": int, "bool": bool}
    plain = {name: kinds[kind] for name, kind in Counts.__annotations__.items() if kind in kinds}
    none = Counts()
    return Counts(
        **{name: _of(found, name, kind, getattr(none, name)) for name, kind in plain.items()},
        cost=amounts["cost"],
        saved_cost=amounts["saved_cost"],
    )


def _amount(value: Any) -> str:
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or abs(amount.adjusted()) > _MAX_EXPONENT:
        raise ValueError(f"{value!r} is no amount")
    return str(value)


def _input(data: Mapping[str, Any]) -> InputRecord:
    return InputRecord(
        name=_of(data, "name", str),
        counts=_counts(data),
        duration_s=_of(data, "duration_s", float, 0.0),
        **{name: _of(data, name, str, None) for name in ("results", "failures", "pending", "stop")},
    )

"""The schemas as JSON Schema."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from inference_forge.observe.schema.events import EventLine
from inference_forge.observe.schema.figures import Summary

SCHEMAS: Final = ("events", "summary")
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TITLES: Final = {
    "events": "A line of forge classify --events, version 1",
    "summary": "What forge classify --summary-json writes, version 1",
}


def json_schema(name: str) -> dict[str, Any]:
    """Return a JSON Schema (draft 2020-12) that also accepts the fields of later releases.

    Arguments:
        name: one of `SCHEMAS`.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(EventLine if name == "events" else Summary)
    schema = _open(adapter.json_schema())
    return {"$schema": _DIALECT, **schema, "title": _TITLES[name]}


def _open(schema: Any) -> Any:
    """Return `schema` without the wish that there be no further fields, nor made-up titles."""
    match schema:
        case dict():
            is_object = schema.get("type") == "object"
            return {
                key: _open(value)
                for key, value in schema.items()
                if not (is_object and key == "additionalProperties" and value is False)
                and not (key == "title" and isinstance(value, str))
            }
        case list():
            return [_open(item) for item in schema]
        case _:
            return schema

"""The JSON that a run writes for programs, as Markdown: a table of fields for each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from command_reference import escaped

from inference_forge.observe.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Node = Mapping[str, Any]

COMMON: Final = ("v", "run_id", "seq", "time", "t_s", "input", "event")
"""What every event has, said once."""


def events() -> str:
    """Return a section for each kind of event, and for the objects in them."""
    schema = json_schema("events")
    kinds = {name: node for name, node in schema["$defs"].items() if _kind(node)}
    first = next(iter(kinds.values()))
    lines = ["### Every event", "", *_table(_fields(first, only=COMMON))]
    for node in kinds.values():
        lines += ["", f"### `{_kind(node)}`", "", node["description"]]
        rows = list(_fields(node, without=COMMON))
        lines += ["", *_table(iter(rows))] if rows else []
    return "\n".join(lines + _objects(schema, without=kinds))


def summary() -> str:
    """Return a section for the summary, and for the objects in it."""
    schema = json_schema("summary")
    return "\n".join([*_table(_fields(schema)), *_objects(schema, without={})])


def _kind(node: Node) -> str:
    return str(node.get("properties", {}).get("event", {}).get("const", ""))


def _objects(schema: Node, *, without: Mapping[str, Node]) -> list[str]:
    lines: list[str] = []
    for name, node in schema["$defs"].items():
        if name not in without:
            said = node.get("description", "")
            lines += ["", f"### {name}", "", *([said, ""] if said else []), *_table(_fields(node))]
    return lines


def _fields(
    node: Node, *, only: tuple[str, ...] = (), without: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and meaning of the fields of an object."""
    for name, field in node.get("properties", {}).items():
        if name not in without and (not only or name in only):
            shown = "text" if name == "event" and only else _type(field)
            yield name, shown, field.get("description", "")


def _table(rows: Iterator[tuple[str, str, str]]) -> Iterator[str]:
    yield from ("| field | type | meaning |", "| --- | --- | --- |")
    for name, kind, meaning in rows:
        yield f"| `{name}` | {kind} | {escaped(meaning)} |"


_NAMES: Final = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def _type(field: Node) -> str:
    """Return what a field may hold, in words."""
    match field:
        case {"anyOf": options}:
            shown = " or ".join(_type(each) for each in options)
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            shown = f"[{name}](#{name.lower()})"
        case {"const": only}:
            shown = f"`{only}`"
        case {"enum": choices}:
            shown = ", ".join(f"`{choice}`" for choice in choices)
        case {"type": kind}:
            shown = _NAMES.get(kind) or _several(field)
        case _:
            shown = "anything"
    return shown


def _several(field: Node) -> str:
    """Return what a list or an object holds, in words."""
    name = "list" if field["type"] == "array" else "object"
    held = field.get("items") or field.get("additionalProperties")
    return f"{name} of {_type(held)}" if isinstance(held, dict) else name

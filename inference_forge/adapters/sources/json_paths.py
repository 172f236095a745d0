"""Name a member of a JSON object, and read it as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from inference_forge.core.columns import resolve_column
from inference_forge.core.json_text import load_exact
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Path = tuple[str | int, ...]
"""Keys, and the places of elements of lists, 0-based, from the end when negative."""

# Rich text (Atlassian Document Format) nests about ten deep.
_MAX_TEXT_DEPTH = 40
_TEXT_KEYS = ("text", "content", "body", "value", "plain")

_PLACES = re.compile(r"(?:\[(?:-?[0-9]{1,9}|\*?)\])+$")
_PLACE = re.compile(r"-?[0-9]+")


def find(value: Any, path: Path) -> Any:
    """Return the member of `value` at `path`; None without one, a list below a list."""
    for i, key in enumerate(path):
        if isinstance(value, dict):
            value = value.get(key)
        elif not isinstance(value, list):
            return None
        elif isinstance(key, int):
            value = value[key] if -len(value) <= key < len(value) else None
        else:
            return [find(element, path[i:]) for element in value]
    return value


def indexed_path(
    name: str, paths: Mapping[str, Path], objects: Sequence[dict[str, Any]]
) -> Path | None:
    """Return the path that a name such as `comments[0].body` stands for; None for none.

    As in jq, `[0]` is the first element, `[-1]` the last, and `[]` each.

    Arguments:
        name: what the user wrote.
        paths: the members there are, by dotted name.
        objects: the first objects; one of them must hold a list where an element is named.
    """
    parts = [_split(part) for part in name.removeprefix(".").split(".")]
    if not any(brackets for _, brackets in parts):
        return None
    try:
        plain = resolve_column(list(paths), ".".join(key for key, _ in parts))
    except UsageError:
        return None
    path: list[str | int] = []
    for key in list(paths.values())[plain[0]]:
        # A key with dots in it was written in several parts.
        count = str(key).count(".") + 1
        written, parts = parts[:count], parts[count:]
        path.append(key)
        brackets = written[-1][1] if written else ""
        is_list = any(isinstance(find(value, tuple(path)), list) for value in objects)
        if (brackets and not is_list) or any(inner for _, inner in written[:-1]):
            return None
        path += map(int, _PLACE.findall(brackets))
    return None if parts else tuple(path)


def text_at(raw: bytes, value: Any, path: Path) -> str:
    """Return the text at a place in an object: of lists and rich text all parts, one per line.

    Arguments:
        raw: the object's bytes; numbers come as they are written there.
        value: the object as read.
        path: the place.
    """
    found = find(value, path)
    if isinstance(found, str):
        return found
    if _holds_float(found):
        # orjson reads a long number as a float, the bytes are exact.
        found = find(load_exact(raw), path)
    return _as_text(found)


def name_at(raw: bytes, value: Any, path: Path) -> str | None:
    """Return an id as it is written in the object; None when blank or not a single value.

    Arguments: as for `text_at`.
    """
    found = value.get(path[0]) if len(path) == 1 else find(value, path)
    if isinstance(found, str):
        return found.strip() or None
    if isinstance(found, float):
        # orjson reads a long number as a float, the bytes are exact.
        found = find(load_exact(raw), path)
    if isinstance(found, str):
        return found.strip() or None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


def tenant_at(raw: bytes, value: Any, path: Path) -> str:
    """Return who a ticket belongs to; empty only for nobody, so that no two are mixed up.

    Arguments: as for `text_at`.
    """
    name = name_at(raw, value, path)
    if name is not None:
        return name
    found = find(value, path)
    if found is None or isinstance(found, str):
        return ""
    exact = find(load_exact(raw), path)
    return orjson.dumps(exact, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def _split(part: str) -> tuple[str, str]:
    """Return a part of a name without the brackets at its end, and the brackets."""
    found = _PLACES.search(part)
    return (part[: found.start()], found.group()) if found else (part, "")


def _holds_float(value: Any, depth: int = 0) -> bool:
    """Return whether a number may not be read exactly."""
    if isinstance(value, dict | list) and depth <= _MAX_TEXT_DEPTH:
        parts = value.values() if isinstance(value, dict) else value
        return any(_holds_float(part, depth + 1) for part in parts)
    return isinstance(value, float)


def _as_text(value: Any, depth: int = 0) -> str:
    """Return the text in a JSON value: of lists and rich text all parts, one per line."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or depth > _MAX_TEXT_DEPTH:
        return ""
    if isinstance(value, dict):
        value = [value[key] for key in _TEXT_KEYS if key in value]
    if isinstance(value, list):
        return "\n".join(filter(None, (_as_text(part, depth + 1) for part in value)))
    return str(value)

"""Find a ticket's fields in JSON objects, nested ones included."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from inference_forge.core.columns import ColumnChoice, choose_columns
from inference_forge.core.json_text import load_exact
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from inference_forge.adapters.sources.wanted import WantedColumns

Path = tuple[str, ...]

_WRAPPERS = (
    "ticket",
    "issue",
    "conversation",
    "case",
    "fields",
    "source",
    "properties",
    "attributes",
    "node",
    "data",
)
"""Objects in which APIs put a ticket's fields: webhooks' `ticket` and the like, Jira's `fields`,
Intercom's `source`, HubSpot's `properties`, JSON:API's `attributes`, GraphQL's `node`."""

_MAX_NAMES = 2_000
_MAX_PATH = 5
# Rich text (Atlassian Document Format) nests about ten deep.
_MAX_TEXT_DEPTH = 40
_TEXT_KEYS = ("text", "content", "body", "value", "plain")


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """Where a ticket's fields stand in its object.

    Attributes:
        text: paths of the text fields, in the order in which they are joined.
        ticket_id: path of the id, None when there is none.
        tenant: path of the tenant, None when none was asked for.
        reading: the same for people.
        has_title_only: True when only a title was found by name.
    """

    text: tuple[Path, ...]
    ticket_id: Path | None
    tenant: Path | None
    reading: str
    has_title_only: bool


def choose_fields(objects: Sequence[dict[str, Any]], wanted: WantedColumns) -> FieldChoice:
    """Return which members of the `objects` are read.

    Members at the top come first; where they hold no body, one in a known wrapper is taken.

    Arguments:
        objects: the first objects of the input, at least one.
        wanted: the columns the user named; `ticket.body` names a nested member.

    Raises:
        UsageError: a named column does not exist, or no text column was found.
    """
    paths = _paths(objects)
    names = list(paths)
    first = _try_choice(objects, paths, None, wanted)
    best = first if isinstance(first, ColumnChoice) else None
    if not wanted.text and (best is None or best.has_title_only):
        for wrapper in _WRAPPERS:
            other = _try_choice(objects, paths, wrapper, wanted)
            if isinstance(other, ColumnChoice) and (best is None or not other.has_title_only):
                best = other
                break
    if best is None:
        # Nothing was found, so the first try was an error.
        raise first if isinstance(first, UsageError) else AssertionError(first)
    places = [paths[name] for name in names]
    return FieldChoice(
        text=tuple(places[i] for i in best.text),
        ticket_id=None if best.ticket_id is None else places[best.ticket_id],
        tenant=None if best.tenant is None else places[best.tenant],
        reading=best.reading,
        has_title_only=best.has_title_only,
    )


def find(value: Any, path: Path) -> Any:
    """Return the member of `value` at `path`; None without one, a list below a list."""
    for i, key in enumerate(path):
        if isinstance(value, list):
            return [find(element, path[i:]) for element in value]
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def as_text(value: Any, depth: int = 0) -> str:
    """Return the text in a JSON value: of lists and rich text all parts, one per line."""
    if isinstance(value, str):
        return value
    if value is None or depth > _MAX_TEXT_DEPTH:
        return ""
    if isinstance(value, dict):
        value = [value[key] for key in _TEXT_KEYS if key in value]
    if isinstance(value, list):
        return "\n".join(filter(None, (as_text(part, depth + 1) for part in value)))
    return str(value)


def as_name(raw: bytes, value: Any, path: Path) -> str | None:
    """Return an id as it is written in the object; None when blank or not a single value.

    Arguments:
        raw: the object's bytes; orjson reads a long number as a float, the bytes are exact.
        value: the object as read.
        path: the id's place.
    """
    found = find(value, path)
    if isinstance(found, float):
        found = find(load_exact(raw), path)
    if isinstance(found, str | int) and not isinstance(found, bool):
        return str(found).strip() or None
    return None


def _try_choice(
    objects: Sequence[dict[str, Any]],
    paths: Mapping[str, Path],
    wrapper: str | None,
    wanted: WantedColumns,
) -> ColumnChoice | UsageError:
    """Return the choice among top members and those of `wrapper`, or why there is none."""
    names = list(paths)
    compared = [
        path[-1] if len(path) == 1 or (len(path) == 2 and path[0] == wrapper) else ""  # noqa: PLR2004 - top or in the wrapper
        for path in paths.values()
    ]
    try:
        return choose_columns(
            names,
            compared=compared,
            cells=lambda position: _cells(objects, paths[names[position]]),
            text_columns=wanted.text,
            id_column=wanted.ticket_id,
            tenant_column=wanted.tenant,
        )
    except UsageError as exc:
        return exc


def _cells(objects: Iterable[dict[str, Any]], path: Path) -> Iterator[str]:
    """Yield a member's values; what is no string counts as a code, not as text."""
    for value in objects:
        found = find(value, path)
        if found is not None:
            yield found if isinstance(found, str) else "0"


def _paths(objects: Sequence[dict[str, Any]]) -> dict[str, Path]:
    """Return the dotted names of all members with their paths, those at the top first."""
    found: dict[str, Path] = {}
    level: list[tuple[Path, dict[str, Any]]] = [((), value) for value in objects]
    for _ in range(_MAX_PATH):
        deeper: list[tuple[Path, dict[str, Any]]] = []
        for prefix, value in level:
            for key, inner in value.items():
                path = (*prefix, key)
                found.setdefault(".".join(path), path)
                nested = inner[0] if isinstance(inner, list) and inner else inner
                if isinstance(nested, dict):
                    deeper.append((path, nested))
        level = list(islice(deeper, _MAX_NAMES))
    return dict(islice(found.items(), _MAX_NAMES))

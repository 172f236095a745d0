"""Find a ticket's fields in JSON objects, nested ones included."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from inference_forge.adapters.sources.json_paths import Path, find, indexed_path
from inference_forge.core.columns import ColumnChoice, choose_columns
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from inference_forge.adapters.sources.wanted import WantedColumns

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
# Elements of a list that are looked at for members.
_MAX_ELEMENTS = 20


class FieldChoice(Struct, frozen=True):
    """Where a ticket's fields stand in its object.

    Attributes:
        text: paths of the text fields, in the order in which they are joined.
        ticket_id: path of the id, None when there is none.
        tenant: path of the tenant, None when none was asked for.
        reading: the same for people.
        has_title_only: True when only a title was found by name.
        context: names and paths of the context fields, in the order in which they are sent.
    """

    text: tuple[Path, ...]
    ticket_id: Path | None
    tenant: Path | None
    reading: str
    has_title_only: bool
    context: tuple[tuple[str, Path], ...] = ()

    @property
    def has_body_at_top(self) -> bool:
        """Whether a body was found by name, and stands in no other object."""
        return not self.has_title_only and all(len(path) == 1 for path in self.text)


def choose_fields(objects: Sequence[dict[str, Any]], wanted: WantedColumns) -> FieldChoice:
    """Return which members of the `objects` are read.

    Members at the top come first; where they hold no body, one in a known wrapper is taken.

    Arguments:
        objects: the first objects of the input, at least one.
        wanted: the columns the user named; `ticket.body` names a nested member, through lists
            too (`comments.body` is that of each), and `comments[0].body` that of one element.

    Raises:
        UsageError: a named column does not exist, or no text column was found.
    """
    paths = _paths(objects, wanted)
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
        context=tuple((names[i], places[i]) for i in best.context),
    )


def _try_choice(
    objects: Sequence[dict[str, Any]],
    paths: Mapping[str, Path],
    wrapper: str | None,
    wanted: WantedColumns,
) -> ColumnChoice | UsageError:
    """Return the choice among top members and those of `wrapper`, or why there is none."""
    names = list(paths)
    compared = [_compared(path, wrapper) for path in paths.values()]
    try:
        return choose_columns(
            names,
            is_labelled=wanted.is_labelled,
            compared=compared,
            cells=lambda position: _cells(objects, paths[names[position]]),
            text_columns=wanted.text,
            id_column=wanted.ticket_id,
            tenant_column=wanted.tenant,
            context_columns=wanted.context,
        )
    except UsageError as exc:
        return exc


def _compared(path: Path, wrapper: str | None) -> str:
    """Return the name that is compared with known ones; empty for what is nested elsewhere."""
    is_candidate = len(path) == 1 or (len(path) == 2 and path[0] == wrapper)  # noqa: PLR2004 - top or in the wrapper
    return path[-1] if is_candidate and isinstance(path[-1], str) else ""


def _cells(objects: Iterable[dict[str, Any]], path: Path) -> Iterator[str]:
    """Yield a member's values; what is no string counts as a code, not as text."""
    for value in objects:
        found = find(value, path)
        if found is not None:
            yield found if isinstance(found, str) else "0"


def _paths(objects: Sequence[dict[str, Any]], wanted: WantedColumns) -> dict[str, Path]:
    """Return the dotted names of all members with their paths, those at the top first.

    What the user names is among them, however many there are.
    """
    found: dict[str, Path] = {}
    level: list[tuple[Path, dict[str, Any]]] = [((), value) for value in objects]
    for _ in range(_MAX_PATH):
        deeper: list[tuple[Path, dict[str, Any]]] = []
        for prefix, value in level:
            for key, inner in value.items():
                path = (*prefix, key)
                found.setdefault(".".join(map(str, path)), path)
                nested = inner[:_MAX_ELEMENTS] if isinstance(inner, list) else (inner,)
                deeper += [(path, part) for part in nested if isinstance(part, dict)]
        level = list(islice(deeper, _MAX_NAMES))
    paths = dict(islice(found.items(), _MAX_NAMES))
    named_columns = (*wanted.text, wanted.ticket_id, wanted.tenant, *wanted.context)
    for name in filter(None, named_columns):
        named = found.get(name) or indexed_path(name, found, objects)
        if named:
            paths[name] = named
    return paths

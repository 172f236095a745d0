"""Decide which columns hold a ticket's text, its id, its tenant and its context."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.core.results_columns import added_columns
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

BODY_NAMES = (
    "descriptiontext",
    "description",
    "body",
    "messagebody",
    "text",
    "message",
    "content",
    "details",
)
"""Names of a ticket's body, best first."""

TITLE_NAMES = ("subject", "title", "summary", "shortdescription")
"""Names of a ticket's title, best first; one alone is taken (Freshdesk's `Title` beside
`Subject` is the requester's job title)."""

FAILURE_COLUMNS = ("error", "error_detail", "attempts", "tokens")
"""What a failures file adds at the end of each row."""

# Real exports: Jira has `Issue key` beside `Issue id`, ServiceNow `number`, Linear's API
# `identifier` beside a UUID `id`, HubSpot `Ticket ID` or `Record ID`; in message exports of
# Intercom `conversation_id` repeats and `message_id` does not.
_ID_NAMES_ANYWHERE = ("messageid",)
_ID_NAMES_BEHIND_PREFIX = ("key", "number", "id", "no", "nr", "ref", "reference")
_ID_NAMES_ALONE = ("identifier", "key", "number", "id", "reference", "ref", "recordid", "uuid")

# Signs without width come with text copied from web pages and documents.
_IGNORED = re.compile(r"[\s_.\-\u00ad\u200b-\u200d\u2060\ufeff]+")
_PREFIX = re.compile(r"ticket|case|issue|conversation")
_PICKED = re.compile(r"(?P<name>.+)\[(?P<number>[1-9][0-9]{0,5})\]", re.DOTALL)

# A line for people must stay a line: longer lists of columns are cut.
_MAX_LISTED = 40


class ColumnChoice(Struct, frozen=True):
    """Which columns are read.

    Attributes:
        text: positions of the text columns, in the order in which they are joined.
        ticket_id: position of the id column, None when there is none.
        tenant: position of the tenant column, None when none was asked for.
        reading: the same for people: `text = Subject + Description; id = Ticket ID`.
        has_title_only: True when only a title was found by name.
        context: positions of the context columns, in the order in which they are sent.
    """

    text: tuple[int, ...]
    ticket_id: int | None
    tenant: int | None
    reading: str
    has_title_only: bool = False
    context: tuple[int, ...] = ()


class _Name(Struct, frozen=True):
    """A column name as it is compared."""

    position: int
    core: str
    has_prefix: bool


def choose_columns(
    names: Sequence[str],
    *,
    is_labelled: bool = False,
    compared: Sequence[str] | None = None,
    cells: Callable[[int], Iterable[str]] = lambda _: (),
    text_columns: Sequence[str] = (),
    id_column: str | None = None,
    tenant_column: str | None = None,
    context_columns: Sequence[str] = (),
) -> ColumnChoice:
    """Return which of the columns `names` are read.

    Arguments:
        names: the input's column names, in order, duplicates included.
        is_labelled: whether there may be no text, and what forge added to results is passed over.
        compared: what is compared with the known names instead of `names`, as many; for nested
            members. None compares `names`.
        cells: sample cells of the column at a position; only asked for a column named `ticket`.
        text_columns: columns the user named, in the order to join; `Name` stands for all columns
            of that name, `Name[2]` for the second. Empty decides by name.
        id_column: the id column the user named; None decides by name.
        tenant_column: the tenant column the user named; None for no tenants.
        context_columns: columns the user named to be sent before the text; as `text_columns`.

    Raises:
        UsageError: a named column does not exist, or no text column was found.
    """
    added = added_columns(names) if is_labelled else None
    passed = frozenset() if added is None else added.positions
    comparable = [
        _comparable(i, name) for i, name in enumerate(compared or names) if i not in passed
    ]
    has_title_only = False
    if text_columns:
        text = _resolve_all(names, text_columns)
    else:
        body = _first(_find(comparable, BODY_NAMES), _find_ticket(comparable, cells))
        title = _first(
            _find(comparable, TITLE_NAMES), _find(comparable, ("name",), needs_prefix=True)
        )
        text = _same_name(names, title) + _same_name(names, body)
        has_title_only = body is None
    if not text and not is_labelled:
        raise UsageError(_nothing_found(names))
    ticket_id = resolve_column(names, id_column)[0] if id_column else _find_id(comparable)
    tenant = resolve_column(names, tenant_column)[0] if tenant_column else None
    context = _resolve_all(names, context_columns)
    reading = _describe(names, text, ticket_id, tenant, context)
    return ColumnChoice(text, ticket_id, tenant, reading, has_title_only, context)


def resolve_column(names: Sequence[str], wanted: str) -> tuple[int, ...]:
    """Return the positions that `wanted` stands for: all of that name, or one for `Name[2]`.

    A name that is not there as written is compared without case, spaces, `_ - .`.

    Raises:
        UsageError: there is no such column.
    """
    positions = _positions(names, wanted)
    if positions:
        return positions
    picked = _PICKED.fullmatch(wanted)
    if picked:
        same = _positions(names, picked["name"])
        number = int(picked["number"])
        if number <= len(same):
            return (same[number - 1],)
        if same:
            raise UsageError(
                f"There is no column {wanted!r}: the input has {len(same)} named "
                f"{picked['name']!r}."
            )
    near = difflib.get_close_matches(wanted, list(names), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"There is no column {wanted!r}.{hint} The input has: {list_names(names)}.")


def find_column(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Return the position of the column with the best of the `wanted` names, None for none.

    Arguments:
        names: the input's column names.
        wanted: names in lower case without spaces and marks, best first.
    """
    return _find([_comparable(i, name) for i, name in enumerate(names)], wanted)


def list_names(names: Sequence[str]) -> str:
    """Return the names for people, at most 40 of them, as they would be typed."""
    shown = ", ".join(repr(name) for name in names[:_MAX_LISTED])
    more = len(names) - _MAX_LISTED
    return f"{shown} and {more} more" if more > 0 else shown or "no columns"


def has_failure_columns(names: Sequence[str]) -> bool:
    """Return whether `names` end in the four columns of a failures file, prefixed or not.

    `error` etc. carry a prefix when the failures file's input had a column of such a name.
    """
    last = tuple(names[-len(FAILURE_COLUMNS) :])
    prefix = last[0].removesuffix(FAILURE_COLUMNS[0]) if last else ""
    return last == tuple(prefix + name for name in FAILURE_COLUMNS)


def columns_named(names: Sequence[str], wanted: str) -> tuple[int, ...]:
    """Return the positions of the columns named exactly so, else named so but for spelling.

    Empty when there is none.
    """
    return _positions(names, wanted)


def reads_like_text(cells: Iterable[str]) -> bool:
    """Return whether most non-blank `cells` are sentences and not numbers or codes.

    A sentence has at least three words, or, in scripts without spaces, six letters outside
    ASCII. Without any cell the answer is yes: there is nothing that could be misread.
    """
    votes = [_is_sentence(cell) for cell in cells if cell.strip()]
    return 2 * sum(votes) >= len(votes)


def _is_sentence(cell: str) -> bool:
    """Return whether one cell reads like text."""
    words = [word for word in cell.split() if any(map(str.isalpha, word))]
    return len(words) >= 3 or sum(c > "\x7f" and c.isalpha() for c in cell) >= 6  # noqa: PLR2004 - see reads_like_text


def _comparable(position: int, name: str) -> _Name:
    """Return the name without case, spaces, `_ - .` and one leading `ticket` and the like."""
    bare = _IGNORED.sub("", name).casefold()
    core = _PREFIX.sub("", bare, count=1) if _PREFIX.match(bare) else bare
    return _Name(position, core, True) if core and core != bare else _Name(position, bare, False)


def _find(
    names: Sequence[_Name], wanted: Sequence[str], *, needs_prefix: bool = False
) -> int | None:
    """Return the position of the best of the `wanted` names, the first of equals."""
    for name in wanted:
        for candidate in names:
            if candidate.core == name and (candidate.has_prefix or not needs_prefix):
                return candidate.position
    return None


def _first(best: int | None, other: int | None) -> int | None:
    """Return `best`, or `other` when there is none; position 0 is a position."""
    return other if best is None else best


def _find_ticket(names: Sequence[_Name], cells: Callable[[int], Iterable[str]]) -> int | None:
    """Return the position of a column `ticket` whose cells read like text."""
    position = _find(names, ("ticket",))
    return position if position is not None and reads_like_text(cells(position)) else None


def _find_id(names: Sequence[_Name]) -> int | None:
    """Return the position of the column that names a ticket best."""
    for wanted, needs_prefix in (
        (_ID_NAMES_ANYWHERE, False),
        (_ID_NAMES_BEHIND_PREFIX, True),
        (_ID_NAMES_ALONE, False),
    ):
        position = _find(names, wanted, needs_prefix=needs_prefix)
        if position is not None:
            return position
    return None


def _positions(names: Sequence[str], wanted: str) -> tuple[int, ...]:
    """Return the positions of the columns named exactly so, else named so but for spelling."""
    exact = tuple(i for i, name in enumerate(names) if name == wanted)
    if exact:
        return exact
    bare = _IGNORED.sub("", wanted).casefold()
    return tuple(i for i, name in enumerate(names) if _IGNORED.sub("", name).casefold() == bare)


def _same_name(names: Sequence[str], position: int | None) -> tuple[int, ...]:
    """Return all positions that carry the name at `position`; none for None."""
    if position is None:
        return ()
    return tuple(i for i, name in enumerate(names) if name == names[position])


def _resolve_all(names: Sequence[str], wanted: Iterable[str]) -> tuple[int, ...]:
    """Return the position of each column once, where it was named first."""
    return tuple(dict.fromkeys(i for one in wanted for i in resolve_column(names, one)))


def _describe(
    names: Sequence[str],
    text: Sequence[int],
    ticket_id: int | None,
    tenant: int | None,
    context: Sequence[int],
) -> str:
    """Return the choice for people."""
    parts = ["text = " + _listed(names, text)] if text else []
    if ticket_id is not None:
        parts.append(f"id = {names[ticket_id]}")
    if tenant is not None:
        parts.append(f"tenant = {names[tenant]}")
    if context:
        parts.append("context = " + _listed(names, context))
    return "; ".join(parts)


def _listed(names: Sequence[str], positions: Sequence[int]) -> str:
    """Return the columns at `positions`, those of one name once with their number."""
    counts = Counter(names[i] for i in positions)
    shown = [f"{name} ({count} columns)" if count > 1 else name for name, count in counts.items()]
    return " + ".join(shown)


def _nothing_found(names: Sequence[str]) -> str:
    """Return the message for an input without a known text column."""
    return (
        "No text column was recognised. Name one with --text-column (repeatable); "
        f"the input has: {list_names(names)}."
    )

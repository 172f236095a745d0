"""Find the list of tickets in one JSON document, and hand out its elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from inference_forge.adapters.sources.json_items import MAX_ITEM_BYTES, BadItem, Place, utf16_hint
from inference_forge.adapters.sources.json_scanner import JsonScanner, NeedMoreError
from inference_forge.core.json_text import JsonTextError, load
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.sources.decoding import Utf8Chunks
    from inference_forge.adapters.sources.json_items import ItemBatch

LIST_KEYS = (
    "tickets",
    "data",
    "items",
    "results",
    "issues",
    "conversations",
    "result",
    "records",
    "nodes",
    "value",
)
"""Members that hold the list of tickets: as Zendesk, Jira, Freshdesk, Intercom and HubSpot name
it, then ServiceNow (`result`, `records`), GraphQL (`nodes`) and OData (`value`)."""

_BATCH_ELEMENTS = 500
_MAX_DEPTH = 4
_MAX_LISTED = 20
_MAX_NAME_CHARS = 100

# No element is empty: a value has at least one byte.
_END = b""


class ElementBatch(Struct, frozen=True):
    """Elements of a list.

    Attributes:
        items: the elements.
        places: line and column at which each begins.
    """

    items: list[bytes | BadItem] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def place(self, position: int) -> Place:
        """Return where the item at a position of `items` begins."""
        return Place(*self.places[position])


class TwoListsError(InputError):
    """A document holds more than one list of tickets."""


class JsonDocument:
    """Elements of a document's list of tickets.

    Arguments:
        chunks: the document's bytes.
        path: what messages call the input.
        max_bytes: longest element that is handed out.
    """

    def __init__(self, chunks: Utf8Chunks, path: str, *, max_bytes: int = MAX_ITEM_BYTES) -> None:
        self._scanner = JsonScanner(chunks.read, path, max_bytes=max_bytes)
        self._depth = 0
        self._path = path
        self._members: list[str] = []
        self._list_name: str | None = None
        self._has_empty = False
        self._is_empty = True
        self._is_before_value = False

    def items(self) -> Iterator[ItemBatch]:
        """Yield the list's elements in order, in batches as they come out of the file.

        Raises:
            InputError: the document is broken or holds no list of tickets, or more than one;
                what was whole before that has been yielded.
        """
        if not self._enter_list():
            self._leave_document()
            return
        batch = ElementBatch()
        try:
            while (element := self._next_element(may_wait=not batch.items)) != _END:
                if element is not None:
                    batch.items.append(element)
                    batch.places.append(self._scanner.taken_at)
                if element is None or len(batch.items) >= _BATCH_ELEMENTS:
                    yield batch
                    batch = ElementBatch()
        except InputError:
            if batch.items:
                yield batch
            raise
        if batch.items:
            yield batch
        self._leave_document()

    def _enter_list(self) -> bool:
        """Move behind the opening bracket of the list of tickets; False when it is empty."""
        first = self._scanner.peek()
        if hint := utf16_hint(self._scanner.ahead(2)):
            self._scanner.fail(hint)
        elif first == b"[":
            self._scanner.step()
        elif first == b"{":
            if not self._find_list():
                if self._has_empty:
                    return False
                shown = ", ".join(map(repr, self._members)) or "none"
                self._scanner.fail(
                    f"no list of tickets was found under {', '.join(LIST_KEYS)}; the members "
                    f"are {shown}. For one object per line add --input-format jsonl"
                )
        elif first:
            self._scanner.fail(
                "this is neither a JSON list nor an object that holds one; for CSV add "
                "--input-format csv"
            )
        else:
            self._scanner.fail("is empty: expected a JSON list or an object that holds one")
        return True

    def _find_list(self) -> bool:
        """Move into the first list under a known key that is not empty, or behind the object."""
        self._scanner.expect(b"{")
        self._depth += 1
        is_found = self._scanner.peek() != b"}" and self._enter_member()
        return is_found or self._find_further()

    def _find_further(self) -> bool:
        """Do the same behind a member, or at the object's end."""
        scanner = self._scanner
        while (first := scanner.peek()) != b"}":
            if not first:
                scanner.fail("the document ends too early; is it complete?")
            scanner.expect(b",")
            if scanner.peek() == b"}":
                scanner.fail("a member must follow the comma")
            if self._enter_member():
                return True
        scanner.step()
        self._depth -= 1
        return False

    def _enter_member(self) -> bool:
        """Move into the list that a member is or holds, or behind the member."""
        scanner = self._scanner
        name = self._member_name()
        scanner.expect(b":")
        if name in LIST_KEYS:
            first = scanner.peek()
            if first == b"[":
                return self._enter_named(name)
            if first == b"{" and self._depth < _MAX_DEPTH:
                return self._find_list()
        scanner.skip()
        return False

    def _enter_named(self, name: str) -> bool:
        """Move into a list, or behind it when there can be no ticket in it."""
        scanner = self._scanner
        scanner.step()
        first = scanner.peek()
        if first == b"]":
            scanner.step()
            self._has_empty = True
            return False
        if self._list_name is not None:
            # A second list of numbers, say, is none of tickets.
            if first and first in b'{"':
                raise self._two_lists(name)
            scanner.leave(1)
            return False
        self._list_name = name
        return True

    def _two_lists(self, name: str) -> TwoListsError:
        """Return the error for a second list of which nobody knows whether it is the one meant."""
        line, column = self._scanner.place()
        lists = f"a second list named {name!r}"
        if name != self._list_name:
            lists = f"a list named {name!r} behind the one named {self._list_name!r}"
        return TwoListsError(
            f"{lists}: only one list can be read; write the tickets to a file as one list",
            path=self._path,
            line=line,
            column=column,
        )

    def _member_name(self) -> str:
        """Return the name of the member that begins here."""
        if self._scanner.peek() != b'"':
            self._scanner.fail("expected a member's name in quotes")
        raw = self._scanner.take()
        try:
            name = "" if isinstance(raw, BadItem) else str(load(raw))
        except JsonTextError as exc:
            self._scanner.fail(f"a member's name is no JSON string ({exc})")
        if len(self._members) < _MAX_LISTED:
            self._members.append(name[:_MAX_NAME_CHARS])
        return name

    def _next_element(self, *, may_wait: bool) -> bytes | BadItem | None:
        """Return the next element, `_END` behind the last, None when it has not come yet."""
        scanner = self._scanner
        scanner.may_wait = may_wait
        try:
            if not self._is_before_value:
                if self._is_behind_list(scanner.peek()):
                    return _END
                self._is_before_value = True
            element = scanner.take()
        except NeedMoreError:
            return None
        finally:
            scanner.may_wait = True
        self._is_before_value = False
        self._is_empty = False
        return element

    def _is_behind_list(self, first: bytes) -> bool:
        """Move behind what separates elements, or behind the list's end."""
        if self._is_empty and first != b"]":
            return False
        if first not in (b",", b"]"):
            self._scanner.fail("expected ',' or ']' behind a list's element")
        self._scanner.step()
        return first == b"]"

    def _leave_document(self) -> None:
        """Move behind the document, of which nothing but brackets may be missing."""
        while self._depth:
            self._find_further()
        if self._scanner.peek():
            self._scanner.fail(
                "something follows the end of the document; for one object per line add "
                "--input-format jsonl"
            )

"""Prepare the tickets of a source for sending."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.models import Failure, RejectedRow, Ticket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.preparation import Preparation, Prepared
    from inference_forge.events import Warned
    from inference_forge.models import Row
    from inference_forge.ports import ReadProgress, TicketSource


class PreparedSource:
    """The rows of a source with their texts as they are sent; a `ports.TicketSource`.

    Records stay as they are: pass-through columns, failures and pending rows are the input's.

    Arguments:
        source: the rows; closed with this one. Its texts keep their line breaks when the
            preparation needs them.
        preparation: what is done to texts.
    """

    def __init__(self, source: TicketSource, preparation: Preparation) -> None:
        self._source = source
        self._preparation = preparation
        self._changes: Counter[str] = Counter()

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The input's column names, duplicates kept; None when rows carry their own."""
        return self._source.columns

    @property
    def reading(self) -> str:
        """How the columns are read, for people."""
        return self._source.reading

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What the user should know so far, one per code."""
        return self._source.warnings

    @property
    def had_bom(self) -> bool:
        """Whether the input began with a byte order mark."""
        return self._source.had_bom

    @property
    def changes(self) -> Mapping[str, int]:
        """What was done to texts so far; see `events.TextsChanged`."""
        return self._changes

    def read_block(self, max_rows: int) -> list[Row]:
        """Return the next 1 to `max_rows` rows; an empty list at the end.

        Raises:
            InputError: the input as a whole cannot be read further.
        """
        changes = Counter(self._changes)
        block = [
            self._prepared(row, changes) if isinstance(row, Ticket) else row
            for row in self._source.read_block(max_rows)
        ]
        # Replaced, never changed: another thread may be reading it.
        self._changes = changes
        return block

    def progress(self) -> ReadProgress:
        """Return how far the source has been read."""
        return self._source.progress()

    def close(self) -> None:
        """Release the source; idempotent."""
        self._source.close()

    def _prepared(self, ticket: Ticket, changes: Counter[str]) -> Row:
        """Return the ticket as it is sent, or the row that says why it is not."""
        prepared = self._preparation.prepare(ticket.text, context_chars=ticket.context_chars)
        _count(prepared, changes)
        if not prepared.text:
            flags = ",".join(sorted(prepared.cleaned))
            detail = f"nothing is left of the text after --clean {flags}: nothing was sent"
            return RejectedRow(ticket.index, ticket.record, Failure("empty_text", detail))
        if prepared.is_too_long:
            detail = (
                f"the text has {len(prepared.text):,} characters, more than --max-ticket-chars "
                f"{self._preparation.max_chars}: nothing was sent; allow more, or add "
                "--on-long truncate"
            )
            return RejectedRow(ticket.index, ticket.record, Failure("text_too_long", detail))
        if prepared.text == ticket.text:
            return ticket
        return replace(
            ticket,
            text=prepared.text,
            is_truncated=prepared.is_cut,
            context_chars=prepared.context_chars,
        )


def _count(prepared: Prepared, changes: Counter[str]) -> None:
    if prepared.cleaned:
        changes["cleaned"] += 1
        changes.update(prepared.cleaned)
    if prepared.redacted:
        changes["redacted"] += 1
        changes.update(prepared.redacted)
    if prepared.is_cut:
        changes["cut"] += 1

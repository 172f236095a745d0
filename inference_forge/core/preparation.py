"""What is sent of a ticket: cleaned, redacted, and no longer than allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference_forge.core.cleaning import clean_parts
from inference_forge.core.shortening import shorten
from inference_forge.core.text import join_parts, split_kept
from inference_forge.core.ticket_redaction import redact
from inference_forge.settings.choices import Cleaning, OnLong, Redaction

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text as it is sent, and what was done to it. What was taken out is kept nowhere.

    Attributes:
        text: normalised; empty when cleaning left nothing.
        cleaned: what cleaning took out.
        redacted: how many of each kind were replaced.
        is_cut: whether the text was shortened.
        is_too_long: whether it is longer than allowed and must not be sent.
    """

    text: str = field(repr=False)
    cleaned: frozenset[Cleaning] = frozenset()
    redacted: Mapping[Redaction, int] = field(default_factory=dict)
    is_cut: bool = False
    is_too_long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """Prepares texts, all alike.

    Attributes:
        clean: what mail programs put in and is taken out.
        redact: what is replaced by a placeholder.
        max_chars: the most characters that are sent of a text; None for no limit.
        on_long: what becomes of a longer one.
    """

    clean: frozenset[Cleaning] = frozenset()
    redact: frozenset[Redaction] = frozenset()
    max_chars: int | None = None
    on_long: OnLong = OnLong.FAIL

    @property
    def is_needed(self) -> bool:
        """Whether any text could change or be too long."""
        return bool(self.clean or self.redact or self.max_chars is not None)

    @property
    def needs_lines(self) -> bool:
        """Whether texts must come from `join_kept`, with their line breaks."""
        return bool(self.clean)

    def prepare(self, text: str) -> Prepared:
        """Return what is sent of `text`.

        Cleaning comes first, then redaction, then the limit: what is cut off cannot hide a half
        of what would have been redacted.

        Arguments:
            text: from `join_kept` when `needs_lines`, else normalised.
        """
        cleaned: frozenset[Cleaning] = frozenset()
        redacted: Mapping[Redaction, int] = {}
        if self.clean:
            result = clean_parts(split_kept(text), self.clean)
            text, cleaned = join_parts(result.parts), result.kinds
        if self.redact and text:
            without = redact(text, self.redact)
            text, redacted = without.text, without.counts
        if self.max_chars is None or len(text) <= self.max_chars:
            return Prepared(text, cleaned, redacted)
        if self.on_long is OnLong.FAIL:
            return Prepared(text, cleaned, redacted, is_too_long=True)
        return Prepared(shorten(text, self.max_chars), cleaned, redacted, is_cut=True)

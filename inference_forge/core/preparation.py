"""What is sent of a ticket: cleaned, redacted, and no longer than allowed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from inference_forge.core.cleaning import clean_parts
from inference_forge.core.shortening import shorten
from inference_forge.core.text import join_parts, split_kept
from inference_forge.core.ticket_redaction import redact
from inference_forge.settings.choices import Cleaning, OnLong, Redaction

if TYPE_CHECKING:
    from collections.abc import Mapping


class Prepared(Struct, frozen=True):
    """A text as it is sent, and what was done to it. What was taken out is kept nowhere.

    Attributes:
        text: normalised; empty when cleaning left nothing.
        cleaned: what cleaning took out.
        redacted: how many of each kind were replaced.
        is_cut: whether the text was shortened.
        is_too_long: whether it is longer than allowed and must not be sent.
        context_chars: how many characters at the beginning of the text are context.
    """

    text: str
    cleaned: frozenset[Cleaning] = frozenset()
    redacted: Mapping[Redaction, int] = field(default_factory=dict)
    is_cut: bool = False
    is_too_long: bool = False
    context_chars: int = 0

    def __repr__(self) -> str:
        """Show what was done, not the text."""
        done = f"cleaned={sorted(self.cleaned)} redacted={dict(self.redacted)} is_cut={self.is_cut}"
        return f"<Prepared {done}>"


class Preparation(Struct, frozen=True, kw_only=True):
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
    def needs_lines(self) -> bool:
        """Whether texts must come from `join_kept`, with their line breaks."""
        return bool(self.clean)

    def prepare(self, text: str, *, context_chars: int = 0) -> Prepared:
        """Return what is sent of `text`.

        Cleaning comes first, then redaction, then the limit: what is cut off cannot hide a half
        of what would have been redacted. Context comes from other columns than mails do: it is
        redacted and counts against the limit, of which it gets a half at most, but is not
        cleaned; without a text there is none.

        Arguments:
            text: from `join_kept` when `needs_lines`, else normalised, behind the context.
            context_chars: how many characters at its beginning are context.
        """
        context, text = text[:context_chars], text[context_chars:]
        cleaned: frozenset[Cleaning] = frozenset()
        if self.clean:
            result = clean_parts(split_kept(text), self.clean)
            text, cleaned = join_parts(result.parts), result.kinds
        if not text:
            return Prepared("", cleaned)
        redacted: Counter[Redaction] = Counter()
        if self.redact:
            text = self._redacted(text, redacted)
            context = self._redacted(context, redacted)
        whole = Prepared(context + text, cleaned, redacted, context_chars=len(context))
        if self.max_chars is None or len(whole.text) <= self.max_chars:
            return whole
        if self.on_long is OnLong.FAIL:
            return replace(whole, is_too_long=True)
        context = _shortened_lines(context, self.max_chars // 2)
        text = shorten(text, self.max_chars - len(context))
        return replace(whole, text=context + text, is_cut=True, context_chars=len(context))

    def _redacted(self, text: str, counts: Counter[Redaction]) -> str:
        without = redact(text, self.redact)
        counts.update(without.counts)
        return without.text


def _shortened_lines(lines: str, max_chars: int) -> str:
    """Return whole lines, or the beginning of the first, in at most `max_chars` characters."""
    if len(lines) <= max_chars:
        return lines
    end = lines.rfind("\n", 0, max_chars) + 1
    if end or max_chars <= 1:
        return lines[:end]
    return shorten(lines.partition("\n")[0], max_chars - 1) + "\n"

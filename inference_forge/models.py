"""The values that flow through a run: frozen, slotted, without behaviour beyond arithmetic."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal


class Complexity(StrEnum):
    """How much text a ticket holds; decides its batch size and its place in the queue."""

    SIMPLE = "simple"
    MEDIUM = "medium"
    COMPLEX = "complex"


class Finish(StrEnum):
    """Why a model stopped writing."""

    STOP = "stop"
    LENGTH = "length"
    FILTER = "filter"
    REFUSAL = "refusal"


class CellRecord(Struct, frozen=True):
    """A row of a table, for pass-through.

    Attributes:
        header: column names as in the input, duplicates kept, shared by all rows.
        cells: as many cells as `header` has names.
    """

    header: tuple[str, ...]
    cells: Sequence[str]


class JsonRecord(Struct, frozen=True, eq=False):
    """A JSON object, for pass-through; two are equal when their bytes are.

    Attributes:
        raw: the object's exact bytes, from `{` to `}`, UTF-8, without a line break.
        names: its members' names, each once, so that nobody has to read it again for them; None
            when they were not looked at.
    """

    raw: bytes
    names: tuple[str, ...] | None = None

    def __eq__(self, other: object) -> bool:
        """Compare the bytes."""
        return isinstance(other, JsonRecord) and self.raw == other.raw

    def __hash__(self) -> int:
        """Return the hash of the bytes."""
        return hash(self.raw)


class RawRecord(Struct, frozen=True):
    r"""A row that could not be read as a record.

    Attributes:
        text: what stood in the input, undecodable bytes shown as `\xNN`.
    """

    text: str


Record = CellRecord | JsonRecord | RawRecord


class Ticket(Struct, frozen=True):
    """One input row's text.

    Attributes:
        index: 0-based row index in the input; the row's key.
        text: exactly what is classified and sent, normalised.
        record: the whole input row, for pass-through.
        ticket_id: the id column's cell, for people; never used as a key.
        tenant: tenants never share answers; empty when there is no tenant column.
        is_truncated: whether `text` is only a part of the row's text.
        context_chars: how many characters at the beginning of `text` come from context columns.
    """

    index: int
    text: str
    record: Record
    ticket_id: str | None = None
    tenant: str = ""
    is_truncated: bool = False
    context_chars: int = 0

    @property
    def own_text(self) -> str:
        """Return `text` without what comes from context columns."""
        return self.text[self.context_chars :]


class Failure(Struct, frozen=True):
    """Why a row has no classification.

    Attributes:
        code: stable machine code, for example `invalid_label`.
        detail: one line for people.
        attempts: tries that counted against the ticket; 0 when nothing was sent.
    """

    code: str
    detail: str
    attempts: int = 0


class RejectedRow(Struct, frozen=True):
    """An input row from which no ticket can be made; it fails without a call."""

    index: int
    record: Record
    failure: Failure


Row = Ticket | RejectedRow


class Classification(Struct, frozen=True):
    """A validated answer.

    Attributes:
        values: field name -> value, for every field of the taxonomy, in the taxonomy's order.
        model: the model that answered.
        reasoning: what the model thought aloud, at most 8,000 characters.
    """

    values: Mapping[str, str]
    model: str
    reasoning: str = ""


Outcome = Classification | Failure


class Usage(Struct, frozen=True):
    """Tokens of one or more requests.

    Attributes:
        prompt_tokens: all input tokens, cached ones included.
        completion_tokens: all output tokens, reasoning included.
        cached_tokens: the part of `prompt_tokens` served from the provider's prompt cache.
        reasoning_tokens: the part of `completion_tokens` spent on reasoning.
        is_estimate: True when any part was estimated because the provider did not report it.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    is_estimate: bool = False

    @property
    def total_tokens(self) -> int:
        """Return input plus output tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """Return the sum of both, an estimate when either is."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.is_estimate or other.is_estimate,
        )


class Money(Struct, frozen=True):
    """An amount in one currency (ISO 4217 code)."""

    amount: Decimal
    currency: str


class Spending(Struct, frozen=True):
    """What this run spent on one row.

    Attributes:
        usage: tokens over all tries, repairs and failed answers included.
        cost: None when the price is unknown; never 0 for unknown.
        attempts: tries that counted against the ticket.
        tries: HTTP requests sent.
    """

    usage: Usage = field(default_factory=Usage)
    cost: Money | None = None
    attempts: int = 0
    tries: int = 0


class ResolvedRow(Struct, frozen=True):
    """A row with its outcome, ready to be written.

    Attributes:
        row: the input row.
        outcome: exactly one per row.
        complexity: None for rows that never became a ticket.
        cache_hit: True when this run made no call for the row (cached or coalesced).
        spending: zero when `cache_hit`.
    """

    row: Row
    outcome: Outcome
    complexity: Complexity | None
    cache_hit: bool
    spending: Spending


class Batch(Struct, frozen=True):
    """Tickets of one complexity and one tenant that are dispatched together."""

    number: int
    complexity: Complexity
    tenant: str
    tickets: tuple[Ticket, ...]


class Message(Struct, frozen=True):
    """One message of a prompt; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


class ModelRequest(Struct, frozen=True):
    """What a provider is asked, independent of its wire format.

    Attributes:
        texts: the tickets' texts, for providers that need no prompt (`local`).
        messages: the prompt, static prefix first.
        schema: JSON Schema of the answer, None for free text.
        max_output_tokens: cap on the answer.
    """

    texts: tuple[str, ...]
    messages: tuple[Message, ...]
    schema: Mapping[str, object] | None
    max_output_tokens: int


class BucketHint(Struct, frozen=True):
    """What a server says about one of its limits; None where it says nothing.

    Attributes:
        limit: size of the bucket, in requests or tokens.
        remaining: what is left of it; never negative.
        reset_s: seconds until it is full again, above zero.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None


class RateLimitHints(Struct, frozen=True):
    """What one response says about the provider's limits."""

    requests: BucketHint = BucketHint()
    tokens: BucketHint = BucketHint()


class ModelAnswer(Struct, frozen=True):
    """What a provider answered.

    Attributes:
        text: the answer's text as sent, reasoning tags included.
        model: the model that answered, as the provider names it.
        usage: tokens of this request.
        finish: why the model stopped.
        reasoning: reasoning that came apart from the text.
        hints: what the response said about the provider's limits.
        first_token_s: seconds from sending to the first word or thought; None unless streamed.
    """

    text: str
    model: str
    usage: Usage
    finish: Finish = Finish.STOP
    reasoning: str = ""
    hints: RateLimitHints | None = None
    first_token_s: float | None = None


class CacheEntry(Struct, frozen=True):
    """One paid answer.

    Attributes:
        raw: the model's answer as it came.
        values: the parsed fields; None when the answer could not be parsed (never a hit).
        model: the model that answered.
        usage: tokens of the request that was paid.
        stored_at: Unix time in seconds.
        reasoning: reasoning that came with the answer.
    """

    raw: str
    values: Mapping[str, str] | None
    model: str
    usage: Usage
    stored_at: float
    reasoning: str = ""

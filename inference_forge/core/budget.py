"""What a run may spend: reserved before sending, settled after the answer."""

from __future__ import annotations

from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.core.tokens import estimate_prompt
from inference_forge.models import Money

if TYPE_CHECKING:
    from inference_forge.errors import ProviderError
    from inference_forge.models import Message, ModelRequest, Usage

PROVEN_AFTER: Final = 20
"""Answers with reported usage, after which the worst estimate so far bounds the next."""

MARGIN: Final = 1.15
"""On the worst estimate so far."""

UNPROVEN_TOKENS_PER_BYTE: Final = 1.0
"""Before: no byte-pair tokenizer makes more tokens than bytes."""

FRAME_TOKENS: Final = 64
"""For roles, separators, and what a server puts around messages unseen."""


class BudgetLimits(Struct, frozen=True):
    """The most that a run may spend; None for no limit.

    Attributes:
        cost: in one currency.
        tokens: input and output, of all requests.
        requests: sent, whatever came of them.
    """

    cost: Money | None = None
    tokens: int | None = None
    requests: int | None = None

    @property
    def is_limited(self) -> bool:
        """Tell whether there is any limit."""
        return self.cost is not None or self.tokens is not None or self.requests is not None


class Amount(Struct, frozen=True):
    """What one request costs at most, or did cost.

    Attributes:
        cost: None when the price is unknown.
    """

    tokens: int
    cost: Money | None


RISKED_SHARE: Final = 0.05
"""Of a limit on requests: a server that wants to be asked in another way refuses so many alike."""

NOTHING: Final = Amount(0, None)

UNSENT: Final = frozenset({"connect_error", "dns_error", "tls_error", "pool_timeout"})
"""Codes of tries that ended before anything was sent."""


def may_be_billed(error: ProviderError) -> bool:
    """Tell whether a try that ended in `error` may be on the provider's bill.

    One that it refused by a status is not. One that timed out or broke may have been answered for
    all that is known, and a 200 that holds no answer was.
    """
    if error.status is not None:
        return error.status < HTTPStatus.MULTIPLE_CHOICES
    return error.code not in UNSENT


class PromptBound:
    """The most tokens that a prompt can have, from what the provider reported so far.

    A run's prompts are alike: once enough were counted by the provider, none will be much further
    off its estimate than the worst. Before that, what they begin with is known from the first that
    was counted: it has no more tokens than all of that one.
    """

    def __init__(self) -> None:
        self._counted = 0
        self._worst = 0.0
        self._beginnings: dict[str, int] = {}

    def tokens(self, request: ModelRequest) -> int:
        """Return a bound on the prompt tokens of `request`."""
        if self._counted < PROVEN_AFTER:
            first, *others = (_bytes(message) for message in request.messages)
            begins = self._beginnings.get(request.messages[0].content, first)
            return int((begins + sum(others)) * UNPROVEN_TOKENS_PER_BYTE) + FRAME_TOKENS
        estimate = estimate_prompt(request).prompt_tokens
        return int(estimate * self._worst * MARGIN) + FRAME_TOKENS

    def on_usage(self, request: ModelRequest, usage: Usage) -> None:
        """Learn from an answer; estimated usage teaches nothing."""
        if usage.is_estimate or not usage.prompt_tokens:
            return
        estimate = max(1, estimate_prompt(request).prompt_tokens)
        self._counted += 1
        self._worst = max(self._worst, usage.prompt_tokens / estimate)
        if self._counted < PROVEN_AFTER:
            first = request.messages[0]
            least = self._beginnings.get(first.content, _bytes(first))
            self._beginnings[first.content] = min(least, usage.prompt_tokens)


def _bytes(message: Message) -> int:
    return len(message.content.encode())


class Budget:
    """Counts what was spent and what is reserved; never lets their sum exceed the limits.

    Arguments:
        limits: the most that may be spent.

    Attributes:
        bound: bounds the next prompt by what was learned from all before.
    """

    def __init__(self, limits: BudgetLimits) -> None:
        self.bound = PromptBound()
        self._limits = limits
        self._requests = 0
        self._tokens = 0
        self._cost = Decimal(0)
        self._reserved_tokens = 0
        self._reserved_cost = Decimal(0)
        self._reservations = 0

    @property
    def most_unanswered(self) -> int | None:
        """Return how many requests may be risked before the first answer; None without a limit."""
        requests = self._limits.requests
        return None if requests is None else max(1, int(requests * RISKED_SHARE))

    @property
    def has_reservations(self) -> bool:
        """Tell whether requests are under way that may cost less than was reserved."""
        return self._reservations > 0

    @property
    def spent(self) -> Amount:
        """Return what was spent, with all that was set aside for tries whose end is unknown."""
        currency = self._limits.cost.currency if self._limits.cost is not None else ""
        return Amount(self._tokens, Money(self._cost, currency))

    def reserve(self, most: Amount) -> bool:
        """Set aside what a request costs at most; False when it could exceed a limit."""
        limits = self._limits
        cost = most.cost.amount if most.cost is not None else Decimal(0)
        if limits.requests is not None and self._requests + 1 > limits.requests:
            return False
        tokens = self._tokens + self._reserved_tokens + most.tokens
        if limits.tokens is not None and tokens > limits.tokens:
            return False
        spent = self._cost + self._reserved_cost + cost
        if limits.cost is not None and spent > limits.cost.amount:
            return False
        self._requests += 1
        self._reservations += 1
        self._reserved_tokens += most.tokens
        self._reserved_cost += cost
        return True

    def settle(self, most: Amount, spent: Amount) -> None:
        """Replace a reservation by what was spent."""
        self._release(most)
        self._tokens += spent.tokens
        self._cost += spent.cost.amount if spent.cost is not None else Decimal(0)

    def withdraw(self, most: Amount) -> None:
        """Give back what was set aside for a request that was never sent."""
        self._release(most)
        self._requests -= 1

    def reached(self, most: Amount) -> str:
        """Return, for people, which limit leaves no room for one more request."""
        limits = self._limits
        if limits.requests is not None and self._requests >= limits.requests:
            return f"--max-requests {limits.requests:,} is used up"
        if limits.tokens is not None and self._tokens + most.tokens > limits.tokens:
            return (
                f"--max-total-tokens {limits.tokens:,}: {self._tokens:,} are used, and the next "
                f"request could take {most.tokens:,}"
            )
        if limits.cost is None or most.cost is None:
            raise ValueError("no limit is reached")
        currency = limits.cost.currency
        return (
            f"--max-cost {limits.cost.amount:f} {currency}: {self._cost:.6f} is spent, and the "
            f"next request could cost {most.cost.amount:.6f}"
        )

    def _release(self, most: Amount) -> None:
        self._reservations -= 1
        self._reserved_tokens -= most.tokens
        self._reserved_cost -= most.cost.amount if most.cost is not None else Decimal(0)

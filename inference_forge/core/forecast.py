"""What requests take in tokens, money and time."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.complexity import BATCH_SIZES
from inference_forge.core.request_form import Load
from inference_forge.models import Complexity, Money, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference_forge.core.calls import Calls
    from inference_forge.core.pacing import PacingLimits
    from inference_forge.core.token_model import TokenModel

ASSUMED_LATENCY_S: Final = 1.5
"""Of an answer, where none was seen."""

_UNIT: Final = 1_000  # tokens that a price is asked for; far below where prices change


class Rates(Struct, frozen=True):
    """Money for a token.

    Attributes:
        currency: of all.
        prompt: input.
        cached: input from the provider's cache.
        completion: output.
    """

    currency: str
    prompt: Decimal
    cached: Decimal
    completion: Decimal

    def cost(self, usage: Usage) -> Decimal:
        """Return what `usage` costs, however many requests it is spread over."""
        plain = usage.prompt_tokens - usage.cached_tokens
        return (
            self.prompt * plain
            + self.cached * usage.cached_tokens
            + self.completion * usage.completion_tokens
        )


def rates_of(cost_of: Callable[[Usage], Money | None]) -> Rates | None:
    """Return what a token costs, None when the price is unknown."""
    asked = [Usage(_UNIT), Usage(_UNIT, cached_tokens=_UNIT), Usage(0, _UNIT)]
    found = [cost_of(usage) for usage in asked]
    if found[0] is None or found[1] is None or found[2] is None:
        return None
    prompt, cached, completion = (each.amount / _UNIT for each in found if each is not None)
    return Rates(found[0].currency, prompt, cached, completion)


class Forecast(Struct, frozen=True):
    """What requests will take.

    Attributes:
        requests: how many.
        tickets: what they are about.
        usage: their tokens.
        low: the least of them that is likely.
        high: the most that is likely.
    """

    requests: int = 0
    tickets: int = 0
    usage: Usage = field(default_factory=Usage)
    low: Usage = field(default_factory=Usage)
    high: Usage = field(default_factory=Usage)

    def __add__(self, other: Forecast) -> Forecast:
        """Return both; they may be off in the same direction."""
        return Forecast(
            self.requests + other.requests,
            self.tickets + other.tickets,
            self.usage + other.usage,
            self.low + other.low,
            self.high + other.high,
        )


def forecast(load: Load, model: TokenModel) -> Forecast:
    """Return what a load will take."""
    usage = model.usage(load)
    return Forecast(
        load.requests, load.tickets, usage, _off(usage, model, -1.0), _off(usage, model, 1.0)
    )


def _off(usage: Usage, model: TokenModel, side: float) -> Usage:
    prompt = 1 + side * model.prompt_spread
    return Usage(
        round(usage.prompt_tokens * prompt),
        round(usage.completion_tokens * (1 + side * model.answer_spread)),
        round(usage.cached_tokens * prompt),
        is_estimate=True,
    )


class Models(Struct, frozen=True):
    """How requests about one ticket and about several are predicted."""

    single: TokenModel
    packed: TokenModel

    @property
    def tokens_per_char(self) -> float:
        """Return the estimated tokens of a character, from whatever saw more answers."""
        return max(self.single, self.packed, key=lambda each: each.answers).tokens_per_char

    def forecast(self, calls: Calls) -> dict[Complexity, Forecast]:
        """Return what calls will take, by complexity."""
        found: dict[Complexity, Forecast] = {}
        for loads, model in ((calls.single, self.single), (calls.packed, self.packed)):
            for complexity, load in loads.items():
                found[complexity] = found.get(complexity, Forecast()) + forecast(load, model)
        return found

    def one_each(self, tickets: int, text_tokens: float) -> Usage:
        """Return the usage of a request for each of `tickets`."""
        return self.single.usage(Load(tickets, tickets, text_tokens))

    def packs(self, by_complexity: Mapping[Complexity, int], text_tokens: float) -> Usage:
        """Return the usage of asking about tickets in packs of the usual sizes."""
        requests = sum(
            math.ceil(tickets / BATCH_SIZES[complexity])
            for complexity, tickets in by_complexity.items()
        )
        return self.packed.usage(Load(requests, sum(by_complexity.values()), text_tokens))

    def saved_by_packing(
        self,
        by_complexity: Mapping[Complexity, int],
        text_tokens: float,
        rates: Rates | None,
    ) -> float:
        """Return the share of money, or of tokens where prices are unknown, that packs would save.

        Arguments:
            by_complexity: tickets that are asked about one by one.
            text_tokens: of all of them, estimated.
            rates: what a token costs.
        """
        alone = self.one_each(sum(by_complexity.values()), text_tokens)
        packed = self.packs(by_complexity, text_tokens)
        before, after = Decimal(alone.total_tokens), Decimal(packed.total_tokens)
        if rates is not None and rates.cost(alone):
            before, after = rates.cost(alone), rates.cost(packed)
        return max(0.0, float(1 - after / before)) if before else 0.0


class Duration(Struct, frozen=True):
    """How long requests will take.

    Attributes:
        seconds: about.
        bound: what decides: `rpm`, `tpm`, `interval` or `latency`.
        latency_s: of an answer, as reckoned with.
        is_seen: whether answers took so long before; else it is assumed.
    """

    seconds: float
    bound: str
    latency_s: float
    is_seen: bool


def duration(
    expected: Forecast, limits: PacingLimits, concurrency: int, seen_latency_s: float | None
) -> Duration:
    """Return how long requests will take under the limits that are known.

    Arguments:
        expected: the requests and their tokens.
        limits: requests and tokens per minute, and the least time between two.
        concurrency: most requests at once.
        seen_latency_s: of an answer; None where none was seen.
    """
    latency_s = ASSUMED_LATENCY_S if seen_latency_s is None else seen_latency_s
    n = expected.requests
    by_bound = {"latency": math.ceil(n / concurrency) * latency_s}
    if limits.rpm:
        by_bound["rpm"] = 60 * n / limits.rpm
    if limits.tpm:
        by_bound["tpm"] = 60 * expected.usage.total_tokens / limits.tpm
    if limits.min_interval_s:
        by_bound["interval"] = n * limits.min_interval_s
    bound = max(by_bound, key=by_bound.__getitem__)
    return Duration(by_bound[bound], bound, latency_s, is_seen=seen_latency_s is not None)

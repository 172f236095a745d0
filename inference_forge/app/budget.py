"""What a command may spend, as the settings say."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from inference_forge.core.budget import Budget, BudgetLimits
from inference_forge.core.cost import Price
from inference_forge.errors import SettingsError
from inference_forge.models import Money, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference_forge.app.answering import Answering
    from inference_forge.settings import Settings

_AMOUNT: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([A-Za-z]{3})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def own_price(settings: Settings) -> Price | None:
    """Return the price that the settings name, None when they name none.

    Raises:
        SettingsError: only one half is named, or the currency is none.
    """
    if settings.price_in is None and settings.price_out is None:
        return None
    if settings.price_in is None or settings.price_out is None:
        raise SettingsError("--price-in and --price-out belong together: give both")
    currency = settings.price_currency.strip().upper()
    if not _CURRENCY.fullmatch(currency):
        raise SettingsError(
            f"--price-currency: {settings.price_currency!r} is no currency code such as USD"
        )
    prompt = Decimal(str(settings.price_in))
    return Price(currency, prompt, prompt, Decimal(str(settings.price_out)), "--price-in/-out")


def open_budget(settings: Settings, answering: Sequence[Answering]) -> Budget | None:
    """Return what may be spent, None without a limit.

    Arguments:
        settings: hold the limits.
        answering: everybody who may answer, the first first.

    Raises:
        SettingsError: an amount is none, or a model's price is unknown or in another currency.
    """
    # Also where nobody will be asked: a script's mistake is told before the first terminal sees it.
    read_amount(settings.confirm_above, "--confirm-above")
    cost = None if settings.max_cost is None else _most(settings.max_cost, answering)
    limits = BudgetLimits(cost, settings.max_total_tokens, settings.max_requests)
    return Budget(limits) if limits.is_limited else None


def read_amount(text: str, flag: str) -> tuple[Decimal, str]:
    """Return an amount and its currency, empty when none is named.

    Raises:
        SettingsError: it is none; the message names `flag`.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"{flag}: {text!r} is no amount; write it like 2.50 or 2.50 USD")
    return Decimal(match[1]), (match[2] or "").upper()


def _most(text: str, answering: Sequence[Answering]) -> Money:
    amount, named = read_amount(text, "--max-cost")
    currency = named or _currency_of(answering[0])
    for each in answering:
        own = _currency_of(each)
        if own not in ("", currency):
            raise SettingsError(
                f"--max-cost is in {currency}, but {each.provider.model} is paid in {own}: "
                "give the amount in that currency"
            )
    return Money(amount, currency)


def _currency_of(answering: Answering) -> str:
    """Return the currency of a model's price; empty for one that costs nothing.

    Raises:
        SettingsError: the price is unknown.
    """
    cost = answering.cost_of(Usage(1, 1))
    if cost is None:
        raise SettingsError(
            f"--max-cost: the price of {answering.provider.model} is unknown; say it with "
            "--price-in and --price-out (per million tokens), or use --max-total-tokens"
        )
    return cost.currency

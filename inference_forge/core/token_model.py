"""Predicting the tokens of requests that look alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inference_forge.models import Usage

if TYPE_CHECKING:
    from inference_forge.core.request_form import Load, RequestForm
    from inference_forge.core.usage_fit import Fit

UNKNOWN_SPREAD: Final = 0.25
UNKNOWN_ANSWER_SPREAD: Final = 0.6
LEAST_SPREAD: Final = 0.05
"""Of an estimate, to either side, before any answer and after many."""

RELATED_ANSWERS: Final = 3.0
"""So many answers is it worth to know the model from another taxonomy."""

TOKENS_PER_CHAR: Final = 0.24
"""Of English prose."""


class TokenModel(Struct, frozen=True):
    """Predicts the usage of requests of one form.

    Attributes:
        form: theirs.
        prompt_base: prompt tokens of every request.
        prompt_slope: prompt tokens for each estimated token of the message with the tickets.
        answer_base: completion tokens of every request.
        answer_slope: completion tokens of every ticket.
        cached_share: of the prompt, served from the provider's cache.
        again_share: what mending answers takes, for each token of the first requests.
        latency_s: mean time of an answer; None when none was seen.
        answers: how many answers speak for all this.
        is_exact: whether they were of this form.
        tokens_per_char: estimated tokens of a character of text.
    """

    form: RequestForm
    prompt_base: float
    prompt_slope: float
    answer_base: float
    answer_slope: float
    cached_share: float = 0.0
    again_share: float = 0.0
    latency_s: float | None = None
    answers: float = 0.0
    is_exact: bool = False
    tokens_per_char: float = TOKENS_PER_CHAR

    def usage(self, load: Load) -> Usage:
        """Return the tokens that requests take, an estimate."""
        variable = self.form.variable_tokens(load)
        more = 1 + self.again_share
        prompt = more * (self.prompt_base * load.requests + self.prompt_slope * variable)
        answer = more * (self.answer_base * load.requests + self.answer_slope * load.tickets)
        return Usage(
            max(0, round(prompt)),
            max(0, round(answer)),
            max(0, round(self.cached_share * prompt)),
            is_estimate=True,
        )

    @property
    def prompt_spread(self) -> float:
        """Return how far prompts may be off, as a share."""
        return max(LEAST_SPREAD, UNKNOWN_SPREAD / math.sqrt(1 + self.answers))

    @property
    def answer_spread(self) -> float:
        """Return how far answers may be off, as a share."""
        return max(LEAST_SPREAD, UNKNOWN_ANSWER_SPREAD / math.sqrt(1 + self.answers))


def unknown_model(form: RequestForm) -> TokenModel:
    """Return the prediction before any answer."""
    return TokenModel(form, form.fixed_tokens, 1.0, 0.0, form.answer_tokens)


def fitted_model(form: RequestForm, fit: Fit, answers: float) -> TokenModel:
    """Return what a fit of this form predicts; `answers` is how many speak for it."""
    prompt_base, prompt_slope = fit.prompt.fitted(form.fixed_tokens, 1.0)
    answer_base, answer_slope = fit.answer.fitted(0.0, form.answer_tokens)
    return TokenModel(
        form=form,
        prompt_base=prompt_base,
        prompt_slope=prompt_slope,
        answer_base=answer_base,
        answer_slope=answer_slope,
        cached_share=min(1.0, fit.cached / fit.prompt.y) if fit.prompt.y else 0.0,
        again_share=min(1.0, fit.again / (fit.prompt.y + fit.answer.y)) if fit.prompt.y else 0.0,
        latency_s=fit.seconds / fit.prompt.n,
        answers=answers,
        is_exact=True,
        tokens_per_char=fit.text_tokens / fit.chars if fit.chars else TOKENS_PER_CHAR,
    )


def carried_over(form: RequestForm, fit: Fit) -> TokenModel:
    """Return what another form teaches: its tokenizer, and what the provider adds unseen."""
    base, slope = fit.prompt.fitted(fit.fixed_tokens, 1.0)
    unseen = base - slope * fit.fixed_tokens
    near = fitted_model(form, fit, min(RELATED_ANSWERS, fit.prompt.n))
    is_alike = fit.is_packed is form.is_packed and fit.answer_tokens > 0
    ratio = form.answer_tokens / fit.answer_tokens if is_alike else 1.0
    return TokenModel(
        form=form,
        prompt_base=slope * form.fixed_tokens + unseen,
        prompt_slope=slope,
        answer_base=near.answer_base if is_alike else 0.0,
        answer_slope=near.answer_slope * ratio if is_alike else form.answer_tokens,
        latency_s=near.latency_s if is_alike else None,
        answers=near.answers,
        tokens_per_char=near.tokens_per_char,
    )

"""What a model's reported usage teaches about the tokens of its requests.

A provider counts with its own tokenizer and adds what it does not tell: roles, a schema, a tool.
Both are found by a straight line, tokens reported over tokens estimated: its slope is the
tokenizer's, its intercept is what every request has. The line leans on the estimate (ridge
regression) until there are enough answers to know better. What is learned is a handful of sums,
which can be added up across runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from inference_forge.core.request_form import message_tokens
from inference_forge.core.token_model import TokenModel, carried_over, fitted_model, unknown_model
from inference_forge.core.usage_fit import MAX_ANSWERS, Fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference_forge.core.request_form import RequestForm
    from inference_forge.models import ModelRequest, Usage

MAX_FORMS: Final = 32
"""Kept for each model: taxonomies that were used of late."""

STRIDE: Final = 10
"""When as many answers were seen as count, one in so many is enough: the line moves no more, and
estimating a request's tokens is a good part of what a call costs."""


class Calibration(Struct, frozen=True):
    """What is known of one model, by the key of the form."""

    fits: Mapping[str, Fit] = field(default_factory=dict)

    @property
    def answers(self) -> float:
        """Return how many answers were seen."""
        return sum(fit.prompt.n for fit in self.fits.values())

    def plus(self, learned: Mapping[str, Fit]) -> Calibration:
        """Return this with what a run has learned; its forms are the newest, the oldest go."""
        merged = {key: fit for key, fit in self.fits.items() if key not in learned}
        for key, fit in learned.items():
            known = self.fits.get(key)
            merged[key] = fit if known is None else known.plus(fit)
        kept = list(merged.items())[-MAX_FORMS:]
        return Calibration(dict(kept))

    def model(self, form: RequestForm) -> TokenModel:
        """Return the best prediction of requests of `form`."""
        fit = self.fits.get(form.key)
        if fit is not None and fit.prompt.n:
            return fitted_model(form, fit, fit.prompt.n)
        related = self._related(form)
        return unknown_model(form) if related is None else carried_over(form, related)

    def _related(self, form: RequestForm) -> Fit | None:
        """Return the newest fit that says most about another form, the same kind first."""
        seen = [fit for fit in self.fits.values() if fit.prompt.n]
        return max(seen, key=lambda fit: fit.is_packed is form.is_packed, default=None)


class UsageLearner:
    """Collects what the answers of one run teach about one model.

    Arguments:
        forms: those of the run's requests; other requests teach nothing.
    """

    def __init__(self, forms: Iterable[RequestForm]) -> None:
        self._forms = {form.system: form for form in forms}
        self._packed = next((form for form in self._forms.values() if form.is_packed), None)
        self._seen = 0
        self.fits: dict[str, Fit] = {}

    def on_answer(
        self, request: ModelRequest, usage: Usage, latency_s: float, *, is_again: bool
    ) -> None:
        """Learn from an answer; estimated usage teaches nothing, nor do most of very many.

        Arguments:
            request: what was asked.
            usage: what the provider reported.
            latency_s: how long it took, in seconds.
            is_again: the request mends what another one left without an answer.
        """
        self._seen += 1
        if self._seen > MAX_ANSWERS and self._seen % STRIDE:
            return
        form = self._forms.get(request.messages[0].content) if request.messages else None
        if form is None or usage.is_estimate or not usage.prompt_tokens:
            return
        if is_again:
            # What is asked alone after a pack is a cost of packing; a repair shows the answer.
            is_repair = any(message.role == "assistant" for message in request.messages)
            cause = form if is_repair or self._packed is None else self._packed
            self._fit(cause).again += usage.total_tokens
            return
        fit = self._fit(form)
        variable = message_tokens(request)
        tickets = len(request.texts)
        fit.prompt.add(variable, usage.prompt_tokens)
        fit.answer.add(tickets, usage.completion_tokens)
        fit.cached += usage.cached_tokens
        fit.seconds += latency_s
        fit.text_tokens += variable - form.message_tokens - tickets * form.ticket_tokens
        fit.chars += sum(map(len, request.texts))

    def _fit(self, form: RequestForm) -> Fit:
        if form.key not in self.fits:
            self.fits[form.key] = Fit(form.is_packed, form.fixed_tokens, form.answer_tokens)
        return self.fits[form.key]

"""What is known of the tokens that one model's requests take, and what a run adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from inference_forge.adapters.calibrations import CalibrationFile
from inference_forge.core.calibration import Calibration, UsageLearner
from inference_forge.core.forecast import Models
from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.prompt import build_pack_prompt
from inference_forge.core.prompt import build_prompt
from inference_forge.core.request_form import RequestForm, pack_form, single_form

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.ports import Provider


class TokenBook(Struct, frozen=True):
    """Predicts the tokens of requests to one model, and learns from its answers.

    Attributes:
        single: the form of requests about one ticket.
        packed: the form of requests about several.
        known: what earlier runs learned.
        learner: told of this run's answers.
        file: where both are kept.
    """

    single: RequestForm
    packed: RequestForm
    known: Calibration
    learner: UsageLearner
    file: CalibrationFile

    def models(self) -> Models:
        """Return the best predictions as of now."""
        known = self.known.plus(self.learner.fits)
        return Models(known.model(self.single), known.model(self.packed))

    def keep(self) -> None:
        """Add what this run learned to what is kept; call it once, at the end."""
        self.file.add(self.learner.fits)


def open_token_book(
    taxonomy: Taxonomy,
    provider: Provider,
    *,
    server: str,
    max_output_tokens: int,
    directory: Path,
    warn: Callable[[str, str], None],
) -> TokenBook:
    """Return what is known of a model's tokens; reads a file.

    Arguments:
        taxonomy: what is asked for.
        provider: names the model.
        server: tells servers apart that call their models alike.
        max_output_tokens: cap on one answer.
        directory: the cache directory, which need not exist.
        warn: takes a stable code and a sentence.
    """
    codes = CodeBook(taxonomy)
    single = single_form(
        build_prompt(taxonomy, max_output_tokens=max_output_tokens), taxonomy, provider.generation
    )
    packed = pack_form(
        build_pack_prompt(taxonomy, codes, max_output_tokens=max_output_tokens),
        taxonomy,
        provider.generation,
    )
    file = CalibrationFile(directory.absolute(), f"{server} {provider.model}", warn)
    return TokenBook(single, packed, file.read(), UsageLearner((single, packed)), file)

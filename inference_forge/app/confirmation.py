"""Whether a run costs so much that its user is asked first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from inference_forge.app.answering import LOCAL
from inference_forge.app.budget import read_amount
from inference_forge.app.choosing import open_choice
from inference_forge.app.dry_run import close_providers, look_ahead
from inference_forge.app.inputs import chosen_inputs
from inference_forge.app.notices import Notices
from inference_forge.app.places import split_suffix
from inference_forge.core.forecast import rates_of
from inference_forge.core.request_form import Load
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal
    from pathlib import Path

    from inference_forge.app.answering import Answering
    from inference_forge.app.dry_run import Outlook
    from inference_forge.app.job import ClassifyJob

MIN_ROW_BYTES: Final = 2
"""A character and a line break."""

SAFETY: Final = 2
"""On the bound: no tokenizer makes twice as many tokens as are estimated here."""

PLAIN_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
"""Of files that hold no more text than bytes."""


def costly_outlook(job: ClassifyJob) -> Outlook | None:
    """Return what a run would do if that costs more than `--confirm-above`, else None.

    Inputs are read for it, unless their size alone says that they cost less; those that can be
    read only once are not, and such a run is never asked about.

    Raises:
        UsageError: settings, taxonomy, or an input is unusable.
    """
    if job.loaded.settings.provider == LOCAL:
        return None
    # What is to be told is told by the run itself.
    quiet = replace(job, notices=Notices())
    paths = [
        path
        for input_ in chosen_inputs(job.inputs, job.loaded.settings, quiet.notices.note)
        for path in input_.paths
    ]
    if not all(path.is_file() for path in paths):
        return None
    choice = open_choice(quiet)
    close_providers(choice)
    limit = _limit(job, choice.answering)
    if limit is None or not _may_exceed(limit, paths, choice.answering):
        return None
    outlook = look_ahead(quiet)
    rates = outlook.rates
    return outlook if rates and rates.cost(outlook.total.usage) > limit else None


def _limit(job: ClassifyJob, answering: Answering) -> Decimal | None:
    """Return the amount above which to ask, None when the price is unknown.

    Raises:
        SettingsError: it is no amount, or in another currency than the price.
    """
    limit, currency = read_amount(job.loaded.settings.confirm_above, "--confirm-above")
    rates = rates_of(answering.cost_of)
    if rates is None:
        return None
    if currency not in ("", rates.currency):
        raise SettingsError(
            f"--confirm-above is in {currency}, but {answering.provider.model} is paid in "
            f"{rates.currency}: give the amount in that currency"
        )
    return limit


def _may_exceed(limit: Decimal, paths: Iterable[Path], answering: Answering) -> bool:
    """Tell whether files of this size could cost more than `limit`."""
    rates = rates_of(answering.cost_of)
    if rates is None or answering.tokens is None:
        return False
    sizes = []
    for path in paths:
        if split_suffix(path.name)[1].lower() not in PLAIN_SUFFIXES:
            return True
        sizes.append(path.stat().st_size)
    rows = sum(sizes) // MIN_ROW_BYTES + len(sizes)
    most = answering.tokens.models().single.usage(Load(rows, rows, sum(sizes)))
    return rates.cost(most) * SAFETY > limit

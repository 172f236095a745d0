"""What is tuned: a sample of the user's tickets, a taxonomy, and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.app.answering import LOCAL, Answering, open_answering
from inference_forge.app.budget import open_budget
from inference_forge.app.input_source import open_input
from inference_forge.app.inputs import chosen_inputs
from inference_forge.app.keys import KeyFinder
from inference_forge.app.taxonomy_file import load_asked
from inference_forge.core.tuning.comparison import closed_fields
from inference_forge.core.tuning.sampling import DistinctSample
from inference_forge.errors import SettingsError, UsageError
from inference_forge.jobs.tune.gold import read_gold
from inference_forge.models import Ticket

if TYPE_CHECKING:
    from inference_forge.core.budget import Budget
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.jobs.tune.gold import Gold
    from inference_forge.jobs.tune.job import TuneJob
    from inference_forge.settings import Settings

_BLOCK_ROWS = 500


class Subject(Struct, frozen=True):
    """Everything that is decided before anything is sent.

    Attributes:
        settings: without what a tune decides by itself.
        tickets: the sample, in the order of the input; a ticket's place is its number.
        rows: tickets in the input, of which it is a sample.
        taxonomy: what is asked for.
        fields: those that are compared.
        answering: who answers.
        budget: what the whole tune may spend; None for no limit.
        gold: right labels of some tickets; None where none were named.
    """

    settings: Settings
    tickets: tuple[Ticket, ...]
    rows: int
    taxonomy: Taxonomy
    fields: tuple[str, ...]
    answering: Answering
    budget: Budget | None
    gold: Gold | None = None

    @property
    def numbers(self) -> dict[str, int]:
        """Return text -> number; no two tickets of the sample have the same text."""
        return {ticket.text: number for number, ticket in enumerate(self.tickets)}


def open_subject(job: TuneJob) -> Subject:
    """Read the inputs and choose who answers; nothing is sent yet.

    Raises:
        UsageError: settings, taxonomy or an input is unusable, or there is nothing to tune.
    """
    settings = _own(job)
    taxonomy = load_asked(settings).taxonomy
    fields = closed_fields(taxonomy)
    if not fields:
        raise SettingsError("--fields leaves no labels to compare: packs differ in labels only")
    loaded = replace(job.loaded, settings=settings)
    heard = (job.notices.note, job.notices.warn)
    keys = KeyFinder(job.environ, job.secrets.learn, *heard)
    answering = open_answering(loaded, taxonomy, job.environ, *heard, keys)
    if answering.name == LOCAL:
        raise SettingsError(
            "there is nothing to tune for the built-in baseline, which is free and does not "
            "pack: name who is to answer with --provider"
        )
    if answering.notice:
        job.notices.note("answering", answering.notice)
    if settings.fallback_model is not None or settings.fallback_provider is not None:
        job.notices.note("no_fallback", "only the first model is tuned: the fallback is not asked")
    if answering.endpoints:
        first = answering.endpoints[0].name
        job.notices.note("one_endpoint", f"only {first} is asked: all are to answer alike")
    budget = open_budget(settings, [answering])
    tickets, rows = _sample(job, settings)
    gold = read_gold(job, settings, taxonomy, tickets)
    return Subject(settings, tickets, rows, taxonomy, fields, answering, budget, gold)


def _own(job: TuneJob) -> Settings:
    """Return the settings without what concerns results, samples and packs."""
    return job.loaded.settings.changed(
        output=None,
        failures=None,
        sample=None,
        pack=False,
        pack_size="auto",
        publish_partial=False,
    )


def _sample(job: TuneJob, settings: Settings) -> tuple[tuple[Ticket, ...], int]:
    sample = DistinctSample(job.sample, job.seed)
    before = 0
    for input_ in chosen_inputs(job.inputs, settings, job.notices.note):
        source = open_input(input_, settings, job.stdin)
        try:
            read = 0
            while block := source.read_block(_BLOCK_ROWS):
                for row in block:
                    if isinstance(row, Ticket):
                        sample.add(replace(row, index=before + row.index))
                read += len(block)
            before += read
            job.notices.note(f"reading {input_.label}", source.reading)
            for warned in source.warnings:
                job.notices.warn(warned.code, warned.message)
        finally:
            source.close()
    if not sample.seen:
        raise UsageError(f"{', '.join(job.inputs)}: no ticket with a text to ask about")
    return tuple(sample.tickets()), sample.seen

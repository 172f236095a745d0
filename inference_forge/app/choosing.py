"""From settings to what is asked for and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from inference_forge.app.answering import LOCAL, Choice, open_answering, open_fallback
from inference_forge.app.budget import open_budget
from inference_forge.app.keys import KeyFinder
from inference_forge.app.output_cap import output_cap
from inference_forge.app.packing import open_packing
from inference_forge.app.taxonomy_file import load_asked
from inference_forge.app.token_book import open_token_book

if TYPE_CHECKING:
    from inference_forge.app.answering import Answering
    from inference_forge.app.job import ClassifyJob
    from inference_forge.core.taxonomy import Taxonomy


def open_choice(job: ClassifyJob) -> Choice:
    """Return what `job` asks for, and of whom; nothing is sent yet.

    Raises:
        SettingsError: a setting does not fit.
        TaxonomyError: the taxonomy is unusable, or not for who answers.
    """
    settings, note = job.loaded.settings, job.notices.note
    heard = (note, job.notices.warn)
    asked = load_asked(settings)
    taxonomy = asked.taxonomy
    keys = KeyFinder(job.environ, job.secrets.learn, *heard)
    answering = open_answering(job.loaded, taxonomy, job.environ, *heard, keys)
    fallback = open_fallback(job.loaded, taxonomy, job.environ, *heard, keys)
    packing = open_packing(settings, taxonomy)
    if packing is not None and any(each.name == LOCAL for each in (answering, fallback) if each):
        note("no_packing", "--pack does nothing for the built-in baseline: it is free")
        packing = None
    budget = open_budget(settings, [answering, fallback] if fallback else [answering])
    return Choice(
        taxonomy=taxonomy,
        answering=_with_book(job, answering, taxonomy),
        fallback=None if fallback is None else _with_book(job, fallback, taxonomy),
        packing=packing,
        budget=budget,
        summary_words=asked.summary_words,
    )


def _with_book(job: ClassifyJob, answering: Answering, taxonomy: Taxonomy) -> Answering:
    if answering.name == LOCAL:
        return answering
    settings = job.loaded.settings
    return replace(
        answering,
        tokens=open_token_book(
            taxonomy,
            answering.provider,
            server=f"{answering.name} {answering.address}",
            max_output_tokens=output_cap(settings),
            directory=job.cache_directory,
            warn=job.notices.warn,
        ),
    )

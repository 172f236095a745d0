"""What is measured: who answers each model's cells, and what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.app.answering import LOCAL, SIMULATED, Answering, open_answering
from inference_forge.app.budget import open_budget
from inference_forge.app.keys import KeyFinder
from inference_forge.app.taxonomy_file import load_asked
from inference_forge.core.bench.cells import Cell, Shape
from inference_forge.errors import SettingsError
from inference_forge.jobs.bench.enough import tell_too_few, with_enough
from inference_forge.jobs.bench.plan import cells_of, tickets_in, widest
from inference_forge.jobs.bench.tickets import open_supply, read_gold
from inference_forge.settings import Order, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.budget import Budget
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.jobs.bench.request import BenchJob
    from inference_forge.jobs.bench.tickets import Gold, Supply
    from inference_forge.ports import Provider
    from inference_forge.settings import Loaded, Settings

EMBEDDED: Final = "latency=120ms,jitter=0.3,ttft=40ms,token-time=2ms,max-concurrency=24,seed=1"
"""How the simulation behaves that stands in when nobody is named: like a small hosted model that
bears two dozen requests at once."""


class Subject(Struct, frozen=True):
    """Everything that is decided before anything is sent.

    Attributes:
        settings: without what a bench decides by itself.
        taxonomy: what is asked for.
        answering: who answers, by model and whether answers are streamed.
        cells: of each shape, in the order asked for.
        supply: gives the tickets.
        gold: the right labels; empty when nobody judges.
        budget: what the whole bench may spend; None for no limit.
    """

    settings: Settings
    taxonomy: Taxonomy
    answering: Mapping[tuple[str, bool], Answering]
    cells: Mapping[Shape, tuple[Cell, ...]]
    supply: Supply
    gold: Gold
    budget: Budget | None

    def answers(self, cell: Cell) -> Answering:
        """Return who answers `cell`."""
        return self.answering[cell.model, cell.is_streamed]

    @property
    def first(self) -> Answering:
        """Return who answers the first cell."""
        return next(iter(self.answering.values()))

    @property
    def is_real(self) -> bool:
        """Tell whether requests leave this process."""
        return self.first.name != SIMULATED

    def providers(self) -> list[Provider]:
        """Return everybody who may be asked; to be closed at the end."""
        return [each for answering in self.answering.values() for each in answering.providers()]


def open_subject(job: BenchJob) -> Subject:
    """Choose who answers and read the inputs; nothing is sent yet.

    Raises:
        UsageError: settings, taxonomy or an input is unusable.
    """
    loaded = _with_own(job)
    request, usual = job.request, loaded.settings
    # Connections are kept for as many requests as the widest cell has in flight.
    wide = usual.changed(concurrency=widest(request, usual.concurrency))
    loaded = replace(loaded, settings=wide)
    taxonomy = load_asked(usual).taxonomy
    heard = (job.notices.note, job.notices.warn)
    keys = KeyFinder(job.environ, job.secrets.learn, *heard)
    ways = {False, True} if Shape.STREAM in request.shapes else {usual.stream}
    answering = {}
    for model in request.models or (usual.model,):
        for is_streamed in sorted(ways):
            chosen = replace(loaded, settings=wide.changed(model=model, stream=is_streamed))
            opened = open_answering(chosen, taxonomy, job.environ, *heard, keys)
            answering[opened.provider.model, is_streamed] = opened
    models = list(dict.fromkeys(name for name, _ in answering))
    planned = {s: tuple(cells_of(s, request, models, usual)) for s in request.shapes}
    budget = open_budget(loaded.settings, list(answering.values()))
    gold = read_gold(job, loaded.settings, taxonomy)
    most = max(tickets_in(cell, request) for each in planned.values() for cell in each)
    supply = open_supply(job, loaded.settings, gold, most)
    cells = with_enough(job, planned, supply)
    _tell(job, loaded.settings, next(iter(answering.values())))
    tell_too_few(job, cells, supply)
    return Subject(loaded.settings, taxonomy, answering, cells, supply, gold, budget)


def _with_own(job: BenchJob) -> Loaded:
    """Return the settings with the simulation when nobody is named, and without results.

    Raises:
        SettingsError: the embedded classifier is named.
    """
    settings = job.loaded.settings
    if settings.provider == LOCAL:
        if job.loaded.origin("provider") is not Origin.DEFAULT:
            raise SettingsError(
                "there is nothing to measure about the built-in baseline, which sends no requests: "
                "name who is to answer with --provider, or --provider simulated to try it out"
            )
        settings = settings.changed(provider=SIMULATED)
    if settings.provider == SIMULATED and settings.simulation is None:
        settings = settings.changed(simulation=EMBEDDED)
    settings = settings.changed(
        output=None,
        failures=None,
        sample=None,
        pack=False,
        order=Order.COMPLETION,
        publish_partial=False,
    )
    return replace(job.loaded, settings=settings)


def _tell(job: BenchJob, settings: Settings, answering: Answering) -> None:
    if answering.name == SIMULATED:
        job.notices.note("answering", f"answers come from a simulation: {settings.simulation}")
    elif answering.notice:
        job.notices.note("answering", answering.notice)
    if settings.fallback_model is not None or settings.fallback_provider is not None:
        job.notices.note("no_fallback", "the fallback is not asked: one model a cell")

"""What a bench is to measure, and what it takes from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from msgspec import Struct, field

from inference_forge.app.job import new_run_id
from inference_forge.app.notices import Notices
from inference_forge.app.places import STDIN
from inference_forge.app.secrets import LearnedSecrets
from inference_forge.core.bench.cells import Shape
from inference_forge.core.packing.prompt import MAX_PACK_SIZE
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.app.job import Watcher
    from inference_forge.app.places import Places
    from inference_forge.jobs.bench.expected import Expected
    from inference_forge.jobs.bench.report import BenchReport
    from inference_forge.observe.tally import Tally
    from inference_forge.settings import Loaded

DEFAULT_BATCH_SIZES: Final = (1, 10, 50)
DEFAULT_QUEUES: Final = (10, 50, 100)
DEFAULT_WORDS: Final = (10, 50, 200, 500)
DEFAULT_REPETITIONS: Final = 3
DEFAULT_TICKETS: Final = 100

MAX_BATCH: Final = 10_000
MAX_CONCURRENCY: Final = 10_000
MAX_QUEUE: Final = 10_000
MIN_WORDS, MAX_WORDS = 6, 5_000
MAX_REPETITIONS: Final = 100
_MAX_DIGITS: Final = 9


class BenchRequest(Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        shapes: in this order.
        batch_sizes: of the sweep; tickets that are dispatched together.
        pack: True for packed batches only, False for none; None measures both ways.
        concurrency: most requests in flight; empty for what the settings say, of the ladder for its
            usual rungs.
        models: empty for what the settings say.
        queues: of the burst: most tickets between reading and writing.
        words: lengths of tickets.
        repetitions: of each cell.
        warmup: tickets that are asked about before a cell and not counted; None for as many as
            requests may be in flight.
        tickets: how many are asked about in a repetition.
        file: where they come from; None for made-up ones.
        gold: a file with the right labels; None when nobody judges.
        seed: decides which tickets, and the order of the cells.

    Raises:
        SettingsError: two things do not go together.
    """

    shapes: tuple[Shape, ...] = (Shape.SWEEP,)
    batch_sizes: tuple[int, ...] = DEFAULT_BATCH_SIZES
    pack: bool | None = None
    concurrency: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    queues: tuple[int, ...] = DEFAULT_QUEUES
    words: tuple[int, ...] = DEFAULT_WORDS
    repetitions: int = DEFAULT_REPETITIONS
    warmup: int | None = None
    tickets: int = DEFAULT_TICKETS
    file: str | None = None
    gold: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check what goes together."""
        largest = max(self.batch_sizes)
        if self.pack and largest > MAX_PACK_SIZE:
            raise SettingsError(
                f"--batch-sizes: {largest} tickets are too many for one request; with --pack use "
                f"{MAX_PACK_SIZE} at most"
            )
        if Shape.LENGTH in self.shapes and (self.gold is not None or self.file is not None):
            named = "--tickets FILE" if self.gold is None else "--gold"
            raise SettingsError(
                f"--shape length makes up its own tickets, so {named} does not go with it; leave "
                "it out, or name other shapes: --shape sweep,ladder,burst,stream"
            )
        if self.file == self.gold == STDIN:
            raise SettingsError("standard input (-) can be read only once: name a file for --gold")


class BenchJob(Struct, frozen=True):
    """Everything a bench takes from outside.

    Attributes:
        request: what is measured.
        loaded: settings and where they were set.
        environ: the environment.
        places: the user's directories.
        stdin: bytes of `-`; None when it is closed.
        watch: returns the watcher of one measurement, given its name and its tally.
        approve: called before anything is sent to a real provider, with what it will cost; raises
            to refuse.
        keep: called with what is known so far after each repetition, in a thread; may raise
            OutputError, which ends the bench.
        notices: collects warnings from everywhere.
        secrets: learns every key that is not in the environment, so that nobody shows it.
        run_id: tells this bench from all other runs; in UTC order.
        command: the words of the command line, for the run history; empty keeps it out of it.
    """

    request: BenchRequest
    loaded: Loaded
    environ: Mapping[str, str]
    places: Places
    stdin: BinaryIO | None
    watch: Callable[[str, Tally], Watcher]
    approve: Callable[[Expected], None]
    keep: Callable[[BenchReport], None]
    notices: Notices = field(default_factory=Notices)
    secrets: LearnedSecrets = field(default_factory=LearnedSecrets)
    run_id: str = field(default_factory=new_run_id)
    command: Sequence[str] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the files that are read; none when tickets are made up."""
        names = (self.request.file, self.request.gold)
        return tuple(dict.fromkeys(name for name in names if name is not None))


def numbers(text: str, flag: str, least: int, most: int) -> tuple[int, ...]:
    """Return the whole numbers in a text such as `1,10,50`, ascending, each once.

    Raises:
        SettingsError: a part is none, or out of range; the message names `flag`.
    """
    parts = [part.strip() for part in text.split(",")]
    is_number = [part.isascii() and part.isdecimal() and len(part) <= _MAX_DIGITS for part in parts]
    found = {int(part) for part in parts} if all(is_number) else set()
    if not found or min(found) < least or max(found) > most:
        raise SettingsError(
            f"{flag}: {text!r} does not fit; use whole numbers from {least:,} to {most:,} with "
            "commas between them"
        )
    return tuple(sorted(found))


def shapes(text: str) -> tuple[Shape, ...]:
    """Return the shapes in a text such as `sweep,ladder`, in the order given; `all` for all.

    Raises:
        SettingsError: a part is no shape.
    """
    parts = [part.strip().lower() for part in text.split(",")]
    if "all" in parts:
        return tuple(Shape)
    try:
        return tuple(dict.fromkeys(Shape(part) for part in parts))
    except ValueError:
        names = ", ".join(Shape)
        raise SettingsError(f"--shape: {text!r} is none of {names}, all") from None


def model_names(text: str) -> tuple[str, ...]:
    """Return the names in a text such as `gpt-5-mini,gpt-5`, each once.

    Raises:
        SettingsError: a name is missing between commas.
    """
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise SettingsError(f"--models: {text!r} lacks a name; write them like this: small,large")
    return tuple(dict.fromkeys(names))

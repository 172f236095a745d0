"""What a `tune` takes from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from msgspec import Struct, field

from inference_forge.app.job import new_run_id
from inference_forge.app.notices import Notices
from inference_forge.app.packing import MIN_PACK_SIZE
from inference_forge.app.secrets import LearnedSecrets
from inference_forge.core.packing.prompt import MAX_PACK_SIZE
from inference_forge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inference_forge.app.job import Watcher
    from inference_forge.app.places import Places
    from inference_forge.jobs.tune.forecast import Forecast
    from inference_forge.observe.tally import Tally
    from inference_forge.settings import Loaded

DEFAULT_SIZES: Final = (5, 10, 20, 50)
DEFAULT_SAMPLE: Final = 200
"""The least, rounded, with which a size can pass at a tolerance of two points: 183 tickets without
any disagreement."""

DEFAULT_TOLERANCE: Final = 0.02


class TuneJob(Struct, frozen=True):
    """Everything `tune` takes from outside.

    Attributes:
        inputs: paths, or `-` for stdin; at least one.
        loaded: settings and where they were set; what they say about packing, samples, results
            and a fallback does not count.
        environ: the environment.
        places: the user's directories.
        stdin: bytes of `-`; None when it is closed.
        watch: returns the watcher of one pass, given its name and its tally.
        approve: called with what it will cost before anything is sent; raises to refuse.
        notices: collects warnings from everywhere.
        secrets: learns every key that is not in the environment, so that nobody shows it.
        sample: the most tickets to ask about.
        seed: decides which, and how they are put together.
        sizes: pack sizes to measure, ascending.
        tolerance: share of tickets that may differ beyond the model's own disagreement.
        gold: file with the right labels of some tickets; None for none.
        gold_columns: its columns by the name of the field, or of the inputs' id column.
        run_id: tells this tune from all other runs; in UTC order.
        command: the words of the command line, for the run history; empty keeps it out of it.

    Raises:
        SettingsError: a size is none, or the tolerance is not between 0 and 1.
    """

    inputs: Sequence[str]
    loaded: Loaded
    environ: Mapping[str, str]
    places: Places
    stdin: BinaryIO | None
    watch: Callable[[str, Tally], Watcher]
    approve: Callable[[Forecast], None]
    notices: Notices = field(default_factory=Notices)
    secrets: LearnedSecrets = field(default_factory=LearnedSecrets)
    sample: int = DEFAULT_SAMPLE
    seed: int = 0
    sizes: tuple[int, ...] = DEFAULT_SIZES
    tolerance: float = DEFAULT_TOLERANCE
    gold: str | None = None
    gold_columns: Mapping[str, str] = field(default_factory=dict)
    run_id: str = field(default_factory=new_run_id)
    command: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.tolerance < 1:
            raise SettingsError(
                f"--tolerance: {self.tolerance:g} is no share above 0 and below 1; 0.02 allows "
                "two more tickets in a hundred to differ"
            )
        if self.sample < 1:
            raise SettingsError(f"--sample: {self.sample} tickets are no sample; use 1 or more")


def pack_sizes(text: str) -> tuple[int, ...]:
    """Return the pack sizes in a text such as `5,10,20`, ascending, each once.

    Raises:
        SettingsError: a part is no size.
    """
    parts = [part.strip() for part in text.split(",")]
    sizes = {int(part) for part in parts if part.isascii() and part.isdecimal()}
    if not all(part.isascii() and part.isdecimal() for part in parts) or not all(
        MIN_PACK_SIZE <= size <= MAX_PACK_SIZE for size in sizes
    ):
        raise SettingsError(
            f"--pack-sizes: {text!r} are no sizes; use {MIN_PACK_SIZE} to {MAX_PACK_SIZE} with "
            "commas between them, such as 5,10,20"
        )
    return tuple(sorted(sizes))

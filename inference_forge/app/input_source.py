"""From the names of inputs to the rows that are wanted of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_forge.adapters.sources import (
    ChainedSource,
    PreparedSource,
    RangeSource,
    SampledSource,
    open_source,
)
from inference_forge.app.places import STDIN
from inference_forge.core.columns import resolve_column
from inference_forge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from inference_forge.adapters.sources import FileSource
    from inference_forge.app.inputs import Input
    from inference_forge.core.preparation import Preparation
    from inference_forge.ports import TicketSource
    from inference_forge.settings import Settings


def open_input(input_: Input, settings: Settings, stdin: BinaryIO | None) -> TicketSource:
    """Return the rows of an input that the settings ask for.

    Raises:
        UsageError: a setting does not fit, or no text column was found.
        InputError: the input cannot be read.
    """
    preparation = _preparation(settings)

    def open_one(name: str) -> TicketSource:
        source = open_with(
            settings,
            name,
            stdin,
            id_column=settings.id_column,
            tenant_column=settings.tenant_column,
            context_columns=settings.context_column,
            keeps_lines=preparation is not None and preparation.needs_lines,
        )
        if len(input_.names) == 1:  # of several one may have what another lacks
            _check_names(source, (*settings.keep, *settings.drop))
        return source

    names = input_.names
    source = open_one(names[0]) if len(names) == 1 else _chained(names, open_one)
    if settings.offset or settings.limit is not None:
        source = RangeSource(source, offset=settings.offset, limit=settings.limit)
    if settings.sample is not None:
        source = SampledSource(source, size=settings.sample, seed=settings.seed)
    return source if preparation is None else PreparedSource(source, preparation)


def _preparation(settings: Settings) -> Preparation | None:
    """Return what is done to texts before sending; None when nothing is."""
    if not settings.clean and not settings.redact and settings.max_ticket_chars is None:
        return None
    # With patterns by the dozen, which take a while to compile.
    from inference_forge.core.preparation import Preparation  # noqa: PLC0415

    return Preparation(
        clean=frozenset(settings.clean),
        redact=frozenset(settings.redact),
        max_chars=settings.max_ticket_chars,
        on_long=settings.on_long,
    )


def open_with(settings: Settings, name: str, stdin: BinaryIO | None, **columns: Any) -> FileSource:
    """Return the rows of one file, read as the settings say.

    Arguments:
        settings: its format, encoding, delimiter, header, sheet and columns of text.
        name: a path, or `-`.
        stdin: what `-` means.
        columns: what else `open_source` takes.

    Raises:
        UsageError: a setting does not fit, or no text column was found.
        InputError: the input cannot be read.
    """
    return open_source(
        name,
        stdin=stdin,
        input_format=settings.input_format,
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        has_header=not settings.no_header,
        sheet=settings.sheet,
        text_columns=settings.text_column,
        **columns,
    )


def _check_names(source: FileSource, wanted: Sequence[str]) -> None:
    """Refuse a name that no row has, where that is known before anything is sent.

    Of a table the sink sees it, because of all its inputs; of objects that come later, at the end.
    """
    if source.columns is not None or source.names is None:
        return
    try:
        for name in wanted:
            resolve_column(source.names, name)
    except UsageError:
        source.close()
        raise


def _chained(names: Sequence[str], open_one: Callable[[str], TicketSource]) -> TicketSource:
    return ChainedSource(names, open_one, [_size(name) for name in names])


def _size(name: str) -> int | None:
    """Return the bytes of a file, None for what can be read only once."""
    path = Path(name)
    return path.stat().st_size if name != STDIN and path.is_file() else None

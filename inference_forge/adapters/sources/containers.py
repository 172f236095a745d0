"""Formats that are read from a seekable file: known by their first bytes, opened when needed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

from inference_forge.adapters.arrow_cells import require_pyarrow
from inference_forge.errors import InputError

if TYPE_CHECKING:
    from inference_forge.adapters.sources.bytestream import ByteStream
    from inference_forge.adapters.sources.source import FileSource
    from inference_forge.adapters.sources.wanted import WantedColumns


class Container(StrEnum):
    """A format whose parts are found from its end."""

    XLSX = "xlsx"
    PARQUET = "parquet"


_EXTENSIONS = {
    **dict.fromkeys(("xlsx", "xlsm", "xltx", "xltm", "xls"), Container.XLSX),
    **dict.fromkeys(("parquet", "pq"), Container.PARQUET),
}
_ZIP_MAGIC = b"PK\x03\x04"  # APPNOTE.TXT, section 4.3.7
_PARQUET_MAGICS = (b"PAR1", b"PARE")  # plain, and with an encrypted footer
_GZIP_MAGIC = b"\x1f\x8b"


def container_of(stream: ByteStream, path: str, input_format: str | None) -> Container | None:
    """Return the container that an input is; None for text.

    The first bytes count more than the extension: exports are often misnamed.

    Arguments:
        stream: the input; nothing is consumed.
        path: as the user named it.
        input_format: what the user says it is; None to find out.

    Raises:
        InputError: it is a packed file of another kind.
        UsageError: it is a workbook and comes from a pipe.
    """
    if input_format is not None:
        return named_container(input_format)
    name = PurePath(path)
    named = named_container(name.suffix)
    if name.suffix.casefold() == ".gz" and named_container(PurePath(name.stem).suffix):
        raise InputError("is packed with gzip: unpack it first (gunzip)", path=path)
    head = stream.first_bytes()
    if head in _PARQUET_MAGICS:
        return Container.PARQUET
    if head == _ZIP_MAGIC and named is not Container.XLSX:
        from inference_forge.adapters.sources.xlsx_package import is_workbook  # noqa: PLC0415

        if is_workbook(stream.seekable_file()):
            return Container.XLSX
    if named is not None and head[:2] == _GZIP_MAGIC:
        raise InputError("is packed with gzip: unpack it first (gunzip)", path=stream.name)
    return named


def named_container(extension: str) -> Container | None:
    """Return the container that an extension, or a format's name, stands for."""
    return _EXTENSIONS.get(extension.casefold().removeprefix("."))


def open_container(
    stream: ByteStream, container: Container, *, sheet: str | None, wanted: WantedColumns
) -> FileSource:
    """Open a workbook or a Parquet file; what reads it is only imported here.

    Arguments:
        stream: the file; closed with the source.
        container: its format.
        sheet: name of the sheet, for workbooks; None for the first that is not blank.
        wanted: the columns the user named.

    Raises:
        UsageError: it is a pipe, an extra is not installed, or a named column does not exist.
        InputError: it cannot be read.
    """
    if container is Container.XLSX:
        from inference_forge.adapters.sources.xlsx_rows import open_xlsx  # noqa: PLC0415

        return open_xlsx(stream, sheet=sheet, wanted=wanted)
    require_pyarrow()
    from inference_forge.adapters.sources.parquet_rows import open_parquet  # noqa: PLC0415

    return open_parquet(stream, wanted=wanted)

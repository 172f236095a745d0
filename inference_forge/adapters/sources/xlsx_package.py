"""An XLSX file as a package of parts: opened, checked, and parsed a piece at a time."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING
from xml.parsers import expat

from inference_forge.errors import InputError
from inference_forge.ports import ReadProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from inference_forge.adapters.sources.bytestream import ByteStream

ZIP_MAGIC = b"PK\x03\x04"  # APPNOTE.TXT, section 4.3.7
OLE_MAGIC = b"\xd0\xcf\x11\xe0"  # [MS-CFB], section 2.2: .xls, and any file under a password

_CHUNK_BYTES = 256 * 1024
# Text in XML packs to a tenth; Apache POI's ZipSecureFile draws the line at a hundredth too.
_MAX_RATIO = 100
_NEVER_A_BOMB_BYTES = 64 * 1024 * 1024
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # [MS-OFFCRYPTO], section 2.3.4.4
_SEARCHED_BYTES = 16 * 1024 * 1024
_IS_ENCRYPTED_FLAG = 0x1


class Package:
    """The parts of one file.

    Arguments:
        stream: the file; closed with the package.

    Raises:
        InputError: it is no ZIP archive, or a damaged one.
        UsageError: it comes from a pipe.
    """

    is_live = False

    def __init__(self, stream: ByteStream) -> None:
        self.path = stream.name
        self._stream = stream
        file = stream.seekable_file()
        _check_magic(file, self.path)
        with translated(self.path):
            self._archive = zipfile.ZipFile(file)
        self._parts = {
            _plain_name(info.filename): info
            for info in self._archive.infolist()
            if not info.is_dir()
        }
        self._share_read = 0.0
        self._closing = ExitStack()
        self._closing.callback(stream.close)
        self._closing.callback(self._archive.close)

    def close_with(self, close: Callable[[], None]) -> None:
        """Call `close` when the package is closed."""
        self._closing.callback(close)

    def has(self, part: str) -> bool:
        """Return whether there is a part of this name."""
        return _plain_name(part) in self._parts

    def parse(
        self,
        part: str,
        *,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
        is_progress: bool = False,
    ) -> Iterator[None]:
        """Parse a part's XML; yields after each piece, so that what was found can be used.

        Names of elements come without their namespace's prefix.

        Arguments:
            part: name of the part.
            start: takes an element's name and attributes.
            end: takes an element's name at its end.
            text: takes text between tags.
            is_progress: whether this part is what `progress` is about.

        Raises:
            InputError: the part is missing, damaged, packed beyond reason or no XML.
        """
        info = self._checked(part)
        parser = expat.ParserCreate()
        parser.buffer_text = True
        locals_ = _LocalNames()
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = lambda name, attributes: start(locals_[name], attributes)
        if end is not None:
            at_end = end
            parser.EndElementHandler = lambda name: at_end(locals_[name])
        if text is not None:
            parser.CharacterDataHandler = text
        with translated(self.path, part):
            stream: IO[bytes] = self._archive.open(info)
        with stream:
            yield from self._fed(parser, stream, part, info.file_size if is_progress else 0)

    def progress(self) -> ReadProgress:
        """Return the share of the sheet that was read, in bytes of the file as stored."""
        total = self._stream.bytes_total or 0
        return ReadProgress(int(total * self._share_read), total)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._closing.close()

    def _fed(
        self, parser: expat.XMLParserType, stream: IO[bytes], part: str, total: int
    ) -> Iterator[None]:
        """Feed the parser; with a `total` also keep the share that was read."""
        done = 0
        while True:
            with translated(self.path, part):
                chunk = stream.read(_CHUNK_BYTES)
                parser.Parse(chunk, not chunk)
            done += len(chunk)
            if total:
                self._share_read = min(done / total, 1.0)
            yield
            if not chunk:
                return

    def _checked(self, part: str) -> zipfile.ZipInfo:
        """Return a part's entry after a look at what it claims."""
        info = self._parts.get(_plain_name(part))
        if info is None:
            raise InputError(
                f"the workbook lacks its part {part}: open it in Excel, save it again",
                path=self.path,
            )
        if info.flag_bits & _IS_ENCRYPTED_FLAG:
            raise InputError("is protected by a password: save it without one", path=self.path)
        # zipfile never unpacks more than the entry claims, so that the claim can be relied on.
        if info.file_size > max(_NEVER_A_BOMB_BYTES, _MAX_RATIO * info.compress_size):
            raise InputError(
                f"its part {part} unpacks to {info.file_size:,} bytes from "
                f"{info.compress_size:,}, which no ticket export does; it is not read",
                path=self.path,
            )
        return info

    def _refuse_doctype(self, *_: object) -> None:
        """Refuse definitions of entities, which can blow up and which no workbook has."""
        raise InputError("holds a DOCTYPE, which no workbook has; it is not read", path=self.path)


class _LocalNames(dict[str, str]):
    """Names of elements without prefix, worked out once each."""

    def __missing__(self, name: str) -> str:
        local = name.rpartition(":")[2]
        if len(self) < 1_000:  # noqa: PLR2004 - a format has few names; a hostile file has any
            self[name] = local
        return local


def joined(base: str, target: str) -> str:
    """Return the part that a relationship of the part `base` names."""
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(base), target)).lstrip("/")


@contextmanager
def translated(path: str, part: str | None = None) -> Iterator[None]:
    """Turn what can go wrong inside an archive into an `InputError`."""
    where = f"its part {part} " if part else ""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
        raise InputError(
            f"{where}is torn or damaged ({exc}): fetch the file again", path=path
        ) from exc
    except expat.ExpatError as exc:
        raise InputError(
            f"{where}is damaged ({exc}): open the workbook in Excel, save it again", path=path
        ) from exc
    except (NotImplementedError, RuntimeError) as exc:
        raise InputError(f"{where}cannot be unpacked: {exc}", path=path) from exc
    except (OSError, ValueError) as exc:
        raise InputError(f"{where}cannot be read: {exc}", path=path) from exc


def is_workbook(file: BinaryIO) -> bool:
    """Return whether a ZIP archive is an Excel workbook; leaves the file at its beginning."""
    try:
        names = {_plain_name(name) for name in zipfile.ZipFile(file).namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    finally:
        file.seek(0)
    return "[content_types].xml" in names and any(name.startswith("xl/") for name in names)


def _check_magic(file: BinaryIO, path: str) -> None:
    """Say what a file is that is no ZIP archive."""
    with translated(path):
        head = file.read(len(ZIP_MAGIC))
        if head != ZIP_MAGIC:
            head += file.read(_SEARCHED_BYTES)
        file.seek(0)
    if head == ZIP_MAGIC:
        return
    if head.startswith(OLE_MAGIC):
        if _ENCRYPTED in head:
            reason = "is protected by a password: open it in Excel and save it without one"
        else:
            reason = "is in the old Excel format (.xls): open it and save it as .xlsx"
    elif not head.strip():
        reason = "is empty"
    elif b"<html" in head[:4096].lower() or b"<table" in head[:4096].lower():
        reason = "is no Excel workbook but a web page: open it in Excel and save it as .xlsx"
    else:
        reason = (
            "is no Excel workbook; if it is text, say so with --input-format csv, "
            "else open it in Excel and save it as .xlsx"
        )
    raise InputError(reason, path=path)


def _plain_name(name: str) -> str:
    """Return a part's name as it is compared: some writers use backslashes or other case."""
    return name.replace("\\", "/").lstrip("/").casefold()

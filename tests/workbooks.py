"""Make XLSX files for tests: by openpyxl, or part by part when openpyxl would not."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import openpyxl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_NAMESPACES = (
    f'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{_RELATION}"'
)


def save(path: Path, sheets: Mapping[str, Iterable[Sequence[Any]]]) -> Path:
    """Write a workbook with these sheets of rows."""
    book = openpyxl.Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def relations(*kinds_and_targets: tuple[str, str]) -> str:
    """Return a part that relates others, with ids `r1`, `r2`, ..."""
    inner = "".join(
        f'<Relationship Id="r{n}" Type="{_RELATION}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(kinds_and_targets, 1)
    )
    return f"<Relationships>{inner}</Relationships>"


def parts(
    rows: str, *, strings: str = "", styles: str = "", book: str = "", prefix: str = ""
) -> dict[str, str]:
    """Return the parts of a workbook with one sheet, of XML written by hand.

    Arguments:
        rows: what is inside `sheetData`.
        strings: what is inside `sst`.
        styles: what is inside `styleSheet`.
        book: attributes of `workbookPr`.
        prefix: before the names of the sheet's frame, for example `x:`.
    """
    x = prefix
    return {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations(("officeDocument", "/xl/workbook.xml")),
        "xl/workbook.xml": f"<workbook {_NAMESPACES}><workbookPr {book}/><sheets>"
        '<sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            ("worksheet", "worksheets/sheet1.xml"),
            ("sharedStrings", "sharedStrings.xml"),
            ("styles", "styles.xml"),
        ),
        "xl/worksheets/sheet1.xml": f"<{x}worksheet {_NAMESPACES} xmlns:x='y'><{x}sheetData>"
        f"{rows}</{x}sheetData></{x}worksheet>",
        "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
        "xl/styles.xml": f"<styleSheet>{styles}</styleSheet>",
    }


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP archive of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()

"""Cells that come from a format in which text is never run as a formula."""

from __future__ import annotations


class ForeignCells:
    """Marks cells of workbooks and Parquet files.

    In a CSV file a text such as `=1+1` becomes a formula when a spreadsheet opens it, which it was
    not where it came from: tables guard these cells as they guard added ones.
    """

    __slots__ = ()


class SheetCells(ForeignCells, list[str]):
    """The cells of a workbook's row."""

    __slots__ = ()

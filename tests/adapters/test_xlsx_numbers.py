"""Numbers of a workbook as text: plain, dates, times, leading zeros."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.adapters.sources.xlsx_numbers import (
    GENERAL,
    built_in_format,
    number_text,
    read_format,
)

DATE = read_format("yyyy-mm-dd hh:mm:ss")


def shown(text: str, code: str = "General", *, is_1904: bool = False) -> str:
    """Return a number as it is read under a format code."""
    return number_text(text, read_format(code), is_1904=is_1904)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("7", "7"),
        ("-7", "-7"),
        ("7.0", "7"),
        ("0", "0"),
        ("12.50", "12.5"),
        ("0.30000000000000004", "0.3"),
        ("1E-7", "0.0000001"),
        ("1.5E+3", "1500"),
        ("1E-300", "1E-300"),
        ("1E+300", "1E+300"),
        ("0E+300", "0"),
        ("1.2345678901234568E+19", "12345678901234568000"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("INF", "INF"),
        ("what", "what"),
    ],
)
def test_numbers_read_as_excel_shows_them(written: str, read: str) -> None:
    """No `.0`, no noise behind the 15th digit, no exponent where digits do."""
    assert shown(written) == read


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_keeps_fifteen_digits(value: float) -> None:
    """What is shown is the number."""
    assert float(shown(repr(value))) == pytest.approx(value, rel=1e-14, abs=0)


@pytest.mark.parametrize(
    ("serial", "code", "read"),
    [
        ("46024", "dd.mm.yyyy", "2026-01-02"),
        ("46024.127835648148", "dd.mm.yyyy hh:mm", "2026-01-02T03:04:05"),
        ("46024.5", "yyyy-mm-dd", "2026-01-02T12:00:00"),
        ("46024", "m/d/yy h:mm", "2026-01-02T00:00:00"),
        ("46024", "mmm", "2026-01-02"),
        ("0.17013888888", "h:mm", "04:05:00"),
        ("1.17013888888", "h:mm", "1900-01-01T04:05:00"),
        ("0.5000001", "hh:mm:ss.000", "12:00:00.009"),
        ("1.0833333333", "[h]:mm", "26:00:00"),
        ("46023.99999999999", "yyyy-mm-dd hh:mm", "2026-01-02T00:00:00"),
        ("1", "yyyy", "1900-01-01"),
        ("59", "yyyy", "1900-02-28"),
        ("60", "yyyy", "1900-02-29"),
        ("61", "yyyy", "1900-03-01"),
        ("0", "yyyy", "0"),
        ("2958465", "yyyy", "9999-12-31"),
        ("2958466", "yyyy", "2958466"),
        ("-1", "yyyy", "-1"),
        ("soon", "yyyy", "soon"),
    ],
)
def test_dates_are_iso(serial: str, code: str, read: str) -> None:
    """Days are counted from 1900, with the leap day that there was none."""
    assert shown(serial, code) == read


def test_old_macs_count_from_1904() -> None:
    """The workbook says so; what lies beyond year 9999 is no date."""
    assert shown("0", "yyyy", is_1904=True) == "1904-01-01"
    assert shown("2958465", "yyyy", is_1904=True) == "2958465"


@pytest.mark.parametrize(
    "code",
    [
        "0.00",
        "#,##0 [$€-407]",
        '0 "days"',
        "0\\d",
        "[Red]0;[Blue]-0",
        "@",
        "0.00E+00",
        "General",
        "",
    ],
)
def test_a_format_of_numbers_is_no_date(code: str) -> None:
    """Letters in quotes, colours and currencies are not parts of a date."""
    assert shown("46024", code) == "46024"


@pytest.mark.parametrize("code", ["[$-409]d-mmm-yy;@", 'yyyy"Y"', "[Red]dd/mm/yyyy"])
def test_a_date_may_carry_decoration(code: str) -> None:
    """Locales, colours and literal text do not hide a date."""
    assert shown("46024", code) == "2026-01-02"


def test_leading_zeros_and_prefixes_are_part_of_an_id() -> None:
    """Excel shows 42 as T-00042 where the format says so."""
    assert shown("42", "00000") == "00042"
    assert shown("42", '"T-"00000"/x"') == "T-00042/x"
    assert shown("-42", "00000") == "-42"
    assert shown("4.5", "00000") == "4.5"


@pytest.mark.parametrize(
    ("number", "read"),
    [
        ("14", "2026-01-02"),
        ("22", "2026-01-02T00:00:00"),
        ("30", "2026-01-02"),
        ("46", "1104576:00:00"),
    ],
)
def test_some_formats_are_dates_without_a_definition(number: str, read: str) -> None:
    """Excel knows them by number."""
    known = built_in_format(number)
    assert known is not None
    assert number_text("46024", known, is_1904=False) == read


@pytest.mark.parametrize("number", ["0", "2", "49", "", "x", "9999999", "²"])
def test_other_formats_are_not(number: str) -> None:
    """Neither are numbers of formats that make no sense."""
    assert built_in_format(number) is None
    assert read_format("0.0") is GENERAL


@given(st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 - as in Excel
def test_every_moment_comes_back(moment: datetime) -> None:
    """To the second, which is what Excel shows."""
    moment = moment.replace(microsecond=0)
    serial = (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001 - as above
    assert number_text(repr(serial), DATE, is_1904=False) == moment.isoformat()

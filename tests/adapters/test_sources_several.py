"""Several inputs as one, and some of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes import ListSource, tickets
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.adapters.sources import (
    ChainedSource,
    RangeSource,
    SampledSource,
    open_source,
)
from inference_forge.errors import UsageError
from inference_forge.models import Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.models import Row
    from inference_forge.ports import TicketSource


def source(count: int) -> ListSource:
    """Return a source of so many tickets; its text is the place in the input."""
    return ListSource(tickets(str(number) for number in range(count)))


def read(of: TicketSource, max_rows: int = 7) -> list[Row]:
    """Return all rows, after looking at their numbers."""
    rows: list[Row] = []
    while block := of.read_block(max_rows):
        assert len(block) <= max_rows
        rows += block
    assert of.read_block(max_rows) == []
    assert [row.index for row in rows] == list(range(len(rows)))
    return rows


def texts(rows: list[Row]) -> list[int]:
    """Return the places in the input."""
    return [int(row.text) for row in rows if isinstance(row, Ticket)]


@given(
    count=st.integers(0, 60),
    offset=st.integers(0, 70),
    limit=st.none() | st.integers(1, 70),
    max_rows=st.integers(1, 20),
)
def test_a_range_is_a_slice(count: int, offset: int, limit: int | None, max_rows: int) -> None:
    """Whatever the blocks."""
    chosen = RangeSource(source(count), offset=offset, limit=limit)
    end = None if limit is None else offset + limit
    assert texts(read(chosen, max_rows)) == list(range(count))[offset:end]


def test_what_comes_after_the_limit_is_not_read() -> None:
    """A pipe may never bring it; progress counts what is wanted."""
    inner = source(100)
    chosen = RangeSource(inner, offset=10, limit=5)
    read(chosen)
    assert inner.at == 15
    assert (chosen.progress().bytes_read, chosen.progress().bytes_total) == (5, 5)
    assert RangeSource(source(9), offset=1).progress().bytes_total == 90


@given(count=st.integers(0, 60), size=st.integers(1, 70), seed=st.integers())
def test_a_sample_has_its_size_and_keeps_the_order(count: int, size: int, seed: int) -> None:
    """And is the same for the same seed."""
    drawn = [texts(read(SampledSource(source(count), size=size, seed=seed))) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == min(size, count)
    assert drawn[0] == sorted(set(drawn[0]))


def test_every_row_has_the_same_chance() -> None:
    """3,000 samples of 5 out of 50: each row 300 times, give or take 6 sigma."""
    counts = [0] * 50
    for seed in range(3000):
        for place in texts(read(SampledSource(source(50), size=5, seed=seed))):
            counts[place] += 1
    assert all(abs(count - 300) < 100 for count in counts)


def test_a_sample_tells_how_far_it_is() -> None:
    """Its size is known once it is drawn."""
    sample = SampledSource(source(50), size=5, seed=0)
    assert sample.progress().bytes_total is None
    sample.read_block(2)
    assert (sample.progress().bytes_read, sample.progress().bytes_total) == (2, 5)


def test_what_is_wrapped_is_passed_on() -> None:
    """Columns, warnings and closing are the source's."""
    inner = source(3)
    chosen = RangeSource(inner)
    assert (chosen.columns, chosen.reading, chosen.warnings) == (None, "text = Body", ())
    assert not chosen.had_bom
    chosen.close()
    assert inner.is_closed


def files(tmp_path: Path, **contents: str) -> list[str]:
    """Write files."""
    for name, content in contents.items():
        (tmp_path / f"{name}.csv").write_text(content)
    return [str(tmp_path / f"{name}.csv") for name in contents]


def chained(names: list[str], sizes: list[int | None] | None = None) -> ChainedSource:
    """Chain files."""
    return ChainedSource(names, open_source, sizes or [10] * len(names))


def test_inputs_follow_each_other(tmp_path: Path) -> None:
    """Rows are numbered through; empty inputs are passed over."""
    names = files(tmp_path, a="id,text\n1,x\n2,y\n", b="id,text\n", c="id;text\n3;z\n")
    joined = chained(names)
    assert joined.columns == ("id", "text")
    assert joined.reading == "text = text; id = id"
    assert [row.text for row in read(joined, 2) if isinstance(row, Ticket)] == ["x", "y", "z"]
    assert joined.progress().bytes_total == 30
    joined.close()


def test_progress_counts_all_files(tmp_path: Path) -> None:
    """What was read of those before, and of the present one."""
    names = files(tmp_path, a="text\nx\n", b="text\ny\n")
    joined = chained(names, [7, 7])
    read(joined)
    assert joined.progress().bytes_read == 14
    joined.close()
    piped = chained(names, [7, None])
    assert piped.progress().bytes_total is None
    piped.close()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("id,body\n", "lacks the column 'text' of"),
        ("id,text,more\n", "has the column 'more', unlike"),
        ("text,id\n", "has its columns in another order than"),
    ],
)
def test_other_columns_are_refused_before_anything_is_sent(
    tmp_path: Path, header: str, said: str
) -> None:
    """The message names the file and the difference."""
    names = files(tmp_path, a="id,text\n1,x\n", b=header)
    with pytest.raises(UsageError, match=rf"b\.csv: {said}"):
        chained(names)


def test_tables_and_objects_do_not_mix(tmp_path: Path) -> None:
    """One results file has one kind of row."""
    names = files(tmp_path, a="id,text\n1,x\n")
    (tmp_path / "b.jsonl").write_text('{"text":"y"}\n')
    with pytest.raises(UsageError, match="is not of the same kind"):
        chained([*names, str(tmp_path / "b.jsonl")])


def test_warnings_of_all_inputs_are_kept(tmp_path: Path) -> None:
    """Also those of inputs that are closed already."""
    names = files(tmp_path, a="title\nx\n", b="title\ny\n")
    joined = chained(names)
    read(joined)
    assert [warned.code for warned in joined.warnings] == ["title_only"]
    joined.close()

"""Documents with more than one list that may hold the tickets, or nested beyond reason."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import pytest

from inference_forge.adapters.sources import open_source
from inference_forge.adapters.sources.json_scanner import MAX_SKIPPED_DEPTH
from inference_forge.errors import InputError
from inference_forge.models import Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.adapters.sources import FileSource

TICKET = '{"id":1,"text":"a"}'


def texts(data: str) -> list[str]:
    """Return the texts of a document on standard input."""
    return drained(open_source("-", stdin=io.BytesIO(data.encode()), input_format="json"))


def drained(source: FileSource) -> list[str]:
    """Return the texts of all tickets and close the source."""
    found: list[str] = []
    with contextlib.closing(source):
        while block := source.read_block(100):
            found += [row.text for row in block if isinstance(row, Ticket)]
    return found


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (f'{{"data":[],"tickets":[{TICKET}]}}', ["a"]),
        (f'{{"tickets":[{TICKET}],"data":[]}}', ["a"]),
        (f'{{"result":{{"items":[]}},"n":[[]],"value":[{TICKET}]}}', ["a"]),
        (f'{{"result":{{"items":[{TICKET}],"a":1}},"b":[1]}}', ["a"]),
        (f'{{"items":[{TICKET}],"value":[1,[2]],"data":{{"x":[3]}}}}', ["a"]),
        ('{"data":[],"tickets":[ ]}', []),
        ('{"result":{"items":[]}}', []),
    ],
)
def test_the_list_that_is_not_empty_is_read(document: str, expected: list[str]) -> None:
    """Servers leave lists empty that are not asked for."""
    assert texts(document) == expected


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            f'{{"issues":[{TICKET}],\n"tickets":[{TICKET}]}}',
            "line 2, column 12: a list named 'tickets' behind the one named 'issues': only one",
        ),
        (f'{{"tickets":[{TICKET}],"tickets":["b"]}}', "a second list named 'tickets': only one"),
        (f'{{"result":{{"items":[{TICKET}]}},"data":["b"]}}', "a list named 'data' behind the one"),
        (f'{{"items":[{TICKET}],"data":{{"nodes":["b"]}}}}', "a list named 'nodes' behind the"),
    ],
)
def test_a_second_list_is_an_error_before_anything_is_sent(
    tmp_path: Path, document: str, message: str
) -> None:
    """Which one was meant is not for forge to guess, and no ticket may be left out unseen."""
    path = tmp_path / "in.json"
    path.write_text(document)
    with pytest.raises(InputError) as caught:
        open_source(str(path))
    assert message in str(caught.value)
    with pytest.raises(InputError):
        texts(document)


def test_a_second_list_far_behind_is_an_error_too(tmp_path: Path) -> None:
    """The rows before it come out first, as before any damage."""
    path = tmp_path / "in.json"
    path.write_text('{"tickets":[' + ",".join([TICKET] * 5_000) + '],"data":["b"]}')
    source = open_source(str(path))
    with contextlib.closing(source):
        assert sum(len(source.read_block(500)) for _ in range(10)) == 5_000
        with pytest.raises(InputError, match="a list named 'data'"):
            source.read_block(500)


@pytest.mark.parametrize("before", ["", '{"x":', '{"tickets":[[],'])
def test_a_document_that_nests_without_end_is_given_up_early(before: str) -> None:
    """Looking for the end of 16 MB of brackets took half a minute."""
    read = 0

    class Endless(io.RawIOBase):
        """Opens one bracket after another."""

        def readable(self) -> bool:
            """Return True."""
            return True

        def read(self, size: int = -1, /) -> bytes:
            """Return brackets."""
            nonlocal read
            read += size
            return before.encode() + b"[" * size if read == size else b"[" * size

    with pytest.raises(InputError, match=r"nest deeper than 10,240 levels.*no list of tickets"):
        drained(open_source("-", stdin=Endless(), input_format="json"))  # type: ignore[arg-type]
    assert read < 1 << 20


def test_a_row_that_nests_too_deep_costs_that_row() -> None:
    """What can be passed over is."""
    deep = "[" * (MAX_SKIPPED_DEPTH - 1) + "]" * (MAX_SKIPPED_DEPTH - 1)
    assert texts(f'[{TICKET},{deep},"b"]') == ["a", "b"]

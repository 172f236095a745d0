"""Events out of bodies that are cut anywhere: html.spec.whatwg.org, section 9.2.6."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.adapters.http.events import EventParser, EventTooLargeError, ServerEvent


def parse(*chunks: bytes, most: int = 1000) -> list[ServerEvent]:
    """Return the events in a body that arrives as these chunks."""
    parser = EventParser(most)
    return [event for chunk in chunks for event in parser.feed(chunk)]


def event(data: bytes, name: str = "") -> ServerEvent:
    """Return an event."""
    return ServerEvent(name, data)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", [event(b"a"), event(b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [event(b"a"), event(b"b")]),
        (b"data: a\r\rdata: b\r\r", [event(b"a"), event(b"b")]),
        (b"data: a\r\n\rdata: b\n\r\n", [event(b"a"), event(b"b")]),
        (b"event: ping\ndata: {}\n\n", [event(b"{}", "ping")]),
        (b"data: one\ndata: two\ndata\ndata:three\n\n", [event(b"one\ntwo\n\nthree")]),
        (b": a comment\n:\ndata: a\n: another\n\n", [event(b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [event(b"a")]),
        (b"\n\xef\xbb\xbfdata: a\n\n", []),
        (b"data:  two spaces\n\n", [event(b" two spaces")]),
        (b"data: a: b\n\n", [event(b"a: b")]),
        (b"data\n\n", [event(b"")]),
        (b"id: 1\nretry: 10\nodd: x\nodd\ndata: a\n\n", [event(b"a")]),
        (b"event: gone\n\ndata: a\n\n", [event(b"a")]),
        (b" data: a\n\nDATA: b\n\n", []),
        (b"data: never ended", []),
        (b"data: never ended\n", []),
        (b"\n\n\r\n\r", []),
        (b"event: \xff\ndata: \xff\n\n", [event(b"\xff", "\N{REPLACEMENT CHARACTER}")]),
        (b"", []),
    ],
)  # fmt: skip
def test_a_body_gives_its_events_wherever_it_is_cut(
    body: bytes, expected: list[ServerEvent]
) -> None:
    """Whole, in two at every byte, and byte by byte, with nothing in between."""
    assert parse(body) == expected
    for cut in range(len(body) + 1):
        assert parse(body[:cut], b"", body[cut:]) == expected
    assert parse(*(body[n : n + 1] for n in range(len(body)))) == expected


LINES = st.sampled_from(
    [b"data: a", b"data", b"data:", b"event: x", b": comment", b"id: 1", b"\xef\xbb\xbf", b"", b"z"]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
BODIES = st.lists(st.tuples(LINES, ENDS), max_size=12).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(body=BODIES | st.binary(max_size=40), cuts=st.lists(st.integers(0, 150), max_size=8))
def test_cuts_change_nothing(body: bytes, cuts: list[int]) -> None:
    """Also of bodies that are no streams."""
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    assert parse(*(body[a:b] for a, b in itertools.pairwise(edges))) == parse(body)


@given(data=st.lists(st.binary(max_size=20).filter(lambda b: not set(b) & {10, 13}), min_size=1))
def test_data_comes_out_as_it_went_in(data: list[bytes]) -> None:
    """Whatever it holds besides the ends of lines."""
    body = b"".join(b"data: " + line + b"\n" for line in data) + b"\n"
    assert parse(body, most=10_000) == [event(b"\n".join(data))]


@pytest.mark.parametrize(
    "body", [b"data: " + b"x" * 50, b"data: xxx\n" * 6, b":" + b"x" * 60, b"event: " + b"x" * 60]
)
def test_an_event_that_never_ends_is_an_error(body: bytes) -> None:
    """One line or many, also byte by byte: memory is bounded."""
    with pytest.raises(EventTooLargeError):
        parse(body, most=50)
    with pytest.raises(EventTooLargeError):
        parse(body + b"\n\n", most=50) if body.startswith(b"data") else parse(body, most=50)
    with pytest.raises(EventTooLargeError):
        parse(*(body[n : n + 1] for n in range(len(body))), most=50)


def test_only_one_event_must_fit() -> None:
    """Comments, as servers send them to stay awake, and events that are over do not add up."""
    body = (b": still here\n" * 50 + b"data: 0123456789\n\n") * 3
    assert parse(body, most=30) == [event(b"0123456789")] * 3

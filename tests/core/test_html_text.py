"""Reading the text out of HTML."""

from __future__ import annotations

from typing import Any

import pytest
from hostile import repeated
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.html_text import html_to_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div>one<br></div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("a <b>bold</b>\n   word<br>", "a bold word"),
        ("<b>a</b>\nnext line", "a\nnext line"),
        (
            "<p>Tom &amp; Jerry&nbsp;&lt;x&gt; &#8364; &#x20AC; &bogus;</p>",
            "Tom & Jerry <x> € € &bogus;",
        ),
        ("<style>p {color: red}</style><p>seen</p><script>if (a<b) x()</script>", "seen"),
        ("<HEAD><title>t</title></HEAD><p>seen</p>", "seen"),
        ("<p>a</p><!-- <p>hidden</p> --><p>b</p>", "a\n\nb"),
        ("<![if !mso]><p>a</p><![endif]><o:p></o:p>", "a"),
        ("<?xml version='1'?><!DOCTYPE html><html><body>a</body></html>", "a"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a  b\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        (
            "x<blockquote>a<br>b<blockquote>c</blockquote></blockquote>y",
            "x\n\n> a\n> b\n\n> > c\n\ny",
        ),
        ("</blockquote></blockquote>a<br>b", "a\nb"),
        ("<img src='data:image/png;base64,AAAA' alt='a'>", ""),
        ("<a href='https://x.com'>link</a>", "link"),
        ("<p>see <module> and <bob@x.com></p>", "see <module> and <bob@x.com>"),
        ("<p>cut off <a href=", "cut off <a href="),
        ("<p>a</p><!-- never closed", "a\n\n<!-- never closed"),
        ("<p>a</p><style>b<style>c", "a\n\nbc"),
        ("&#99999999999999999999; &amp; &#28;x", "&#99999999999999999999; & x"),
    ],
)
def test_a_reader_sees_the_text(source: str, text: str) -> None:
    """Blocks are lines, quotations are marked, what nobody sees is gone."""
    assert html_to_text(source) == text


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "if a<b and c>d",
        "List<String> and Map<K, V>",
        "From: Bob <bob@example.com>",
        "my <div> does not show",
        "error in <module>: x & y",
        "AT&T, R&D; a && b",
        "1 < 2\n3 > 2",
    ],
)
def test_what_is_no_html_stays(text: str) -> None:
    """A single tag or a bare & is not enough."""
    assert html_to_text(text) == text


def test_entities_alone_are_read_and_lines_stay() -> None:
    """Some exports escape plain text."""
    assert html_to_text("Tom &amp; Jerry\n  say &quot;hi&quot;") == 'Tom & Jerry\n  say "hi"'


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<a ",
        '<a b="',
        "</",
        "<![",
        "<?xml ",
        "<script>",
        "<style><title>",
        "<p",
        "<blockquote><br>",
        "&",
        "&#9",
        "<li>",
        "<a:b ",
        "<br><!--",
    ],
)
def test_hostile_html_takes_linear_time(piece: str) -> None:
    """What is never closed is looked for once."""
    assert len(html_to_text("<br></p>" + repeated(piece))) < 600_000


class Counted(str):
    """A text that counts how often it is searched."""

    __slots__ = ("searches",)

    def find(self, *arguments: Any) -> int:
        """Count, and search."""
        self.searches = getattr(self, "searches", 0) + 1
        return super().find(*arguments)


@pytest.mark.parametrize("piece", ["<!--", "<style>"])
def test_what_is_never_closed_is_looked_for_once(piece: str) -> None:
    """Each search reads to the end."""
    text = Counted("<br>" + piece * 100)
    html_to_text(text)
    assert 1 <= text.searches <= 2


@given(st.text(alphabet="<>/!-&;#abpr td\n\"'", max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    """Nothing raises, and what has no markup is what it was."""
    read = html_to_text(text)
    assert read == text or "<" in text or "&" in text

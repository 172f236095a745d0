"""Trees that become pages and drawings."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.charts.frame import drawing
from inference_forge.core.charts.markup import as_html, as_svg, node


class Seen(HTMLParser):
    """Notes tags and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


@given(text=st.text(), name=st.text())
def test_no_text_becomes_markup(text: str, name: str) -> None:
    """Neither as a text, nor behind an element, nor as an attribute."""
    page = node("p", text, node("b", text), text, title=name)
    seen = Seen()
    seen.feed(as_html(node("div", page)).split("\n", 1)[1])
    assert seen.tags == ["div", "p", "b"]
    assert [key for key, _ in seen.attributes] == ["title"]


def test_what_a_terminal_or_browser_acts_on_is_taken_out() -> None:
    """Overrides of the direction of text among it."""
    assert as_html(node("p", "a\u202eb\x00c\nd")).endswith("<p>a\ufffdb\ufffdc d</p>\n")


def test_texts_stay_in_their_order() -> None:
    """Also two in a row, before and behind an element; None is nothing."""
    made = node("p", "a", "b", None, node("i", "c"), "d", "e", id=None, x=1.25, y=2.0)
    assert as_html(made).splitlines()[1] == '<p x="1.2" y="2">ab<i>c</i>de</p>'


def test_a_drawing_stands_alone() -> None:
    """It has a size, a style and paper; it is XML, and says what it shows."""
    made = as_svg(drawing("rows < & >", 99.5, [node("text", "<script>")]), ".paper{fill:#fff}")
    root = ET.fromstring(made)  # noqa: S314 - made here
    assert (root.get("width"), root.get("height")) == ("420", "100")
    assert root.get("aria-label") == "rows < & >"
    assert [child.tag.partition("}")[2] for child in root] == ["style", "rect", "title", "text"]
    assert root[3].text == "<script>"

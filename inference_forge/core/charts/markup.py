"""HTML and SVG as trees: a text in them cannot become markup, whoever wrote it."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

from inference_forge.core.terminal import safe_line

Node = ET.Element

SVG_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_NO_LIMIT: Final = 1 << 20


def node(tag: str, *content: Node | str | None, **attributes: str | float | None) -> Node:
    """Return an element.

    Arguments:
        tag: its name.
        content: elements and texts in order; what browsers and terminals act on in a text (control
            characters, bidirectional overrides) is taken out; None is nothing.
        attributes: `class_` is class, `aria_label` aria-label; numbers are rounded to a tenth; None
            is left out.
    """
    made = Node(tag, {_name(k): _value(v) for k, v in attributes.items() if v is not None})
    last: Node | None = None
    for item in content:
        if isinstance(item, str):
            text = safe_line(item, _NO_LIMIT)
            if last is None:
                made.text = (made.text or "") + text
            else:
                last.tail = (last.tail or "") + text
        elif item is not None:
            made.append(item)
            last = item
    return made


def style_node(css: str) -> Node:
    """Return a style element; `css` is our own, nothing in it is escaped."""
    made = Node("style")
    made.text = css
    return made


def as_html(page: Node) -> str:
    """Return a page as text."""
    return "<!doctype html>\n" + ET.tostring(page, encoding="unicode", method="html") + "\n"


def as_svg(drawing: Node, css: str) -> str:
    """Return a drawing as a file of its own.

    Arguments:
        drawing: its `svg` element.
        css: what gives its classes their colours.
    """
    whole = Node("svg", {"xmlns": SVG_NAMESPACE, **drawing.attrib})
    whole.set("width", drawing.get("viewBox", "").split()[2])
    whole.set("height", drawing.get("viewBox", "").split()[3])
    whole.append(style_node(css))
    whole.append(node("rect", class_="paper", width="100%", height="100%"))
    whole.extend(list(drawing))
    return ET.tostring(whole, encoding="unicode") + "\n"


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return safe_line(value, _NO_LIMIT)
    return f"{value:.1f}".removesuffix(".0")

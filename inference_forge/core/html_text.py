"""Read the text out of HTML as mail programs write it.

Made by hand because strangers write the input: Python's own `html.parser` takes time quadratic in
hostile input before the versions of summer 2025 (CVE-2025-6069). Here every character is looked at
a bounded number of times. It is no browser: a tag ends at the first `>`, and only names that are
HTML's are tags, so that `List<String>` and `<bob@example.com>` stay.
"""

from __future__ import annotations

import html
import re
from typing import Final

_HIDDEN: Final = frozenset({"head", "script", "style", "template", "title", "noscript"})
"""Elements whose content nobody sees."""

_PARAGRAPHS: Final = frozenset({"p", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"})
_LINES: Final = frozenset(
    {
        *("address", "article", "aside", "br", "center", "dd", "details", "div", "dl", "dt"),
        *("figcaption", "fieldset", "footer", "form", "header", "hr", "li", "main", "nav"),
        *("ol", "option", "pre", "section", "summary", "table", "tbody", "tfoot", "thead"),
        *("tr", "ul"),
    }
)
_INLINE: Final = frozenset(
    {
        *("a", "abbr", "area", "b", "base", "bdi", "bdo", "big", "body", "button", "caption"),
        *("cite", "code", "col", "colgroup", "del", "dfn", "em", "figure", "font", "html"),
        *("i", "iframe", "img", "input", "ins", "kbd", "label", "link", "map", "mark", "meta"),
        *("object", "picture", "q", "s", "samp", "select", "small", "source", "span", "strike"),
        *("strong", "sub", "sup", "svg", "textarea", "time", "tt", "u", "var", "wbr"),
    }
)
_CELLS: Final = frozenset({"td", "th"})
_KNOWN: Final = _HIDDEN | _PARAGRAPHS | _LINES | _INLINE | _CELLS

# Possessive, and each run stops at the next `<`: no character is read for two tags.
_MARKUP: Final = re.compile(
    r"<!--|<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]{0,12}+(?::[A-Za-z]\w{0,20}+)?)"
    r"(?=[\s/>])[^<>]*+>|<(?:!(?:doctype|\[)|\?xml)[^<>]*+>",
    re.IGNORECASE,
)
_EVIDENCE: Final = re.compile(
    r"</(?:a|b|body|div|em|font|h[1-6]|html|i|li|ol|p|pre|span|strong|table|td|tr|u|ul)\s*+>"
    r"|<(?:br|hr|img|p)(?=[\s/>])[^<>]*+>|<!doctype html|<html[\s>]",
    re.IGNORECASE,
)
_BREAKING: Final = re.compile(
    r"<(?:br|p|div|tr|li|table|ul|ol|blockquote|h[1-6])[\s/>]", re.IGNORECASE
)
# Shorter than html.unescape allows: Python refuses to read numbers of thousands of digits.
_ENTITY: Final = re.compile(
    r"&(?:#[0-9]{1,7}+(?![0-9])|#[xX][0-9a-fA-F]{1,6}+|[A-Za-z][A-Za-z0-9]{1,31}+);?"
)
_ENTITY_EVIDENCE: Final = re.compile(
    r"&(?:amp|lt|gt|quot|nbsp|apos|#[0-9]{2,5}+|#x[0-9a-f]{2,4}+);", re.IGNORECASE
)
_BLANKS: Final = re.compile(r"\s+")
_MAX_QUOTE_DEPTH: Final = 5  # what is quoted deeper reads no better for more `>`


def html_to_text(text: str) -> str:
    """Return what a reader of `text` sees, or `text` itself when it is no HTML.

    Blocks become lines, quotations (`blockquote`) lines that begin with `> `. HTML is a text with
    an end tag, a `<br>`, an image or a document type; in others only entities such as `&amp;` are
    read. Time is linear in the length.
    """
    if "<" in text and _EVIDENCE.search(text):
        return _Reader(text).read()
    if "&" in text and _ENTITY_EVIDENCE.search(text):
        return _unescaped(text)
    return text


class _Reader:
    """Reads one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._keeps_lines = _BREAKING.search(text) is None
        self._unclosed: set[str] = set()
        self._lines: list[str] = []
        self._line: list[str] = []
        self._depth = 0

    def read(self) -> str:
        """Return the text's lines, without blank ones at the ends."""
        text, at = self._text, 0
        while found := _MARKUP.search(text, at):
            name = (found["name"] or "").lower()
            self._write(text[at : found.start()])
            at = found.end()
            if found[0] == "<!--":
                at = self._skip("-->", at, otherwise=found[0])
            elif name in _KNOWN:
                is_end = bool(found["end"])
                if name in _HIDDEN and not is_end:
                    at = self._skip(f"</{name}", at)
                else:
                    self._on_tag(name, is_end=is_end)
            elif name and ":" not in name:
                self._write(found[0])  # <module> and the like are text
        self._write(text[at:])
        self._end_line()
        return "\n".join(self._lines).strip("\n")

    def _skip(self, closer: str, at: int, *, otherwise: str = "") -> int:
        """Return where the content up to `closer` ends; what is never closed is text."""
        # Looked for once in vain, never again: else each opener would be read to the end.
        if closer not in self._unclosed:
            found = self._text.find(closer, at)
            if found < 0 and closer.startswith("<"):
                found = self._text.find(closer.upper(), at)
            if found >= 0:
                return found + len(closer) if closer == "-->" else found
            self._unclosed.add(closer)
        self._write(otherwise)
        return at

    def _write(self, piece: str) -> None:
        if not piece:
            return
        piece = _unescaped(piece)
        if not self._keeps_lines:
            self._line.append(_BLANKS.sub(" ", piece))
            return
        first, *rest = piece.split("\n")
        self._line.append(first)
        for line in rest:
            self._end_line()
            self._line.append(line)

    def _on_tag(self, name: str, *, is_end: bool) -> None:
        if name in _CELLS:
            self._line.append(" ")
        elif name in _PARAGRAPHS:
            self._end_line()
            if self._lines and self._lines[-1]:
                self._lines.append("")
        elif name in _LINES and (name == "br" or self._has_text()):
            self._end_line()
        if name == "blockquote":
            self._depth = max(0, self._depth + (-1 if is_end else 1))
        elif name == "li" and not is_end:
            self._line.append("- ")

    def _has_text(self) -> bool:
        return any(piece.strip() for piece in self._line)

    def _end_line(self) -> None:
        """Put the line to the others, marked when it is quoted; of blank ones keep one."""
        line = "".join(self._line).strip(" ") if self._line else ""
        self._line.clear()
        if line:
            self._lines.append("> " * min(self._depth, _MAX_QUOTE_DEPTH) + line)
        elif self._lines and self._lines[-1]:
            self._lines.append("")


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)

"""What MkDocs does besides, so that pages read the same on the forge and on the site it builds."""

from __future__ import annotations

import logging
import posixpath
import re
from html.parser import HTMLParser
from typing import Any, Final

_LINK: Final = re.compile(r"(?<=\]\()([^)\s:#]+)((?:#[^)\s]*)?)(?=\))")
_ROW: Final = re.compile(r"^\|.*\|$", re.MULTILINE)
_CODE: Final = re.compile(r"`[^`]*`")
_ELSEWHERE: Final = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)

_log: Final = logging.getLogger("mkdocs.hooks.site")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Return a page as MkDocs should have it; called by MkDocs for each."""
    return unescaped(outward(markdown, page.file.src_uri, config["extra"]["source"]))


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Warn, which ends a strict build, of what a page would fetch; called by MkDocs for each."""
    for address in fetched(output):
        _log.warning("%s fetches %s when it is opened", page.file.src_uri, address)
    return output


def outward(markdown: str, page: str, source: str) -> str:
    """Return `markdown` with links to files outside of docs/ leading to where the source is kept.

    Arguments:
        markdown: the page.
        page: its path below docs/.
        source: where the tree is.
    """

    def replaced(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link[1]))
        is_inside = target.startswith("docs/")
        return link[0] if is_inside else f"{source}/{target}{link[2]}"

    return _LINK.sub(replaced, markdown)


def unescaped(markdown: str) -> str:
    r"""Return `markdown` with plain bars in the code of tables.

    GitHub's Markdown needs `\|` there (GFM, section 4.10), Python's shows the backslash.
    """
    return _ROW.sub(
        lambda row: _CODE.sub(lambda code: code[0].replace(r"\|", "|"), row[0]), markdown
    )


def fetched(html: str) -> list[str]:
    """Return the addresses on other hosts that a browser asks when it opens a page."""
    reader = _Fetches()
    reader.feed(html)
    return reader.found


class _Fetches(HTMLParser):
    """Collects what is loaded with a page; a link that somebody has to follow is not."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        named = {name: value or "" for name, value in attrs}
        names = ["src", "srcset", "poster", "data", *(["href"] if tag == "link" else [])]
        addresses = [named[name] for name in names if name in named]
        if tag == "link" and named.get("rel") == "canonical":
            return
        self.found += [each for each in addresses if _ELSEWHERE.match(each)]

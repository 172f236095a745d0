"""The pages under docs/: links that lead somewhere, and generated parts that are up to date."""

from __future__ import annotations

import posixpath

import pytest
from pages import PAGES, ROOT, anchors, links
from reference import PARTS, PLACE, by_hand, filled


def resolved(page: str, target: str) -> tuple[str, str]:
    """Return the path from the top of the tree, and the anchor, of a link on `page`."""
    path, _, anchor = target.partition("#")
    if not path:
        return page, anchor
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)), anchor


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """The file is there, and the heading in it."""
    for target in links(PAGES[page]):
        path, anchor = resolved(page, target)
        assert (ROOT / path).exists(), target
        assert not anchor or anchor in anchors(PAGES[path]), target


def test_every_page_is_reached_from_the_readme() -> None:
    """Nobody has to look into folders."""
    seen, todo = set(), ["README.md"]
    while todo:
        page = todo.pop()
        seen.add(page)
        linked = {resolved(page, target)[0] for target in links(PAGES[page])}
        todo += sorted((linked & set(PAGES)) - seen)
    assert set(PAGES) - seen - {"docs/index.md"} == set()


@pytest.mark.parametrize("page", PAGES)
def test_generated_parts_are_up_to_date(page: str) -> None:
    """Run `python tools/reference.py` when this fails."""
    assert PAGES[page] == filled(PAGES[page])


def test_every_part_has_its_place() -> None:
    """Nothing is generated for nobody, and a place is in `by_hand` no more."""
    places = [place[2] for page in PAGES.values() for place in PLACE.finditer(page)]
    assert sorted(places) == sorted(PARTS)
    assert "<!--" not in "".join(by_hand(page) for page in PAGES.values())


def test_a_page_with_an_unknown_part_is_refused() -> None:
    """A misspelt name is no empty place."""
    with pytest.raises(KeyError, match="setings"):
        filled("<!-- generated: setings -->\n<!-- end -->")

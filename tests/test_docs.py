"""The pages under docs/: links that lead somewhere, and generated parts that are up to date."""

from __future__ import annotations

import ast
import os
import posixpath
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pages import PAGES, ROOT, anchors, links
from reference import PARTS, PLACE, by_hand, filled
from site_hooks import fetched, outward, unescaped

from inference_forge.errors import ForgeError

if TYPE_CHECKING:
    from pathlib import Path


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


def codes_of_failures() -> set[str]:
    """Return every code that a row can fail with, or an error of a provider have, in the code."""
    found: set[str] = set()
    for path in (ROOT / "inference_forge").rglob("*.py"):
        if {"simulation", "jobs"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found |= codes_in(node)
    return found - {"pending", "ok"}


def codes_in(call: ast.Call) -> set[str]:
    """Return the codes that a call names: of a failure, an error, or a rule for one."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if not re.fullmatch(r"Failure|Fault|BadItem|Rule|Meaning|_?reject(ed)?|\w*Error", name):
        return set()
    values = [*call.args, *(each.value for each in call.keywords if each.arg == "code")]
    texts = [each.value for each in values if isinstance(each, ast.Constant)]
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z_]+8?", text)}


def test_every_code_of_a_failure_is_described() -> None:
    """Also those that stop a run, and none that is not there any more."""
    page = PAGES["docs/reference/failures.md"]
    cells = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    described = {code for cell in cells for code in re.findall(r"`(\w+)`", cell)}
    # The first two are told as pairs; the last comes from a provider's own words.
    assert described - {"torn_row", "footer", "refused_by_code"} == codes_of_failures()


def test_every_exit_code_of_an_error_is_described() -> None:
    """The table is that of the exception tree."""
    todo, codes = [ForgeError], set()
    while todo:
        error = todo.pop()
        codes.add(str(error.exit_code))
        todo += error.__subclasses__()
    page = PAGES["docs/reference/exit-codes.md"]
    rows = re.findall(r"^\| (\d+\S*) \|", page, re.MULTILINE)
    assert codes == set(rows) - {"0", "3", "128+N"}


def test_links_out_of_the_site_lead_to_the_source() -> None:
    """Others stay: links to pages, anchors and other hosts."""
    page = "[a](../../examples/x.toml#y) [b](keys.md#z) [c](#d) [e](https://e.example/f)"
    assert outward(page, "how-to/labels.md", "https://host/blob/main") == (
        "[a](https://host/blob/main/examples/x.toml#y) [b](keys.md#z) [c](#d)"
        " [e](https://e.example/f)"
    )
    assert outward("[a](../README.md)", "index.md", "https://host") == "[a](https://host/README.md)"


def test_bars_in_code_read_the_same_on_the_site() -> None:
    """In tables only, where GitHub wants them escaped."""
    row, text = r"| `a\|b` | c\|d |", r"`a\|b` in text"
    assert unescaped(f"{row}\n{text}") == f"| `a|b` | c\\|d |\n{text}"


def test_what_a_page_would_fetch_is_found() -> None:
    """A script, a picture, a style sheet; not what somebody has to follow."""
    html = (
        '<a href="https://a.example"></a><link rel="canonical" href="https://b.example/">'
        '<script src="https://c.example/x.js"></script><img src="//d.example/y.png">'
        '<link rel="stylesheet" href="http://e.example/z.css"><script src="own.js"></script>'
    )
    assert fetched(html) == [
        "https://c.example/x.js", "//d.example/y.png", "http://e.example/z.css",
    ]  # fmt: skip


def test_every_page_is_in_the_sites_menu() -> None:
    """Once, and none that is not there."""
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = re.findall(r"(\S+\.md)$", menu, re.MULTILINE)
    assert sorted(f"docs/{name}" for name in named) == sorted(set(PAGES) - {"README.md"})


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """As CI does it."""
    pytest.importorskip("mkdocs")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        check=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert (tmp_path / "reference/commands/index.html").is_file()


def test_ci_counts_the_sites_warnings() -> None:
    """MkDocs counts none with --quiet, and a strict build then passes whatever is broken."""
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    build = re.search(r"^.*mkdocs build.*$", ci, re.MULTILINE)
    assert build is not None
    assert "--strict" in build[0]
    assert "quiet" not in build[0]


def test_a_broken_link_ends_the_build(tmp_path: Path) -> None:
    """Strict means strict, with the settings of this site."""
    pytest.importorskip("mkdocs")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs/tutorial.md").open("a", encoding="utf-8") as page:
        page.write("[x](how-to/nothing.md)\n")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "how-to/nothing.md" in done.stderr) == (1, True)

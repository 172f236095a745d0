"""The pages that people read: the README and what lies under docs/."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
"""Every page by its path from the top of the tree."""

ALL = "\n".join(PAGES.values())


def without_code(page: str) -> str:
    """Return `page` without its blocks of code, in which a bracket is no link."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)


def links(page: str) -> list[str]:
    """Return where `page` links to, without what is on other hosts."""
    targets: list[str] = re.findall(r"\]\(([^)\s]+)\)", without_code(page))
    return [target for target in targets if not re.match(r"\w+:", target)]


def anchors(page: str) -> set[str]:
    """Return the names of the headings of `page`, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading))
        .strip()
        .lower()
        .replace(" ", "-")
        for heading in headings
    }


def shell_lines(page: str) -> list[str]:
    """Return the command lines in the blocks of `page`, continued ones as one."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shell = "".join(block for kind, block in blocks if kind in {"", "sh"})
    return re.sub(r"\\\n\s*", "", shell).splitlines()


def commands(page: str) -> list[str]:
    """Return the lines of `page` that call forge, without their remarks."""
    lines = (line.partition("  #")[0].strip() for line in shell_lines(page))
    return [line for line in lines if re.match(r"(\w+=\S+ )*(forge|cat|zcat) ", line)]

"""Write what the pages under docs/ say about commands, settings and formats from the code.

A page holds the place between `<!-- generated: NAME -->` and `<!-- end -->`; all else of it is
written by hand. Run `python tools/reference.py` after a change of the code; a test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import command_reference
import schema_reference

from inference_forge.cli.options import settings_table
from inference_forge.cli.simulate import options_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOCS: Final = Path(__file__).parent.parent / "docs"

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": command_reference.commands,
    "events": schema_reference.events,
    "settings": settings_table,
    "simulator": options_table,
    "summary": schema_reference.summary,
}
"""What can be generated, by the name that a page gives."""

PLACE: Final = re.compile(r"(<!-- generated: (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """Return `page` with its generated places as the code has them now.

    Raises:
        KeyError: the page names a part that is not in `PARTS`.
    """
    return PLACE.sub(lambda place: f"{place[1]}\n{PARTS[place[2]]()}\n\n{place[4]}", page)


def by_hand(page: str) -> str:
    """Return `page` without its generated places."""
    return PLACE.sub("", page)


def main() -> None:
    """Fill every page; say which changed."""
    for path in sorted(DOCS.rglob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()

"""Write the pages of the manual, man/*.1, from the code; packages install them for `man forge`.

Run `python tools/manual.py` after a change of a command; a test compares.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from command_reference import paragraphs, usage
from command_tree import PROGRAM, Found, every_command

from inference_forge.cli.commands import ENTRIES
from inference_forge.cli.help_pages import examples_of, sections_of
from inference_forge.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent
MANUAL: Final = ROOT / "man"

LINE: Final = 78
"""mandoc complains of lines longer than 80 bytes."""

_SECTIONS: Final = frozenset({"Arguments", "Options", "Commands"})
"""Other headings stand under the options."""

_CODE: Final = re.compile(r"`([^`]*)`")
_NAME: Final = re.compile(r"(?<![\w-])--?[a-z][a-z0-9-]*(?:/--[a-z-]+)?")
_RELEASE: Final = re.compile(r"^## \[\d[^\]]*\] - (\S+)$", re.MULTILINE)
_EXIT_CODE: Final = re.compile(r"^\| (\d\S*) \| ([^|]*) \|", re.MULTILINE)

FILES: Final[Mapping[str, str]] = {
    "./forge.toml": "Settings of a project.",
    "~/.config/inference-forge/forge.toml": "Your own settings.",
    "~/.cache/inference-forge/": "Paid answers, unless --cache-dir says otherwise.",
    "~/.local/state/inference-forge/": "Past runs, and failures of runs that write to stdout.",
}
"""On Linux; docs/reference/storage.md has all of them."""

VARIABLES: Final[Mapping[str, str]] = {
    "FORGE_*": "A setting each; forge classify --help names them.",
    "OPENAI_API_KEY, SARVAM_API_KEY, ...": "Keys; forge providers names them.",
    "NO_COLOR": "No colours.",
    "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE": "As everywhere.",
}


def manual() -> dict[str, str]:
    """Return the pages by the names of their files: the program's, and one for each command."""
    found = list(every_command())
    top = [each for each in found if " " not in each.path]
    return {
        _file_of(each): "\n".join(
            _page(each, [below for below in found if below.path.startswith(f"{each.path} ")], top)
        )
        + "\n"
        for each in top
    }


def _page(found: Found, below: Sequence[Found], top: Sequence[Found]) -> Iterator[str]:
    name = _title(found)
    about, *rest = paragraphs(found)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    release = _RELEASE.search(changelog)
    date = release[1] if release else ""
    yield '.\\" Written by tools/manual.py; do not edit.'
    yield f'.TH {name.upper()} 1 "{date}" "Inference Forge {version()}" "Inference Forge"'
    yield ".SH NAME"
    short = ENTRIES[found.path].short_help if found.path else about
    yield f"{_verbatim(name)} \\- {short[0].lower()}{short[1:].rstrip('.')}"
    yield ".SH SYNOPSIS"
    for each in (found, *below):
        yield from ([".br"] if each is not found else [])
        yield from _synopsis(each)
    yield ".SH DESCRIPTION"
    for i, paragraph in enumerate([about, *rest]):
        yield from ([".PP"] if i else [])
        yield from _text(paragraph)
    yield from _options(found, ".SH")
    for each in below:
        yield f".SH {_verbatim(f'{PROGRAM} {each.path}'.upper())}"
        for i, paragraph in enumerate(paragraphs(each)):
            yield from ([".PP"] if i else [])
            yield from _text(paragraph)
        yield from _options(each, ".SS")
        yield from _examples(each, ".SS Examples")
    if not found.path:
        yield from _around()
    yield from _examples(found, ".SH EXAMPLES")
    yield ".SH SEE ALSO"
    others = sorted(_title(each) for each in top if each is not found)
    yield ",\n".join(f".BR {_verbatim(other)} (1)" for other in others).replace("(1),", "(1) ,")


def _synopsis(found: Found) -> list[str]:
    words = f"{PROGRAM} {found.path}".strip()
    rest = usage(found).removeprefix(words).strip()
    return [f"\\fB{_verbatim(words)}\\fR {_verbatim(rest)}"]


def _options(found: Found, macro: str) -> Iterator[str]:
    """Yield the options under the headings that they have in --help."""
    for heading, rows in sections_of(found.command, found.context).items():
        is_own = macro == ".SH" and heading in _SECTIONS
        yield f".SH {heading.upper()}" if is_own else f".SS {heading}"
        for name, meaning in rows:
            yield ".TP"
            yield _named(name)
            yield from _text(meaning)


def _named(name: str) -> str:
    """Return what is described, what is typed as it stands in bold and the rest in italics."""
    flags = _NAME.findall(name)
    if not flags:
        return f"\\fB{_verbatim(name)}\\fR"
    spellings = " / " if " / " in name else ", "
    placeholder = name.rpartition(flags[-1])[2].strip()
    shown = spellings.join(f"\\fB{_verbatim(flag)}\\fR" for flag in flags)
    return f"{shown} \\fI{_verbatim(placeholder)}\\fR" if placeholder else shown


def _examples(found: Found, heading: str) -> Iterator[str]:
    yield heading
    for i, (purpose, line) in enumerate(examples_of(found.context)):
        yield from ([".PP"] if i else [])
        yield from _text(f"{purpose}:")
        yield from (".PP", ".RS 4", ".EX", _protected(_verbatim(line)), ".EE", ".RE")


def _around() -> Iterator[str]:
    """Yield what the program's own page says of codes, variables and files."""
    page = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    yield ".SH EXIT STATUS"
    for code, meaning in _EXIT_CODE.findall(page):
        yield from (".TP", f"\\fB{code}\\fR", *_text(meaning))
    yield ".SH ENVIRONMENT"
    for name, meaning in VARIABLES.items():
        yield from (".TP", f"\\fB{_verbatim(name)}\\fR", *_text(meaning))
    yield ".SH FILES"
    for name, meaning in FILES.items():
        yield from (".TP", f"\\fI{_verbatim(name)}\\fR", *_text(meaning))


def _text(text: str) -> list[str]:
    """Return prose as lines of roff; what is in backquotes is bold."""
    lines = textwrap.wrap(
        text.replace("\\", "\\e"), LINE - 8, break_long_words=False, break_on_hyphens=False
    )
    joined = _CODE.sub(r"\\fB\1\\fR", "\n".join(lines))
    marked = _NAME.sub(lambda flag: flag[0].replace("-", "\\-"), joined)
    return [_protected(line) for line in marked.splitlines()]


def _verbatim(text: str) -> str:
    """Return what is typed as it stands: a hyphen is one, and can be copied."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti")


def _protected(line: str) -> str:
    """Return a line that is no request to roff."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _title(found: Found) -> str:
    return "-".join([PROGRAM, *found.path.split()])


def _file_of(found: Found) -> str:
    return f"{_title(found)}.1"


def main() -> None:
    """Write the pages, and remove those of commands that went."""
    MANUAL.mkdir(exist_ok=True)
    pages = manual()
    for path in MANUAL.glob("*.1"):
        if path.name not in pages:
            path.unlink()
    for name, page in pages.items():
        path = MANUAL / name
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")
            sys.stdout.write(f"man/{name}\n")


if __name__ == "__main__":
    main()

"""Completing command lines in bash, zsh and fish.

The scripts are typer's (`--install-completion`, `--show-completion`), and so is what they ask:
`_FORGE_COMPLETE=complete_SHELL`, with the line in variables of its own. The answers are ours:
typer's load rich, which takes as long as all the rest, and know no values of options whose text is
checked later. Where nothing is answered the shell completes names of files.
"""

from __future__ import annotations

import importlib.resources
import re
import shlex
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

VARIABLE: Final = "_FORGE_COMPLETE"
FISH_ASKS_WHETHER: Final = "is-args"

FORMATS: Final = ("csv", "tsv", "jsonl", "json", "xlsx", "parquet")
SHAPES: Final = ("sweep", "ladder", "burst", "length", "stream", "all")

_CHOICES: Final = re.compile(r"[a-z0-9-]+(\|[a-z0-9-]+)+")
_DEFAULT: Final = re.compile(r"\s*\[default: .*\]$")


class Candidate(NamedTuple):
    """What may stand at the cursor.

    Attributes:
        text: all of the word.
        meaning: what it means, in a few words; empty when that is plain.
    """

    text: str
    meaning: str = ""


class Asked(Struct, frozen=True):
    """A command line up to the cursor.

    Attributes:
        words: those before the one at the cursor, without the program's name.
        begun: what stands of the word at the cursor; empty at a new one.
        is_value_only: whether the shell replaces only what stands behind `=`.
    """

    words: tuple[str, ...]
    begun: str
    is_value_only: bool = False


def answer(root: Any, environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Return what to print for a shell that asks, and the exit code; None when another one asks.

    Arguments:
        root: the program's command.
        environ: what the shell's script says.
    """
    match environ.get(VARIABLE):
        case "complete_bash":
            return _lines(candidates(root, _asked_by_bash(environ)), is_told=False), 0
        case "complete_zsh":
            return _zsh(candidates(root, _asked_in_a_line(environ))), 0
        case "complete_fish":
            found = candidates(root, _asked_in_a_line(environ))
            if environ.get("_TYPER_COMPLETE_FISH_ACTION") == FISH_ASKS_WHETHER:
                return "", 0 if found else 1
            return _lines(found, is_told=True), 0
        case _:
            return None


def candidates(root: Any, asked: Asked) -> list[Candidate]:
    """Return what may stand at the cursor; nothing where only a file's name or free text may.

    Arguments:
        root: the program's command.
        asked: the line.
    """
    place = _Place(root)
    for word in asked.words:
        place.pass_by(word)
        if place.is_lost:
            return []
    name, has_value, value = asked.begun.partition("=")
    if place.waiting is not None:
        return _values(place.waiting, asked.begun, "")
    if place.is_past_options or not asked.begun.startswith("-"):
        return _begun(place.operands(), asked.begun)
    if has_value:
        option = place.options.get(name)
        before = "" if asked.is_value_only else f"{name}="
        return [] if option is None else _values(option, value, before)
    return _begun(place.free_options(), asked.begun)


class _Place:
    """Where on a command line the cursor is: which command, and what it waits for."""

    def __init__(self, root: Any) -> None:
        self.is_lost = False
        self.is_past_options = False
        self.waiting: Any = None
        self._passed = 0
        self._used: set[str] = set()
        self._enter(root, None, "forge")

    def _enter(self, command: Any, parent: Any, name: str) -> None:
        self._command = command
        self._context = command.context_class(command, parent=parent, info_name=name)
        parameters = command.get_params(self._context)
        self.options = {
            spelling: parameter
            for parameter in parameters
            if parameter.param_type_name == "option" and not parameter.hidden
            for spelling in (*parameter.opts, *parameter.secondary_opts)
        }
        self._arguments = [each for each in parameters if each.param_type_name == "argument"]

    def pass_by(self, word: str) -> None:
        """Go over one word."""
        if self.waiting is not None:
            self.waiting = None
        elif word == "--":
            self.is_past_options = True
        elif word.startswith("-") and word != "-" and not self.is_past_options:
            self._pass_option(word)
        else:
            self._pass_operand(word)

    def _pass_option(self, word: str) -> None:
        name, has_value, _ = word.partition("=")
        option = self.options.get(name)
        self._used.add(name)
        if option is not None and not option.is_flag and not has_value:
            self.waiting = option

    def _pass_operand(self, word: str) -> None:
        commands = getattr(self._command, "commands", None)
        if commands is None:
            self._passed += 1
        elif word in commands:
            _, command, _ = self._command.resolve_command(self._context, [word])
            self._enter(command, self._context, word)
        else:
            self.is_lost = True

    def operands(self) -> list[Candidate]:
        """Return the commands or values that may stand here."""
        commands = getattr(self._command, "commands", None)
        if commands is not None:
            return [Candidate(name, each.get_short_help_str()) for name, each in commands.items()]
        if not self._arguments:
            return []
        argument = self._arguments[min(self._passed, len(self._arguments) - 1)]
        is_over = self._passed >= len(self._arguments) and argument.nargs == 1
        return [] if is_over else [Candidate(text) for text in _choices(argument)]

    def free_options(self) -> list[Candidate]:
        """Return the options that can still be given."""
        return [
            Candidate(spelling, _DEFAULT.sub("", option.help or ""))
            for spelling, option in self.options.items()
            if spelling.startswith("--")
            and (option.multiple or self._used.isdisjoint(option.opts + option.secondary_opts))
        ]


def _values(parameter: Any, begun: str, before: str) -> list[Candidate]:
    """Return the values of `parameter` that go on as `begun` does, also behind a comma."""
    listed, comma, last = begun.rpartition(",")
    taken = set(listed.split(","))
    head = f"{before}{listed}{comma}"
    fitting = _begun([Candidate(text) for text in _choices(parameter)], last)
    return [Candidate(head + each.text) for each in fitting if each.text not in taken]


def _begun(found: Sequence[Candidate], begun: str) -> list[Candidate]:
    return [each for each in found if each.text.startswith(begun)]


def _choices(parameter: Any) -> Sequence[str]:
    """Return what `parameter` may be, as far as that is a list."""
    for name in (*parameter.opts, parameter.name):
        if name in _NAMED:
            return _NAMED[name]()
    metavar = parameter.metavar or ""
    return metavar.split("|") if _CHOICES.fullmatch(metavar) else ()


def _providers() -> Sequence[str]:
    """Return the packaged providers; what settings files add is not read for this."""
    package = importlib.resources.files("inference_forge.adapters.providers")
    presets = tomllib.loads(package.joinpath("presets.toml").read_text(encoding="utf-8"))
    return ["local", *presets, "simulated"]


_NAMED: Final[Mapping[str, Callable[[], Sequence[str]]]] = {
    "--provider": _providers,
    "--fallback-provider": _providers,
    "names": _providers,
    "--input-format": lambda: FORMATS,
    "--shape": lambda: SHAPES,
}
"""Values by the name of an option or argument, where its placeholder does not list them."""


def _asked_by_bash(environ: Mapping[str, str]) -> Asked:
    """Return the line as bash tells it: words cut at `=` and `:`, a line each."""
    cut = environ.get("COMP_WORDS", "").split("\n")[: int(environ.get("COMP_CWORD", "0")) + 1]
    words: list[str] = []
    is_glued = False
    for part in cut:
        if words and (part == "=" or is_glued):
            words[-1] += part
        else:
            words.append(part)
        is_glued = part == "="
    return Asked(tuple(words[1:-1]), words[-1] if len(words) > 1 else "", is_value_only=True)


def _asked_in_a_line(environ: Mapping[str, str]) -> Asked:
    """Return the line as zsh and fish tell it."""
    line = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(line)[1:]
    if line[-1:].isspace() or not words:
        return Asked(tuple(words), "")
    return Asked(tuple(words[:-1]), words[-1])


def _split(line: str) -> list[str]:
    """Return the words of a line whose last quote may be open."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        words.append(lexer.token)
    return words


def _lines(found: Sequence[Candidate], *, is_told: bool) -> str:
    """Return a line for each, with its meaning behind a tab where the shell shows that."""
    return "".join(
        f"{text}\t{meaning}\n" if is_told and meaning else f"{text}\n" for text, meaning in found
    )


def _zsh(found: Sequence[Candidate]) -> str:
    """Return the code that zsh runs."""
    if not found:
        return "_files\n"
    texts = (each.text.replace("\\", "\\\\").replace(":", "\\:") for each in found)
    told = " ".join(
        shlex.quote(f"{text}:{each.meaning}" if each.meaning else text)
        for text, each in zip(texts, found, strict=True)
    )
    return f"local -a found; found=({told}); _describe -V forge found\n"

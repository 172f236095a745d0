"""What can be chosen where there are a few possibilities."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import Any, get_args, get_origin


class Cleaning(StrEnum):
    """What mail programs add to a text, and what can be taken out of it."""

    HTML = "html"
    QUOTES = "quotes"
    SIGNATURE = "signature"


class Redaction(StrEnum):
    """What can be replaced by a placeholder."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    KEY = "key"


class OnLong(StrEnum):
    """What becomes of a text that is longer than allowed."""

    FAIL = "fail"
    TRUNCATE = "truncate"


class CacheMode(StrEnum):
    """Whether an answer from a pack serves a run without packs, and the other way round."""

    SHARED = "shared"
    STRICT = "strict"


class SummaryMode(StrEnum):
    """Who makes the summary."""

    LLM = "llm"
    EXTRACT = "extract"
    NONE = "none"


class Order(StrEnum):
    """In which order rows are written."""

    INPUT = "input"
    COMPLETION = "completion"


class CsvGuard(StrEnum):
    """Which cells are guarded against being run as formulas by a spreadsheet."""

    ALL = "all"
    ADDED = "added"
    OFF = "off"


class ProgressStyle(StrEnum):
    """How progress is shown on stderr."""

    AUTO = "auto"
    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


class TraceExport(StrEnum):
    """Where the spans of a run go."""

    NONE = "none"
    OTLP = "otlp"
    CONSOLE = "console"


class HttpStack(StrEnum):
    """What speaks HTTP to a provider."""

    AUTO = "auto"
    PLAIN = "plain"
    HTTPX = "httpx"


class LogFormat(StrEnum):
    """How lines on stderr and in a log file are written."""

    AUTO = "auto"
    HUMAN = "human"
    JSON = "json"


class Reasoning(StrEnum):
    """How much a model thinks before it answers."""

    OFF = "off"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def room_tokens(self) -> int:
        """Output tokens to allow for it, on top of the answer's own.

        Providers count thoughts as output and cut both off at one cap, so a level without room is
        an answer without an answer. Anthropic's budgets in `presets.toml` fit in with some to
        spare.
        """
        return {"off": 0, "low": 2_048, "medium": 8_192, "high": 16_384}[self.value]


def choices_in(annotation: Any) -> type[StrEnum] | None:
    """Return the choices of a setting that takes a list of them; None for other settings."""
    inner = get_args(annotation)
    is_list = get_origin(annotation) is tuple and len(inner) == 2  # noqa: PLR2004 - (kind, ...)
    if is_list and isinstance(inner[0], type) and issubclass(inner[0], StrEnum):
        return inner[0]
    return None


def chosen(value: object, kind: type[StrEnum]) -> tuple[StrEnum, ...]:
    """Return the choices named in `value`, each once, in the order of `kind`.

    Arguments:
        value: names separated by commas, or a list of such texts.
        kind: what can be chosen.

    Raises:
        ValueError: a name is unknown, with the nearest that is not.
    """
    texts = value if isinstance(value, list | tuple) else [value]
    names = [name.strip().lower() for text in texts for name in str(text).split(",")]
    for name in names:
        if name not in [*kind, ""]:
            near = difflib.get_close_matches(name, kind, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(kind)}"
            raise ValueError(f"{name!r} is unknown; {hint}")
    return tuple(choice for choice in kind if choice in names)

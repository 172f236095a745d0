"""What is asked of a taxonomy's fields, and what is made without asking."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.core.taxonomy import SUMMARY_FIELD, FieldKind, Taxonomy
from inference_forge.errors import SettingsError
from inference_forge.settings.choices import SummaryMode

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY: Final = SUMMARY_FIELD.name


class Asked(Struct, frozen=True):
    """What a run produces.

    Attributes:
        taxonomy: what is asked for; a part of the whole.
        summary_words: most words of the summary that is taken from the ticket's own text; None
            when none is.
    """

    taxonomy: Taxonomy
    summary_words: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns to write, in order; an extracted summary comes last."""
        extracted = () if self.summary_words is None else (SUMMARY,)
        return (*self.taxonomy.field_names, *extracted)


def choose_fields_asked(
    taxonomy: Taxonomy, names: Sequence[str], summary: SummaryMode = SummaryMode.LLM
) -> Asked:
    """Return what is asked for; its fields keep the taxonomy's order.

    Arguments:
        taxonomy: what there is to ask for.
        names: the fields wanted, each text one or several separated by commas; empty for all.
        summary: who makes the summary. `llm` leaves it to `names` and the taxonomy whether there
            is one; `extract` adds it in any case.

    Raises:
        SettingsError: a name is none of the fields, the summary is something that cannot be
            taken from a text, or nothing is left to ask for.
    """
    own = taxonomy.field(SUMMARY)
    extracts = summary is SummaryMode.EXTRACT
    wanted = _wanted(taxonomy, names, (*taxonomy.field_names, *([SUMMARY] if extracts else [])))
    if summary is not SummaryMode.LLM:
        if own is not None and own.kind is not FieldKind.TEXT:
            raise SettingsError(
                f"--summary {summary}: the taxonomy's field {SUMMARY!r} is no text but of kind "
                f"{own.kind.value}; leave --summary out"
            )
        wanted = wanted - {SUMMARY}
    fields = tuple(field for field in taxonomy.fields if field.name in wanted)
    if not fields:
        raise SettingsError(
            f"nothing is left to ask for: add to --fields one of {', '.join(taxonomy.field_names)}"
        )
    words = (own or SUMMARY_FIELD).max_words if extracts else None
    return Asked(replace(taxonomy, fields=fields), words)


def _wanted(taxonomy: Taxonomy, names: Sequence[str], known: tuple[str, ...]) -> frozenset[str]:
    listed = [name for text in names for part in text.split(",") if (name := part.strip().lower())]
    for name in listed:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"--fields: the taxonomy {taxonomy.name!r} has no field {name!r}; {hint}"
                f"it has {', '.join(taxonomy.field_names)}"
            )
    return frozenset(listed or taxonomy.field_names)

"""`forge taxonomy check`: what could be better, and what the prompt costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, to_builtins

from inference_forge.app.taxonomy_file import load_asked
from inference_forge.core.prompt_cost import PromptCost, prompt_cost
from inference_forge.core.taxonomy_review import Note, review

if TYPE_CHECKING:
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.settings import Settings

RUNS: Final = (1_000, 1_000_000)
"""Sizes of runs whose cost is told: an afternoon's export, and years of it."""


class Checked(Struct, frozen=True):
    """What was found.

    Attributes:
        file: the file as the user named it; None for the built-in taxonomy.
        taxonomy: what is asked for of it.
        notes: what could be better.
        cost: what its prompt costs.
    """

    file: str | None
    taxonomy: Taxonomy
    notes: tuple[Note, ...]
    cost: PromptCost

    def prompt_tokens(self, tickets: int) -> int:
        """Return the prompt tokens of so many requests, one for each ticket, without their text."""
        return self.cost.total * tickets

    def as_json(self) -> dict[str, Any]:
        """Return everything for scripts."""
        return {
            "file": self.file,
            "name": self.taxonomy.name,
            "fields": [
                {
                    "name": field.name,
                    "kind": field.kind.value,
                    "labels": list(field.label_names),
                    "max_labels": field.max_labels,
                }
                for field in self.taxonomy.fields
            ],
            "notes": [to_builtins(note) for note in self.notes],
            "prompt_tokens_per_ticket": to_builtins(self.cost),
            "prompt_tokens_per_run": {str(rows): self.prompt_tokens(rows) for rows in RUNS},
        }


def check_taxonomy(settings: Settings) -> Checked:
    """Return what is to be said of the taxonomy that `settings` ask for.

    Raises:
        TaxonomyError: it cannot be used.
        SettingsError: a field is asked for that it does not have.
    """
    taxonomy = load_asked(settings).taxonomy
    file = None if settings.taxonomy is None else str(settings.taxonomy)
    return Checked(file, taxonomy, tuple(review(taxonomy)), prompt_cost(taxonomy))

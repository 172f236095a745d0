"""The corpus of answers in `core/answers.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.models import Finish, ModelAnswer, Usage

if TYPE_CHECKING:
    from inference_forge.core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Case:
    """An answer and its outcome: the values, or the code of the failure."""

    name: str
    answer: ModelAnswer
    taxonomy: Taxonomy
    expected: tuple[str, ...] | str


def load_corpus() -> list[Case]:
    """Return all cases in the file's order."""
    path = Path(__file__).with_name("core") / "answers.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    taxonomies = {
        name: taxonomy_from_data(table, source=name)
        for name, table in data.pop("taxonomies").items()
    }
    return [
        Case(
            name=f"{group}: {name}",
            answer=ModelAnswer(
                case["answer"],
                "m-1",
                Usage(),
                Finish(case.get("finish", "stop")),
                case.get("reasoning", ""),
            ),
            taxonomy=taxonomies.get(case.get("taxonomy", ""), BUILT_IN),
            expected=case["fails"] if "fails" in case else tuple(case["gives"]),
        )
        for group, cases in data.items()
        for name, case in cases.items()
    ]

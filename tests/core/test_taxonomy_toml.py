"""Files that forge writes, read by forge."""

from __future__ import annotations

import re
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.label_names import usable_name
from inference_forge.core.taxonomy import BUILT_IN, PRIORITY_FIELD, SUMMARY_FIELD
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.core.taxonomy_toml import FoundLabel, found_toml, starter_toml

_NAMES = st.lists(
    st.text(min_size=1).map(usable_name).filter(bool), min_size=2, max_size=5,
    unique_by=lambda name: str(name).casefold(),
)  # fmt: skip
_TEXT = st.text(max_size=30)


def test_the_starter_means_what_the_built_in_taxonomy_means() -> None:
    """Unchanged it even finds the answers that are cached."""
    data = tomllib.loads(starter_toml("my.toml"))
    assert taxonomy_from_data(data, source="t").canonical() == BUILT_IN.canonical()
    assert "forge classify tickets.csv --taxonomy my.toml" in starter_toml("my.toml")


def test_what_is_commented_out_in_the_starter_can_be_used() -> None:
    """Each key and field as it stands there, without the number sign."""
    text = re.sub(r"^# (?=\[|\w+ = )", "", starter_toml("my.toml"), flags=re.MULTILINE)
    taxonomy = taxonomy_from_data(tomllib.loads(text), source="t")
    assert taxonomy.fields[0].max_labels == 3
    assert (taxonomy.language, bool(taxonomy.notes)) == ("English", True)
    own = ("sentiment", "needs_human", "product")
    assert taxonomy.field_names == ("category", "priority", *own, "summary")


@given(_NAMES, _TEXT, _TEXT, st.lists(_TEXT, max_size=3), st.integers(1, 4))
def test_any_label_and_text_comes_back(
    names: list[str], found_as: str, name: str, examples: list[str], most: int
) -> None:
    """Quotes, control characters and line breaks cannot get out of their place."""
    labels = [FoundLabel(label, found_as, 1234, tuple(examples)) for label in names]
    text = found_toml(labels, file=found_as, name=name, made=found_as, max_labels=most)
    taxonomy = taxonomy_from_data(tomllib.loads(text), source="t")
    category = taxonomy.fields[0]
    assert category.label_names == tuple(names)
    assert category.max_labels == min(most, len(names))
    assert taxonomy.fields[1:] == (PRIORITY_FIELD, SUMMARY_FIELD)
    assert {label.examples for label in category.labels} == {
        tuple(" ".join(example.split()) for example in examples)
    }
    assert taxonomy.name == " ".join(name.split())


def test_counts_and_former_names_are_comments() -> None:
    """The reader sees what a name was."""
    text = found_toml(
        [FoundLabel("a", "a?", 1, ()), FoundLabel("b c", "b c", 1234, ())],
        file="f\n.toml", name="n\udcff", made="Made\nof x.",
    )  # fmt: skip
    assert "# 1 ticket, in the data 'a?'\n[categories.a]" in text
    assert '# 1,234 tickets\n[categories."b c"]' in text
    assert text.startswith("# Made\ufffdof x.\n")
    assert text.isascii() or "\udcff" not in text
    tomllib.loads(text.encode().decode())

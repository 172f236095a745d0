"""Which fields are asked for, and where the summary comes from."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from inference_forge.core.asked import Asked, choose_fields_asked
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Taxonomy
from inference_forge.errors import SettingsError
from inference_forge.settings import SummaryMode

EXTRACT, NONE = SummaryMode.EXTRACT, SummaryMode.NONE


def test_without_a_wish_everything_is_asked_for() -> None:
    """The taxonomy is the very same, and so is its fingerprint."""
    assert choose_fields_asked(BUILT_IN, ()) == Asked(BUILT_IN)


@pytest.mark.parametrize(
    "names", [("category,priority",), ("Priority ", "category"), (",priority,category",)]
)
def test_fields_keep_the_taxonomys_order(names: tuple[str, ...]) -> None:
    """In whatever order and form they are named."""
    asked = choose_fields_asked(BUILT_IN, names)
    assert asked.taxonomy == replace(BUILT_IN, fields=BUILT_IN.fields[:2])
    assert asked.columns == ("category", "priority")


def test_an_extracted_summary_is_not_asked_for() -> None:
    """It comes last, with as many words as the model would be allowed, listed or not."""
    for names in ((), ("category,priority",), ("category,priority,summary",)):
        asked = choose_fields_asked(BUILT_IN, names, EXTRACT)
        assert asked.taxonomy.field_names == ("category", "priority")
        assert asked.columns == ("category", "priority", "summary")
        assert asked.summary_words == 20
    short = replace(BUILT_IN, fields=(BUILT_IN.fields[0], replace(BUILT_IN.fields[2], max_words=5)))
    assert choose_fields_asked(short, (), EXTRACT).summary_words == 5


def test_a_taxonomy_without_summary_can_have_an_extracted_one() -> None:
    """Also by name, which otherwise would be unknown."""
    bare = replace(BUILT_IN, fields=BUILT_IN.fields[:2])
    assert choose_fields_asked(bare, ("category,summary",), EXTRACT).columns == (
        "category",
        "summary",
    )
    assert choose_fields_asked(bare, (), EXTRACT).summary_words == 20
    with pytest.raises(SettingsError, match="has no field 'summary'"):
        choose_fields_asked(bare, ("category,summary",))


def test_no_summary_is_neither_asked_for_nor_written() -> None:
    """Even when it is listed."""
    asked = choose_fields_asked(BUILT_IN, ("category,summary",), NONE)
    assert (asked.columns, asked.summary_words) == (("category",), None)


@pytest.mark.parametrize(
    ("names", "summary", "message"),
    [
        (
            ("categry",),
            SummaryMode.LLM,
            "'built-in' has no field 'categry'; did you mean 'category'?",
        ),
        (("x",), SummaryMode.LLM, "no field 'x'; it has category, priority, summary"),
        (("summary",), EXTRACT, "nothing is left to ask for: add to --fields one of category"),
        (("summary",), NONE, "nothing is left"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    names: tuple[str, ...], summary: SummaryMode, message: str
) -> None:
    """With what there is."""
    with pytest.raises(SettingsError) as caught:
        choose_fields_asked(BUILT_IN, names, summary)
    assert message in str(caught.value)


@pytest.mark.parametrize("mode", [EXTRACT, NONE])
def test_a_summary_of_another_kind_is_left_alone(mode: SummaryMode) -> None:
    """Somebody's own field may have that name."""
    taxonomy = Taxonomy("t", (BUILT_IN.fields[0], Field("summary", FieldKind.BOOLEAN)))
    assert choose_fields_asked(taxonomy, ()).columns == ("category", "summary")
    with pytest.raises(SettingsError, match="is no text but of kind boolean"):
        choose_fields_asked(taxonomy, (), mode)

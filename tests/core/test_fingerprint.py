"""What the cache key depends on, and what it does not."""

from __future__ import annotations

import random  # noqa: TC003 - hypothesis reads annotations

import pytest  # noqa: TC002 - hypothesis reads annotations
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference_forge.core import fingerprint as module
from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.prompt import PROMPT_VERSION
from inference_forge.core.taxonomy import BUILT_IN, Field, FieldKind, Label, Taxonomy

GENERATION = {"temperature": 0, "max_tokens": 512, "extra": {"a": 1, "b": 2}}


def _of(
    taxonomy: Taxonomy = BUILT_IN,
    model: str = "m",
    generation: dict[str, object] | None = None,
    text: str = "text",
    tenant: str = "",
) -> bytes:
    made = Fingerprinter(taxonomy=taxonomy, model=model, generation=generation or GENERATION)
    return made.of(text, tenant)


def _category(**changes: object) -> Taxonomy:
    """Return the built-in taxonomy with its category field changed."""
    field = replace(BUILT_IN.fields[0], **changes)
    return replace(BUILT_IN, fields=(field, *BUILT_IN.fields[1:]))


LABELS = BUILT_IN.fields[0].labels
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_LABELS = st.builds(Label, _TEXT, _TEXT, st.lists(_TEXT, max_size=2).map(tuple))


@given(
    st.lists(
        st.builds(
            Field, _TEXT, st.sampled_from(FieldKind), st.lists(_LABELS).map(tuple), _TEXT,
            st.integers(1, 50),
        ),
        unique_by=lambda field: field.name,
        max_size=4,
    ),
    st.randoms(use_true_random=False),
    _TEXT,
    _TEXT,
)  # fmt: skip
def test_order_of_labels_and_fields_does_not_matter(
    fields: list[Field], rng: random.Random, text: str, tenant: str
) -> None:
    """However a taxonomy is shuffled, the fingerprint stays."""
    shuffled = [
        replace(field, labels=tuple(rng.sample(field.labels, len(field.labels))))
        for field in rng.sample(fields, len(fields))
    ]
    one = _of(Taxonomy("t", tuple(fields)), text=text, tenant=tenant)
    assert one == _of(Taxonomy("u", tuple(shuffled)), text=text, tenant=tenant)
    assert len(one) == 32


def test_order_of_generation_parameters_does_not_matter() -> None:
    """Neither on the first level nor below."""
    other = {"extra": {"b": 2, "a": 1}, "max_tokens": 512, "temperature": 0}
    assert _of() == _of(generation=other)


def test_everything_that_decides_an_answer_changes_the_fingerprint() -> None:
    """Each change on its own gives another key, and all differ from each other."""
    keys = [
        _of(),
        _of(text="text "),
        _of(text=""),
        _of(tenant="a"),
        _of(model="m2"),
        _of(generation={"temperature": 1, "max_tokens": 512}),
        _of(generation={"temperature": 0}),
        _of(generation=GENERATION | {"extra": {"a": 1, "b": 3}}),
        _of(_category(labels=LABELS[:-1])),
        _of(_category(labels=(*LABELS[:-1], Label("misc", LABELS[-1].description)))),
        _of(_category(labels=(*LABELS[:-1], Label("other", "all else")))),
        _of(_category(labels=(*LABELS[:-1], replace(LABELS[-1], examples=("hi",))))),
        _of(_category(labels=(*LABELS[:-1], replace(LABELS[-1], examples=("hi", "ho"))))),
        _of(_category(description="what it is about")),
        _of(_category(name="topic")),
        _of(_category(kind=FieldKind.TEXT)),
        _of(_category(max_words=5)),
        _of(replace(BUILT_IN, fields=BUILT_IN.fields[:2])),
        _of(replace(BUILT_IN, notes="Answer in English.")),
    ]
    assert len(set(keys)) == len(keys)


def test_the_prompt_version_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers to an older prompt are no longer used."""
    before = _of()
    monkeypatch.setattr(module, "PROMPT_VERSION", PROMPT_VERSION + 1)
    assert _of() != before


def test_the_taxonomys_name_does_not_matter() -> None:
    """It is for people and is not sent."""
    assert _of() == _of(replace(BUILT_IN, name="renamed"))


@given(_TEXT, _TEXT, _TEXT, _TEXT)
def test_tenant_and_text_cannot_be_confused(a: str, b: str, c: str, d: str) -> None:
    """Two pairs share a fingerprint only when they are the same pair."""
    made = Fingerprinter(taxonomy=BUILT_IN, model="m", generation={})
    assert (made.of(a, b) == made.of(c, d)) == ((a, b) == (c, d))
    assert made.of("c1:x:", "ab") != made.of("1:x:", "abc")


def test_tenants_are_remembered_up_to_a_bound() -> None:
    """Beyond 10,000 tenants fingerprints are still right, and memory does not grow."""
    made = Fingerprinter(taxonomy=BUILT_IN, model="m", generation={})
    keys = [made.of("text", f"tenant {number}") for number in range(10_050)]
    assert len(made._by_tenant) == 10_000
    assert len(set(keys)) == 10_050
    fresh = Fingerprinter(taxonomy=BUILT_IN, model="m", generation={})
    for number in (0, 1, 10_049):
        assert made.of("text", f"tenant {number}") == keys[number]
        assert fresh.of("text", f"tenant {number}") == keys[number]


def test_a_fingerprint_stays_the_same_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed key would make every paid answer unreachable; change this with a reason only."""
    monkeypatch.setattr(module, "PROMPT_VERSION", 1)
    tiny = Taxonomy("t", (Field("topic", FieldKind.ENUM, (Label("a", "x"), Label("b"))),))
    made = Fingerprinter(taxonomy=tiny, model="m", generation={"temperature": 0})
    assert made.of("text", "tenant").hex() == (
        "cd1a0214f5b35693b5e0ca531fbc3d260585a2912f4d9d5896525984509b04c7"
    )

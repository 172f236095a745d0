"""Learning from reported usage."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.calibration import MAX_FORMS, STRIDE, Calibration, UsageLearner
from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.prompt import build_pack_prompt, pack_names
from inference_forge.core.prompt import build_prompt
from inference_forge.core.request_form import Load, pack_form, single_form
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.core.token_model import TOKENS_PER_CHAR
from inference_forge.core.tokens import estimate_tokens
from inference_forge.core.usage_fit import (
    MAX_ANSWERS,
    SLOPE_RANGE,
    Fit,
    Line,
    fit_as_json,
    fit_from_json,
)
from inference_forge.models import ModelRequest, Usage

PROMPT = build_prompt(BUILT_IN, max_output_tokens=100)
PACKS = build_pack_prompt(BUILT_IN, CodeBook(BUILT_IN), max_output_tokens=100)
SINGLE = single_form(PROMPT, BUILT_IN, {})
PACKED = pack_form(PACKS, BUILT_IN, {})
CHANCE = random.Random(3)
TEXTS = [" ".join(["word"] * CHANCE.randint(3, 90)) for _ in range(200)]


def packs(size: int = 10) -> list[ModelRequest]:
    """Return the texts in packs."""
    groups = [TEXTS[start : start + size] for start in range(0, len(TEXTS), size)]
    return [PACKS.request(group, pack_names(len(group), CHANCE.sample)) for group in groups]


def singles() -> list[ModelRequest]:
    """Return the texts one by one."""
    return [PROMPT.request(text, f"{CHANCE.getrandbits(32):08x}") for text in TEXTS]


def usage(request: ModelRequest, *, slope: float = 1.3, base: int = 11) -> Usage:
    """Count as another tokenizer does, and add what a provider does not tell."""
    size = sum(len(message.content.split()) for message in request.messages)
    return Usage(round(slope * 1.6 * size) + base, 7 + 12 * len(request.texts), cached_tokens=10)


def load(requests: list[ModelRequest]) -> Load:
    """Return what requests hold."""
    texts = [text for request in requests for text in request.texts]
    return Load(len(requests), len(texts), sum(map(estimate_tokens, texts)))


def learned(requests: list[ModelRequest], **counting: Any) -> UsageLearner:
    """Return what so many answers teach."""
    learner = UsageLearner((SINGLE, PACKED))
    for request in requests:
        learner.on_answer(request, usage(request, **counting), 0.5, is_again=False)
    return learner


@pytest.mark.parametrize("form", [SINGLE, PACKED])
@pytest.mark.parametrize("slope", [0.7, 1.0, 1.3])
def test_fifty_answers_teach_another_tokenizer_and_what_is_not_told(
    form: object, slope: float
) -> None:
    """Within 5 % of what the other requests then take."""
    requests = singles() if form is SINGLE else packs(4)
    assert form in (SINGLE, PACKED)
    chosen = SINGLE if form is SINGLE else PACKED
    known = Calibration(learned(requests[:50], slope=slope).fits)
    model = known.model(chosen)
    foretold = model.usage(load(requests))
    used = sum((usage(request, slope=slope) for request in requests), Usage())
    assert foretold.total_tokens == pytest.approx(used.total_tokens, rel=0.05)
    assert foretold.completion_tokens == pytest.approx(used.completion_tokens, rel=0.05)
    assert foretold.cached_tokens == pytest.approx(used.cached_tokens, rel=0.1)
    assert foretold.is_estimate
    assert (model.latency_s, model.answers, model.is_exact) == (0.5, 50, True)
    assert known.answers == 50


def test_nothing_is_known_without_an_answer() -> None:
    """The estimate is the form's own, and may be off by a quarter."""
    model = Calibration().model(SINGLE)
    assert model.usage(Load(1, 1, 0)).prompt_tokens == round(
        SINGLE.fixed_tokens + SINGLE.message_tokens
    )
    assert (model.prompt_spread, model.answer_spread) == (0.25, 0.6)
    assert (model.latency_s, model.answers, model.is_exact) == (None, 0, False)
    assert Calibration(learned(singles()).fits).model(SINGLE).prompt_spread == 0.05


def test_another_form_of_the_same_model_teaches_its_tokenizer() -> None:
    """Packs that were never sent are nearer when single requests were, and the other way round."""
    requests = packs(4)
    used = sum((usage(request, slope=2.0) for request in requests), Usage()).prompt_tokens
    blind = Calibration().model(PACKED).usage(load(requests)).prompt_tokens
    related = Calibration(learned(singles(), slope=2.0).fits).model(PACKED)
    nearer = related.usage(load(requests)).prompt_tokens
    assert abs(nearer - used) < 0.4 * abs(blind - used)
    assert not related.is_exact
    assert related.latency_s is None
    assert related.answer_slope == PACKED.answer_tokens


def test_another_taxonomy_teaches_how_much_a_model_writes() -> None:
    """In proportion to what was expected."""
    fits = learned(singles()).fits
    other = {"other": fits[SINGLE.key]}
    model = Calibration(other).model(SINGLE)
    assert model.usage(Load(1, 1, 0)).completion_tokens == 19
    assert model.latency_s == 0.5


def test_mending_answers_is_a_part_of_the_bill() -> None:
    """A repair is on its own form, what is asked alone after a pack is a cost of packing."""
    one, pack = singles()[0], packs()[0]
    learner = UsageLearner((SINGLE, PACKED))
    learner.on_answer(pack, Usage(900, 100), 1.0, is_again=False)
    learner.on_answer(one, Usage(90, 10), 1.0, is_again=True)
    assert Calibration(learner.fits).model(PACKED).again_share == pytest.approx(0.1)
    alone = UsageLearner((SINGLE, PACKED))
    alone.on_answer(one, Usage(90, 10), 1.0, is_again=False)
    alone.on_answer(PROMPT.repair(one, "no", "no JSON"), Usage(15, 5), 1.0, is_again=True)
    model = Calibration(alone.fits).model(SINGLE)
    assert model.again_share == pytest.approx(0.2)
    assert model.usage(Load(10, 10, 0)).completion_tokens == 120
    only_repairs = UsageLearner((SINGLE,))
    only_repairs.on_answer(one, Usage(90, 10), 1.0, is_again=True)
    assert Calibration(only_repairs.fits).model(SINGLE).answers == 0


def test_of_very_many_answers_one_in_ten_teaches() -> None:
    """The line has enough, and the share of what is asked again stays what it is."""
    one = singles()[0]
    learner = UsageLearner((SINGLE,))
    for number in range(int(MAX_ANSWERS) + 100 * STRIDE):
        learner.on_answer(one, Usage(90, 10), 1.0, is_again=number % 3 == 0)
    model = Calibration(learner.fits).model(SINGLE)
    assert learner.fits[SINGLE.key].prompt.n == pytest.approx((MAX_ANSWERS + 100) * 2 / 3, rel=0.01)
    assert model.again_share == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        (singles()[0], Usage(90, 10, is_estimate=True)),
        (singles()[0], Usage(0, 10)),
        (ModelRequest(("t",), (), None, 9), Usage(90, 10)),
        (build_prompt(BUILT_IN, max_output_tokens=9).repair(singles()[0], "", ""), None),
    ],
)
def test_what_is_no_report_teaches_nothing(answer: tuple[ModelRequest, Usage | None]) -> None:
    """Estimates, empty reports, and requests of another prompt."""
    request, told = answer
    learner = UsageLearner((PACKED,) if told is None else (SINGLE,))
    learner.on_answer(request, told or Usage(90, 10), 1.0, is_again=False)
    assert learner.fits == {}


def test_characters_and_tokens_are_compared() -> None:
    """So that texts which nobody estimated can be reckoned with."""
    model = Calibration(learned(singles()).fits).model(SINGLE)
    assert model.tokens_per_char == pytest.approx(0.2, abs=0.03)
    assert Calibration().model(SINGLE).tokens_per_char == TOKENS_PER_CHAR


def test_runs_add_up_and_the_oldest_forms_go() -> None:
    """What is old counts less once there is much of it."""
    first, second = learned(singles()[:50]).fits, learned(singles()[50:]).fits
    both = Calibration(first).plus(second)
    assert both.answers == 200
    whole = learned(singles()).fits[SINGLE.key]
    assert both.fits[SINGLE.key].prompt.x == pytest.approx(whole.prompt.x, rel=0.01)
    many = Calibration()
    for number in range(MAX_FORMS + 5):
        many = many.plus({f"form {number}": Fit(False, 1.0, 1.0, Line(1, 1, 1, 1, 1))})
    assert list(many.fits) == [f"form {number}" for number in range(5, MAX_FORMS + 5)]
    assert list(many.plus({"form 9": Fit(False, 1.0, 1.0)}).fits)[-1] == "form 9"
    much = Calibration()
    for _ in range(10):
        much = much.plus(learned(singles()).fits)
    assert much.answers == MAX_ANSWERS
    assert much.fits[SINGLE.key].prompt.x / MAX_ANSWERS == pytest.approx(whole.prompt.x / 200, 0.01)


def test_lines_stay_plausible() -> None:
    """Points that lie on a wall do not make a slope; points at 0 neither."""
    wall = Line()
    wall.add(100, 0)
    wall.add(101, 100_000)
    assert wall.fitted(0.0, 1.0)[1] <= SLOPE_RANGE
    falling = Line()
    falling.add(100, 100_000)
    falling.add(5_000, 0)
    assert falling.fitted(0.0, 1.0)[1] >= 1 / SLOPE_RANGE
    assert Line().fitted(3.0, 2.0) == (3.0, 2.0)
    nothing = Line()
    nothing.add(0, 7)
    assert nothing.fitted(3.0, 1.0) == (7.0, 1.0)


numbers = st.floats(0, 1e12)


@given(st.booleans(), st.lists(numbers, min_size=17, max_size=17))
def test_fits_survive_json(is_packed: bool, values: list[float]) -> None:
    """Every sum comes back."""
    told = [is_packed, *values]
    assert fit_as_json(fit_from_json(told)) == told


@pytest.mark.parametrize(
    "value",
    [None, {}, [], [True], [1, *[0.0] * 17], [True, *[0.0] * 16, "0"], [True, *[0.0] * 16, True],
     [True, *[0.0] * 16, float("nan")], [True, *[0.0] * 16, -1.0], [True, *[0.0] * 18]],
)  # fmt: skip
def test_what_is_no_fit_is_refused(value: object) -> None:
    """Whatever stands there."""
    with pytest.raises(ValueError, match="no fit"):
        fit_from_json(value)

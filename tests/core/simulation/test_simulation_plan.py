"""Plans: their ranges, and how they are written as text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.core.simulation.plan import Outage, RetryAfter, SimulationPlan
from inference_forge.core.simulation.plan_text import OPTIONS, plan_from_text, read_outage
from inference_forge.errors import SettingsError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("error_rate", 1.5),
        ("hang_rate", -0.1),
        ("disagreement_rate", math.nan),
        ("latency_s", -1.0),
        ("latency_s", math.inf),
        ("latency_jitter", 4.1),
        ("reasoning_tokens", -1),
        ("rpm", 0.0),
        ("bucket_requests", 0),
        ("max_concurrency", 0),
        ("quota_requests", 0),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    """The message names the field and the value."""
    with pytest.raises(SettingsError, match=rf"simulation: {field} is .*; use "):
        SimulationPlan(**{field: value})


def test_faults_cannot_be_more_than_all_requests() -> None:
    """They exclude each other, so their shares add up."""
    SimulationPlan(error_rate=0.5, hang_rate=0.5)
    with pytest.raises(SettingsError, match=r"add up to 1\.1; 1 is the most"):
        SimulationPlan(error_rate=0.6, hang_rate=0.5)


@pytest.mark.parametrize(
    ("outage", "says"),
    [
        ((-1.0, 5.0), "starts at 0 s or later"),
        ((math.inf, 5.0), "starts at 0 s or later"),
        ((0.0, 0.0), "lasts above 0 s"),
        ((0.0, math.nan), "lasts above 0 s"),
        ((0.0, 1.0, 200), "status is 400 to 599"),
    ],
)
def test_an_impossible_outage_is_refused(outage: Any, says: str) -> None:
    """So that a typing error does not pass for a quiet day."""
    with pytest.raises(SettingsError, match=says):
        Outage(*outage)


def test_an_outage_ends() -> None:
    """Its start belongs to it, its end does not."""
    outage = Outage(10.0, 5.0)
    assert [outage.covers(at) for at in (9.9, 10.0, 14.9, 15.0)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("fields", "requests", "tokens"),
    [
        ({}, None, None),
        ({"rpm": 600}, 600, None),
        ({"rpm": 600, "bucket_requests": 10}, 10, None),
        ({"bucket_requests": 10, "bucket_tokens": 10}, None, None),
        ({"tpm": 6000}, None, 6000),
        ({"tpm": 6000, "bucket_tokens": 50}, None, 50),
        ({"rpm": 600, "tpm": 6000}, 600, 6000),
        ({"rpm": 600, "tpm": 6000, "bucket_requests": 10}, 10, 100),
        ({"rpm": 600, "tpm": 6000, "bucket_requests": 10, "bucket_tokens": 7}, 10, 7),
    ],
)
def test_capacities(fields: Any, requests: float | None, tokens: float | None) -> None:
    """A minute's worth, unless it was chosen; tokens go with the requests."""
    plan = SimulationPlan(**fields)
    assert (plan.request_capacity, plan.token_capacity) == (requests, tokens)


def test_all_slow_down_beyond_the_limit() -> None:
    """At twice the limit and a slowdown of 1, everything takes twice as long."""
    plan = SimulationPlan(max_concurrency=4)
    assert [plan.slowness(n) for n in (1, 4, 5, 8)] == [1.0, 1.0, 1.25, 2.0]
    assert SimulationPlan(max_concurrency=4, slowdown=0).slowness(100) == 1.0
    assert SimulationPlan().slowness(10_000) == 1.0


def test_a_plan_from_text() -> None:
    """Everything that can be said, in one line."""
    plan = plan_from_text(
        "latency=200ms, jitter=0.5,rpm=3000 ,seed=1,outage=10s:90s,outage=5:1m:500,"
        "outage=0:1:reset,error-rate=5%,Retry_After=MS,rate-headers=no,key=a,key=b,model=m,"
        "follows_injections=yes,quota=7,throttle_rate=0.25"
    )
    assert plan == SimulationPlan(
        latency_s=0.2,
        latency_jitter=0.5,
        rpm=3000,
        seed=1,
        outages=(Outage(10, 90), Outage(5, 60, 500), Outage(0, 1, None)),
        error_rate=0.05,
        retry_after=RetryAfter.MILLISECONDS,
        send_rate_headers=False,
        valid_keys=("a", "b"),
        models=("m",),
        follows_injections=True,
        quota_requests=7,
        throttle_rate=0.25,
    )


def test_no_text_is_the_plain_plan() -> None:
    """Nothing has to be said."""
    assert plan_from_text(" ,") == SimulationPlan()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latncy=1", r"FILE: unknown name 'latncy': did you mean 'latency'\? Known: seed, "),
        ("zzz", r"FILE: unknown name 'zzz': Known: "),
        ("rpm=1,rpm=2", "FILE: rpm is given twice"),
        ("rpm=fast", "FILE: rpm: 'fast' cannot be used: use a number"),
        ("rpm", "FILE: rpm: '' cannot be used: use a number"),
        ("seed=1.5", "use a whole number"),
        ("latency=3q", "use seconds, or a text such as"),
        ("error_rate=x%", "use a share such as 0.05 or 5%"),
        ("rate_headers=perhaps", "use yes or no"),
        ("retry_after=soon", "use seconds, ms, date, none"),
        ("key=", "use a word"),
        ("outage=10s", "use START:DURATION"),
        ("outage=1:2:3:4", "use START:DURATION"),
        ("outage=1:2:bad", "use a whole number"),
        ("outage=1:0", "lasts above 0 s"),
        ("rpm=0", "rpm is 0"),
    ],
)
def test_a_text_that_means_nothing_is_refused(text: str, says: str) -> None:
    """The message says where, what, and what is understood."""
    with pytest.raises(SettingsError, match=says):
        plan_from_text(text, source="FILE")


def test_every_field_can_be_said() -> None:
    """A field without a name in the text could not be set by a user."""
    assert {option.field for option in OPTIONS} == set(SimulationPlan.__struct_fields__)
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    defaults = SimulationPlan()
    assert all(option.default == getattr(defaults, option.field) for option in OPTIONS)


def test_an_outage_is_read() -> None:
    """Spaces and case do not matter."""
    assert read_outage(" 1m : 30s : RESET ") == Outage(60, 30, None)


@given(st.text(max_size=40))
def test_any_text_is_a_plan_or_a_settings_error(text: str) -> None:
    """Nothing else gets out."""
    try:
        plan = plan_from_text(text)
    except SettingsError:
        return
    assert isinstance(plan, SimulationPlan)

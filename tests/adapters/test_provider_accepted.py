"""Asking in a weaker way what a server refuses in a stronger one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from servers import Reply as Scripted
from servers import anthropic_error, completion, error, message

from inference_forge.adapters.providers.accepted import (
    ANTHROPIC_TERMS,
    OPENAI_TERMS,
    Manner,
    is_about_manner,
    next_manner,
    weakest,
)
from inference_forge.adapters.providers.any_way import ask_any_way
from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import load_presets
from inference_forge.adapters.providers.verdict import Complaint, read_complaint
from inference_forge.errors import (
    ProviderError,
    ThrottleError,
    TicketError,
    TransientError,
    WayRefused,
)
from inference_forge.models import BucketHint, Message, ModelRequest, RateLimitHints

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference_forge.models import ModelAnswer

PRESETS = load_presets()
OPENAI = Manner("json_schema", 0.0, "max_completion_tokens")
OLD = replace(OPENAI, cap_field="max_tokens")
REQUEST = ModelRequest(
    texts=("refund please",),
    messages=(Message("system", "classify"), Message("user", "refund please")),
    schema={"type": "object"},
    max_output_tokens=60,
)


def complain(said: str, *, param: object = None, code: object = None) -> Complaint:
    """Return a complaint in OpenAI's shape."""
    body = {"error": {"message": said, "param": param, "code": code}}
    return read_complaint(orjson.dumps(body))


def next_openai(manner: Manner, complaint: Complaint) -> Manner | None:
    """Return the next way to ask a server that speaks OpenAI's format."""
    return next_manner(manner, complaint, OPENAI_TERMS, has_schema=True)


# Each as public reports quote the server; accepted.py names them.
FORM = [
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "The parameter `response_format.type` specified in the request are not valid",
    "The response_format parameter is unsupported at the moment. Leave it unset.",
    "invalid schema for response format: minItems is not supported",
    "This model does not support structured outputs",
    "Failed to compile the grammar",
    "guided_json is not enabled on this server",
]


@pytest.mark.parametrize("said", FORM)
def test_a_form_that_is_refused_is_weakened_step_by_step(said: str) -> None:
    """From a schema to any object to nothing, and then the complaint is the answer."""
    first = next_openai(OPENAI, complain(said))
    assert first == replace(OPENAI, structured="json_object")
    second = next_openai(first, complain(said))
    assert second == replace(OPENAI, structured="plain")
    assert next_openai(second, complain(said)) is None


@pytest.mark.parametrize(
    ("manner", "complaint", "expected"),
    [
        (OPENAI, complain("no", param="response_format"),
         replace(OPENAI, structured="json_object")),
        (OPENAI, complain("no", param="response_format.type"),
         replace(OPENAI, structured="json_object")),
        (OPENAI, complain("Unsupported value: 'temperature' does not support 0.0 with this model.",
                          param="temperature", code="unsupported_value"),
         replace(OPENAI, temperature=None)),
        (OPENAI, complain("`temperature` is deprecated for this model."),
         replace(OPENAI, temperature=None)),
        (OPENAI, complain("temperature must be 1"), replace(OPENAI, temperature=None)),
        (OLD, complain("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                       "'max_completion_tokens' instead.", param="max_tokens",
                       code="unsupported_parameter"),
         replace(OPENAI, is_cap_renamed=True)),
        (OLD, complain("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                       "'max_completion_tokens' instead.", code="invalid_request_body"),
         replace(OPENAI, is_cap_renamed=True)),
        (OPENAI, complain("Unrecognized request argument supplied: max_completion_tokens"),
         replace(OLD, is_cap_renamed=True)),
    ],
)  # fmt: skip
def test_what_is_named_is_what_changes(
    manner: Manner, complaint: Complaint, expected: Manner
) -> None:
    """The field or the message names it; the rest stays."""
    assert next_openai(manner, complaint) == expected


@pytest.mark.parametrize(
    ("manner", "complaint"),
    [
        (OPENAI, complain("bad request")),
        (OPENAI, complain("Generated JSON does not match the expected schema",
                          code="json_validate_failed")),
        (replace(OPENAI, temperature=None), complain("no", param="temperature")),
        (replace(OPENAI, is_cap_renamed=True), complain("unknown", param="max_completion_tokens")),
        (OLD, complain("max_tokens is too large: 5000", param="max_tokens", code="invalid_value")),
        (OLD, complain("'max_tokens' is not supported", param="messages")),
        (replace(OPENAI, cap_field="n_predict"), complain("unknown field n_predict")),
        (OPENAI, complain("the temperature in this ticket")),
        (replace(OPENAI, stream="with usage", reasoning=({"reasoning_effort": "low"},)),
         complain("thinking aloud of a stream", param="messages")),
        (OPENAI, complain("your 'temperature' is odd", param="messages")),
    ],
)  # fmt: skip
def test_other_complaints_change_nothing(manner: Manner, complaint: Complaint) -> None:
    """A value, an answer's fault or another field is the request's own trouble."""
    assert next_openai(manner, complaint) is None


def test_without_a_schema_no_form_is_weakened() -> None:
    """Free text asked for no form."""
    complaint = complain("no", param="response_format")
    assert next_manner(OPENAI, complaint, OPENAI_TERMS, has_schema=False) is None


@pytest.mark.parametrize(
    "said",
    [
        "tool_choice forces tool use is not compatible with this model",
        "Thinking may not be enabled when tool_choice forces tool use.",
        "tools.0.input_schema: JSON schema is invalid",
    ],
)
def test_anthropic_speaks_of_tools(said: str) -> None:
    """A tool that must be called becomes one that may be, then none."""
    complaint = Complaint(frozenset({"invalid_request_error"}), said)
    found = next_manner(OLD, complaint, ANTHROPIC_TERMS, has_schema=True)
    assert found == replace(OLD, structured="json_object")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"],
                      "msg": "Extra inputs are not permitted"}]}, "max_completion_tokens"),
        ({"object": "error", "message": {"detail": [
            {"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"],
             "msg": "Extra inputs are not permitted"}]}}, "max_completion_tokens"),
        ({"detail": [{"type": "x", "loc": ["body", "response_format", 0, "type"], "msg": "no"}]},
         "response_format.type"),
        ({"detail": [{"loc": "body", "msg": None}]}, ""),
        ({"detail": ["x"]}, ""),
        ({"detail": []}, ""),
        ({"error": {"param": "temperature"}}, "temperature"),
        ({"error": {"param": 5}}, ""),
    ],
)  # fmt: skip
def test_complaints_name_fields_in_several_ways(body: Any, field: str) -> None:
    """OpenAI's `param`, and the lists of FastAPI and its users."""
    assert read_complaint(orjson.dumps(body)).field == field


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "rejected", True),
        (404, "not_found", True),
        (422, "rejected", True),
        (500, "rejected", True),
        (400, "context_length", False),
        (400, "filtered", False),
        (404, "unknown_model", False),
        (413, "rejected", False),
        (500, "server_error", False),
        (429, "rate_limited", False),
    ],
)
def test_only_some_refusals_come_from_the_way_of_asking(
    status: int, code: str, expected: bool
) -> None:
    """Faults, throttles and refusals with a known cause do not."""
    assert is_about_manner(status, code) is expected


FULL = replace(OLD, stream="with usage", reasoning=({"reasoning_effort": "low"}, {"thinking": {}}))
NAMED = ["", "temperature", "response_format", "max_tokens", "tools", "stream", "stream_options",
         "reasoning_effort", "thinking.type"]  # fmt: skip


@given(
    said=st.text(max_size=30)
    | st.sampled_from([*FORM, "temperature is", "unknown max_tokens", "reasoning", "stream"]),
    fields=st.lists(st.sampled_from(NAMED), min_size=1, max_size=9),
    terms=st.sampled_from([OPENAI_TERMS, ANTHROPIC_TERMS]),
)
def test_every_chain_of_refusals_ends(said: str, fields: list[str], terms: Any) -> None:
    """At most eight steps: two each of forms, streams and reasoning, a temperature and a name."""
    manner = FULL
    for step in range(9):
        field = fields[step % len(fields)]
        complaint = Complaint(frozenset({"unsupported_parameter"}), said, field)
        weaker = next_manner(manner, complaint, terms, has_schema=True)
        if weaker is None:
            return
        manner = weaker
    pytest.fail("there is always another way")


class Refusing:
    """A server that refuses what it is told to, and records what it was asked."""

    def __init__(self, answer: Callable[[Any], Scripted | None], success: Scripted) -> None:
        self.bodies: list[Any] = []
        self._answer, self._success = answer, success

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.bodies.append(orjson.loads(request.content))
        reply = self._answer(self.bodies[-1]) or self._success
        return httpx.Response(reply.status, json=reply.body, headers=dict(reply.headers))


class Asked:
    """A provider at such a server, and the notes it made."""

    def __init__(
        self,
        answer: Callable[[Any], Scripted | None],
        name: str = "openai",
        success: Scripted | None = None,
        **options: Any,
    ) -> None:
        self.notes: list[tuple[str, str]] = []
        self.server = Refusing(answer, success or completion('{"category":"billing"}'))
        self.provider = connect(
            PRESETS[name],
            api_key=ApiKey("k", source="KEY"),
            max_connections=9,
            clock=lambda: 0.0,
            estimate_tokens=len,
            model="m",
            transport=httpx.MockTransport(self.server),
            note=lambda code, said: self.notes.append((code, said)),
            **options,
        )

    async def ask(self) -> ModelAnswer:
        """Ask once."""
        return await ask_any_way(self.provider, REQUEST)


def no_schema(body: Any) -> Scripted | None:
    """Refuse a schema."""
    is_refused = body.get("response_format", {}).get("type") == "json_schema"
    return error(400, None, "response_format json_schema: no") if is_refused else None


async def test_a_weaker_form_is_remembered() -> None:
    """The first request is asked twice, the others once; the user is told once."""
    asked = Asked(no_schema)
    before = dict(asked.provider.generation)
    for _ in range(3):
        assert (await asked.ask()).text == '{"category":"billing"}'
    forms = [body["response_format"]["type"] for body in asked.server.bodies]
    assert forms == ["json_schema", "json_object", "json_object", "json_object"]
    said = (
        "api.openai.com refuses response_format json_schema for m; asked with response_format "
        "json_object instead"
    )
    assert asked.notes == [("form_json_object:m", said)]
    assert asked.provider.generation == before  # the next run looks for these answers
    await asked.provider.aclose()


async def test_everything_may_be_refused_in_turn() -> None:
    """Form, temperature and the cap's name, each by its own complaint."""

    def strict(body: Any) -> Scripted | None:
        if "temperature" in body:
            return error(400, None, "Unsupported value: 'temperature' does not support 0.0")
        if "max_completion_tokens" in body:
            return error(422, None, "unknown field max_completion_tokens")
        return error(404, None, "no response_format here") if "response_format" in body else None

    asked = Asked(strict)
    await asked.ask()
    await asked.ask()
    assert sorted(asked.server.bodies[-1]) == ["max_tokens", "messages", "model"]
    assert asked.server.bodies[-1]["max_tokens"] == 60
    assert len(asked.server.bodies) == 6
    assert [code for code, _ in asked.notes] == ["form_plain:m", "no_temperature:m",
                                                 "cap_max_tokens:m"]  # fmt: skip
    await asked.provider.aclose()


async def test_one_refusal_changes_one_thing() -> None:
    """A model without a temperature keeps its schema."""
    said = "Unsupported value: 'temperature' does not support 0.0 with this model."
    refused = error(400, "unsupported_value", said)
    asked = Asked(lambda body: refused if "temperature" in body else None)
    await asked.ask()
    assert asked.server.bodies[-1]["response_format"]["type"] == "json_schema"
    told = "api.openai.com refuses temperature 0 for m; asked with its own default instead"
    assert asked.notes == [("no_temperature:m", told)]
    await asked.provider.aclose()


async def test_nothing_is_learned_from_a_ticket_that_is_refused_anyway() -> None:
    """A complaint may quote a ticket; only what gets an answer counts."""
    bad = True

    def picky(_body: Any) -> Scripted | None:
        return error(400, None, "your text 'response_format' is not allowed") if bad else None

    asked = Asked(picky)
    with pytest.raises(TicketError) as caught:
        await asked.ask()
    assert caught.value.code == "rejected"
    assert len(asked.server.bodies) == 3
    bad = False
    await asked.ask()
    assert asked.server.bodies[-1]["response_format"]["type"] == "json_schema"
    assert asked.notes == []
    await asked.provider.aclose()


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (error(429, headers={"retry-after": "5"}), ThrottleError),
        (error(500), TransientError),
        (Scripted(body={}), TransientError),
    ],
)
async def test_a_fault_on_the_way_is_itself(second: Scripted, kind: type[ProviderError]) -> None:
    """A throttle or fault after a refusal reaches the engine; nothing is remembered yet."""
    asked = Asked(lambda body: no_schema(body) or second)
    with pytest.raises(kind):
        await asked.ask()
    assert asked.notes == []
    with pytest.raises(kind):
        await asked.ask()
    assert asked.server.bodies[2]["response_format"]["type"] == "json_schema"
    await asked.provider.aclose()


async def test_other_refusals_are_not_asked_again() -> None:
    """One request, one error."""
    headers = {"x-ratelimit-remaining-requests": "7"}
    refused = error(400, "context_length_exceeded", "response_format too long", headers=headers)
    asked = Asked(lambda _body: refused)
    with pytest.raises(TicketError) as caught:
        await asked.ask()
    assert len(asked.server.bodies) == 1
    assert caught.value.hints == RateLimitHints(requests=BucketHint(remaining=7))
    await asked.provider.aclose()


async def test_one_call_is_one_request() -> None:
    """Who asks decides when the next one leaves: it has to be paid for and paced like any other."""
    asked = Asked(no_schema)
    with pytest.raises(WayRefused) as caught:
        await asked.provider.ask(REQUEST)
    assert len(asked.server.bodies) == 1
    assert (caught.value.code, caught.value.status) == ("rejected", 400)
    assert (await asked.provider.ask(REQUEST, caught.value.way)).text == '{"category":"billing"}'
    assert len(asked.server.bodies) == 2
    await asked.provider.aclose()


async def test_what_another_request_found_out_is_used_at_once() -> None:
    """Who was sent before that, and is refused after it, takes no step of its own."""

    def plain_only(body: Any) -> Scripted | None:
        said = "no response_format, please"
        return error(400, None, said) if "response_format" in body else None

    asked = Asked(plain_only)
    with pytest.raises(WayRefused) as late:
        await asked.provider.ask(REQUEST)
    await asked.ask()
    assert len(asked.server.bodies) == 4  # the late one, and three steps
    await asked.provider.ask(REQUEST, late.value.way)
    assert len(asked.server.bodies) == 5
    assert "response_format" not in asked.server.bodies[-1]
    await asked.provider.aclose()


async def test_a_late_answer_does_not_bring_back_what_was_refused_since() -> None:
    """Several servers behind one address may differ; what one of them refuses is left out."""
    late, bodies = anyio.Event(), []

    async def reply(request: httpx.Request) -> httpx.Response:
        bodies.append(orjson.loads(request.content))
        if len(bodies) == 1:
            await late.wait()
        elif "temperature" in bodies[-1]:
            return httpx.Response(400, json=error(400, None, "no 'temperature'").body)
        return httpx.Response(200, json=completion("{}").body)

    provider = connect(
        PRESETS["openai"],
        api_key=ApiKey("k", source="KEY"),
        max_connections=9,
        clock=lambda: 0.0,
        estimate_tokens=len,
        model="m",
        transport=httpx.MockTransport(reply),
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(provider.ask, REQUEST)
        await anyio.wait_all_tasks_blocked()
        await ask_any_way(provider, REQUEST)
        late.set()
    assert "temperature" in bodies[0]
    await provider.ask(REQUEST)
    assert "temperature" not in bodies[-1]
    assert len(bodies) == 4
    await provider.aclose()


async def test_a_way_that_is_not_its_own_does_not_matter() -> None:
    """Another provider's way says nothing here."""
    asked = Asked(lambda _body: None)
    await asked.provider.ask(REQUEST, object())
    assert asked.server.bodies[0]["response_format"]["type"] == "json_schema"
    await asked.provider.aclose()


MANNERS = st.tuples(
    st.sampled_from(["json_schema", "json_object", "plain"]),
    st.sampled_from([0.0, None]),
    st.just("max_tokens"),
    st.just(False),
    st.sampled_from(["with usage", "without usage", "no"]),
    st.sampled_from([FULL.reasoning, FULL.reasoning[1:], ()]),
).map(lambda values: Manner(*values))


@given(one=MANNERS, other=MANNERS)
def test_the_weakest_of_two_ways_leaves_out_what_either_does(one: Manner, other: Manner) -> None:
    """It does not matter in which order, nor how often."""
    both = weakest(one, other)
    assert both == weakest(other, one) == weakest(both, one) == weakest(both, both)
    assert weakest(FULL, one) == one
    renamed = replace(one, cap_field="max_completion_tokens", is_cap_renamed=True)
    assert weakest(renamed, other).cap_field == weakest(other, renamed).cap_field
    assert weakest(other, renamed).cap_field == "max_completion_tokens"


async def test_requests_at_the_same_time_agree() -> None:
    """All find out what the server takes, and end up asking alike."""
    asked = Asked(no_schema)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(asked.ask)
    count = len(asked.server.bodies)
    await asked.ask()
    assert len(asked.server.bodies) == count + 1
    assert len({code for code, _ in asked.notes}) == 1
    await asked.provider.aclose()


async def test_anthropic_steps_down_too() -> None:
    """Models that think always refuse a forced tool, the newest any temperature."""

    def thinker(body: Any) -> Scripted | None:
        if body.get("tool_choice", {}).get("type") == "tool":
            said = "tool_choice forces tool use is not compatible with this model"
            return anthropic_error(400, "invalid_request_error", said)
        if "temperature" in body:
            return anthropic_error(400, "invalid_request_error", "`temperature` is deprecated")
        return None

    asked = Asked(thinker, "anthropic", message({"category": "billing"}))
    assert (await asked.ask()).text == '{"category":"billing"}'
    await asked.ask()
    assert len(asked.server.bodies) == 4
    assert asked.server.bodies[-1]["tool_choice"] == {"type": "auto"}
    assert "temperature" not in asked.server.bodies[-1]
    assert asked.notes[0][1] == (
        "api.anthropic.com refuses a forced tool for m; asked with a tool that is not forced "
        "instead"
    )
    await asked.provider.aclose()

"""How much a model is to think: said to each provider in its own words, and watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from msgspec.structs import replace
from servers import Reply, anthropic_error, completion, error, message
from streams import chat_events, message_events, streamed

from inference_forge.adapters.providers.accepted import (
    ANTHROPIC_TERMS,
    OPENAI_TERMS,
    Manner,
    next_manner,
)
from inference_forge.adapters.providers.any_way import ask_any_way
from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import load_presets
from inference_forge.adapters.providers.verdict import Complaint
from inference_forge.core.parse import AnswerParser
from inference_forge.core.reasoning import MAX_REASONING_CHARS
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.errors import SettingsError, TicketError
from inference_forge.models import Message, ModelRequest
from inference_forge.settings import Reasoning

if TYPE_CHECKING:
    from collections.abc import Callable

PRESETS = load_presets()
LABELS = {"category": "billing", "priority": "low", "summary": "a refund"}
TEXT = orjson.dumps(LABELS).decode()
REQUEST = ModelRequest(
    texts=("refund please",),
    messages=(Message("system", "classify as JSON"), Message("user", "refund please")),
    schema={"type": "object"},
    max_output_tokens=60,
)
OFF, LOW, MEDIUM, HIGH = Reasoning


class Asked:
    """A provider at a server that answers by a script, and what it told."""

    def __init__(self, answer: Callable[[Any], Reply], name: str, **options: Any) -> None:
        self.notes: list[str] = []
        self.warnings: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self._answer = answer
        self.provider = connect(
            PRESETS[name],
            api_key=ApiKey("sk-canary", source="KEY"),
            max_connections=9,
            clock=lambda: 0.0,
            estimate_tokens=len,
            model="m",
            transport=httpx.MockTransport(self._reply),
            note=lambda _code, said: self.notes.append(said),
            warn=lambda code, said: self.warnings.append((code, said)),
            **options,
        )

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(orjson.loads(request.content))
        reply = self._answer(self.bodies[-1])
        body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
        headers = httpx.Headers({"content-type": "application/json"})
        headers.update(dict(reply.headers))
        return httpx.Response(reply.status, headers=headers, content=body)

    async def ask(self, times: int = 1) -> Any:
        """Ask, and return the last answer."""
        answers = [await ask_any_way(self.provider, REQUEST) for _ in range(times)]
        return answers[-1]


def success(name: str) -> Reply:
    """Return an answer in a provider's format."""
    return message(LABELS) if PRESETS[name].wire == "anthropic" else completion(TEXT)


async def sent(name: str, level: Reasoning | None) -> dict[str, Any]:
    """Return the request that asks a provider for a level."""
    asked = Asked(lambda _body: success(name), name, reasoning=level)
    await asked.ask()
    await asked.provider.aclose()
    assert (asked.notes, asked.warnings) == ([], [])
    body: dict[str, Any] = asked.bodies[0]
    return body


def effort(level: str) -> dict[str, object]:
    """Return OpenAI's field."""
    return {"reasoning_effort": level}


def kwargs(**values: object) -> dict[str, object]:
    """Return what is passed on to a chat template."""
    return {"chat_template_kwargs": values}


LEVELS = ("low", "medium", "high")
EFFORTS = {Reasoning(level): effort(level) for level in LEVELS}
ON = {"enable_thinking": True}
BOTH = {"enable_thinking": True, "thinking": True}
# As published; presets.toml names the pages.
PUBLISHED: dict[str, dict[Reasoning, dict[str, Any]]] = {
    "sarvam": {OFF: {"reasoning_effort": None}, **EFFORTS},
    "openai": {OFF: effort("none"), **EFFORTS},
    "anthropic": {
        OFF: {"thinking": {"type": "disabled"}},
        **{
            Reasoning(level): {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": level},
            }
            for level in LEVELS
        },
    },
    "groq": {OFF: effort("none"), **EFFORTS},
    "together": {OFF: {"reasoning": {"enabled": False}}, **EFFORTS},
    "mistral": {OFF: effort("none"), **EFFORTS},
    "openrouter": {
        OFF: {"reasoning": {"effort": "none"}},
        **{Reasoning(level): {"reasoning": {"effort": level}} for level in LEVELS},
    },
    "friendli": {
        OFF: kwargs(enable_thinking=False),
        HIGH: {**kwargs(enable_thinking=True), "parse_reasoning": True},
    },
    "ollama": {OFF: effort("none"), **EFFORTS},
    "vllm": {
        OFF: kwargs(enable_thinking=False, thinking=False),
        **{Reasoning(level): {**effort(level), **kwargs(**BOTH)} for level in LEVELS},
    },
    "llamacpp": {
        OFF: kwargs(enable_thinking=False),
        **{Reasoning(level): kwargs(**ON, reasoning_effort=level) for level in LEVELS},
    },
}


def test_every_provider_is_published() -> None:
    """A new preset says how it is told to reason, or that it cannot be."""
    assert set(PUBLISHED) == set(PRESETS)


@pytest.mark.parametrize(
    ("name", "level"), [(name, level) for name, told in PUBLISHED.items() for level in told]
)
async def test_each_level_is_said_as_it_is_published(name: str, level: Reasoning) -> None:
    """And nothing else of the request changes, besides what Claude takes with thoughts."""
    usual = await sent(name, None)
    if name == "anthropic" and level is not OFF:
        del usual["temperature"]  # with thoughts only the default is allowed
        usual["tool_choice"] = {"type": "auto"}  # and no tool may be forced
    assert await sent(name, level) == usual | PUBLISHED[name][level]


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_cannot_be_said_is_an_error(name: str) -> None:
    """Never left out in silence; the message tells what can be said."""
    for level in Reasoning:
        if level in PUBLISHED[name]:
            continue
        with pytest.raises(SettingsError) as caught:
            Asked(lambda _body: completion(), name, reasoning=level)
        assert str(caught.value) == (
            f"--reasoning {level} cannot be said to {name}: it understands off, high; choose one "
            "of these, or leave --reasoning out for the model's own way"
        )


def test_a_provider_without_any_way_says_so() -> None:
    """As a preset of one's own may be."""
    preset = replace(PRESETS["ollama"], reasoning={})
    with pytest.raises(SettingsError, match="it understands none; "):
        connect(
            preset,
            api_key=None,
            max_connections=1,
            clock=lambda: 0.0,
            estimate_tokens=len,
            model="m",
            reasoning=LOW,
        )


def generation(name: str, level: Reasoning | None) -> dict[str, object]:
    """Return what goes into the fingerprint."""
    return dict(Asked(lambda _body: completion(), name, reasoning=level).provider.generation)


def test_what_is_cached_stays_valid() -> None:
    """Nothing new is in the fingerprint of who says nothing, or what is said anyway."""
    assert generation("openai", None) == {"temperature": 0.0, "structured": "json_schema"}
    sarvam = {"reasoning_effort": None, "temperature": 0.0, "structured": "json_schema"}
    assert generation("sarvam", None) == generation("sarvam", OFF) == sarvam


@pytest.mark.parametrize("name", PUBLISHED)
def test_levels_are_cached_apart(name: str) -> None:
    """Another level is another question."""
    seen = [generation(name, level) for level in PUBLISHED[name]]
    assert all(a != b for n, a in enumerate(seen) for b in seen[n + 1 :])
    orjson.dumps(seen)


def has(body: Any, name: str, value: object = None) -> bool:
    """Tell whether a request has a field, with a value if one is given."""
    return name in body if value is None else body.get(name) == value


async def test_the_next_way_is_tried_when_one_is_refused() -> None:
    """Groq's Qwen knows no levels: on is on. It is told, and remembered."""
    said = "`reasoning_effort` must be one of `none` or `default`"
    refused = error(400, "invalid_request_error", said)
    asked = Asked(
        lambda body: completion(TEXT) if has(body, "reasoning_effort", "default") else refused,
        "groq",
        reasoning=HIGH,
    )
    await asked.ask(times=2)
    assert [body["reasoning_effort"] for body in asked.bodies] == ["high", "default", "default"]
    assert asked.notes == [
        (
            "api.groq.com refuses reasoning_effort high for m; asked with reasoning_effort default "
            "instead"
        )
    ]
    await asked.provider.aclose()


async def test_a_model_that_does_not_reason_answers_all_the_same() -> None:
    """And the user is told that it was asked without."""
    refused = error(400, None, "Unrecognized request argument supplied: reasoning_effort")
    asked = Asked(
        lambda body: refused if "reasoning_effort" in body else completion(TEXT),
        "openai",
        reasoning=OFF,
    )
    await asked.ask()
    assert [body.get("reasoning_effort") for body in asked.bodies] == ["none", "minimal", None]
    assert asked.bodies[-1]["response_format"]["type"] == "json_schema"
    assert asked.notes == [
        "api.openai.com refuses reasoning_effort none for m; asked with its own default instead"
    ]
    await asked.provider.aclose()


async def test_older_claudes_get_a_budget() -> None:
    """The models before 4.6 know no adaptive thinking; the budget is below the cap."""
    said = "adaptive thinking is not supported on this model"

    def script(body: Any) -> Reply:
        if body["thinking"]["type"] == "adaptive":
            return anthropic_error(400, "invalid_request_error", said)
        return message(LABELS)

    for level in (LOW, MEDIUM, HIGH):
        asked = Asked(script, "anthropic", reasoning=level)
        await asked.ask()
        thinking = asked.bodies[-1]["thinking"]
        assert thinking["type"] == "enabled"
        assert 1024 <= thinking["budget_tokens"] < level.room_tokens
        assert "output_config" not in asked.bodies[-1]
        assert "temperature" not in asked.bodies[-1]
        assert asked.bodies[-1]["tool_choice"] == {"type": "auto"}
        await asked.provider.aclose()


REASONED = Manner("json_schema", None, "max_tokens", reasoning=({"reasoning_effort": "low"},))
THOUGHT = replace(REASONED, reasoning=({"thinking": {"type": "enabled"}},))


@pytest.mark.parametrize(
    ("manner", "said", "field"),
    [
        (REASONED, "no", "reasoning_effort"),
        (REASONED, "Unsupported parameter: 'reasoning_effort'", ""),
        (REASONED, 'think value "medium" is not supported for this model', ""),
        (REASONED, '"llama3" does not support thinking', ""),
        (THOUGHT, '"thinking.type.enabled" is not supported for this model. Use another', ""),
        (THOUGHT, "output_config.effort: not available", ""),
        (THOUGHT, "no", "thinking.budget_tokens"),
    ],
)  # fmt: skip
def test_complaints_about_reasoning_are_understood(manner: Manner, said: str, field: str) -> None:
    """As public reports quote the servers; accepted.py names them."""
    for terms in (OPENAI_TERMS, ANTHROPIC_TERMS):
        complaint = Complaint(frozenset(), said, field)
        found = next_manner(manner, complaint, terms, has_schema=True)
        assert found == replace(manner, reasoning=())


def test_a_forced_tool_is_what_thinking_forbids() -> None:
    """The complaint speaks of both; the tool yields."""
    said = "Thinking may not be enabled when tool_choice forces tool use."
    found = next_manner(THOUGHT, Complaint(frozenset(), said), ANTHROPIC_TERMS, has_schema=True)
    assert found == replace(THOUGHT, structured="json_object")


async def test_nothing_is_learned_from_a_ticket_about_thinking() -> None:
    """A complaint may quote a ticket; the next one is asked with all again."""
    refused = error(400, None, "your text about reasoning and streaming is not allowed")
    is_bad = True
    asked = Asked(
        lambda _body: refused if is_bad else completion(TEXT), "openai", reasoning=LOW, stream=True
    )
    with pytest.raises(TicketError):
        await asked.ask()
    is_bad = False
    await asked.ask()
    assert asked.bodies[-1]["reasoning_effort"] == "low"
    assert asked.bodies[-1]["stream"] is True
    assert asked.notes == []
    await asked.provider.aclose()


COUNTED = {"prompt_tokens": 20, "completion_tokens": 80,
           "completion_tokens_details": {"reasoning_tokens": 60}}  # fmt: skip


def thoughtful(**fields: object) -> Reply:
    """Return an answer in OpenAI's format with thoughts in it."""
    said = {"role": "assistant", "content": TEXT, **fields}
    usage = {"prompt_tokens": 20, "completion_tokens": 100}
    return Reply(body={"model": "m-1", "usage": usage,
                       "choices": [{"message": said, "finish_reason": "stop"}]})  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "share"),
    [
        (completion(TEXT, usage=COUNTED), "75%"),
        (thoughtful(reasoning_content="x" * 40), "40%"),
        (thoughtful(reasoning="x" * 250), "100%"),
        (thoughtful(content=f"<think>{'x' * 30}</think>{TEXT}"), "30%"),
        (streamed(chat_events(TEXT, usage=COUNTED)), "75%"),
        (streamed(chat_events(TEXT, thoughts="x" * 5)), "100%"),
    ],
)
async def test_who_reasons_unasked_is_reported_once(reply: Reply, share: str) -> None:
    """By what is billed, else by the thoughts that came back; streamed or not."""
    asked = Asked(lambda _body: reply, "openai", stream="text/event" in str(reply.headers))
    answer = await asked.ask(times=3)
    assert asked.warnings == [
        (
            "reasoning:m",
            (
                f"{answer.model} at api.openai.com reasons unasked: {share} of an "
                "answer's output tokens, billed as such; --reasoning off tells it not to"
            ),
        )
    ]
    await asked.provider.aclose()


@pytest.mark.parametrize(("name", "level"), [("openai", OFF), ("sarvam", None), ("sarvam", OFF)])
async def test_who_was_told_not_to_is_not_to_be_told_again(
    name: str, level: Reasoning | None
) -> None:
    """Then there is nothing to advise."""
    asked = Asked(lambda _body: completion(TEXT, usage=COUNTED), name, reasoning=level)
    await asked.ask()
    message = asked.warnings[0][1]
    assert " reasons though it is told not to: " in message
    assert message.endswith("billed as such")
    await asked.provider.aclose()


async def test_claude_that_thinks_unasked_is_reported() -> None:
    """Its thoughts are not counted apart."""
    reply = streamed(message_events(LABELS, thoughts="hm"))
    asked = Asked(lambda _body: reply, "anthropic", stream=True)
    await asked.ask(times=2)
    assert len(asked.warnings) == 1
    assert "40% of an answer's" in asked.warnings[0][1]
    await asked.provider.aclose()


@pytest.mark.parametrize("level", [LOW, MEDIUM, HIGH])
async def test_reasoning_that_was_asked_for_is_no_news(level: Reasoning) -> None:
    """Nor is none at all."""
    asked = Asked(lambda _body: completion(TEXT, usage=COUNTED), "openai", reasoning=level)
    await asked.ask()
    silent = Asked(lambda _body: completion(TEXT), "openai")
    await silent.ask()
    assert asked.warnings == silent.warnings == []
    await asked.provider.aclose()
    await silent.provider.aclose()


LONG = "so. " * 5_000


@pytest.mark.parametrize(
    ("name", "reply", "expected"),
    [
        ("openai", thoughtful(reasoning_content=LONG), LONG),
        ("openai", streamed(chat_events(TEXT, thoughts=LONG)), LONG),
        ("openai", streamed(chat_events(f"<think>{LONG}</think>{TEXT}")), LONG),
        ("openai", streamed(chat_events(f"{LONG}</think>{TEXT}")), LONG),
        ("openai", streamed(chat_events(f"<think>a</think><think>b</think>{TEXT}")), "a\nb"),
        ("openai", streamed(chat_events(f"<think>a<think>b</think></think>{TEXT}")), "a\nb"),
        ("openai", streamed(chat_events(f"<analysis>a</analysis><final>{TEXT}</final>")), "a"),
        ("openai", streamed(chat_events(TEXT)), ""),
        ("anthropic", streamed(message_events(LABELS, thoughts=LONG)), LONG),
        ("anthropic", streamed(message_events(TEXT, thoughts=LONG)), LONG),
        ("anthropic", streamed(message_events(f"<think>{LONG}</think>{TEXT}")), LONG),
    ],
)
async def test_thoughts_are_kept_up_to_a_limit(name: str, reply: Reply, expected: str) -> None:
    """Whatever tags or fields they came in, on both wires."""
    asked = Asked(lambda _body: reply, name, stream=True, reasoning=HIGH)
    found = AnswerParser(BUILT_IN).parse(await asked.ask())
    await asked.provider.aclose()
    assert found.values["category"] == "billing"
    assert found.reasoning.strip() == expected[:MAX_REASONING_CHARS].strip()
    assert len(found.reasoning) <= MAX_REASONING_CHARS

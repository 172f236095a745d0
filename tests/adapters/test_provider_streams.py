"""Streamed answers through the providers of both wire formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import respx
from answer_corpus import load_corpus
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from servers import Reply, anthropic_error, completion, error, message
from streams import (
    DONE,
    EVENT_STREAM,
    block_events,
    chat_events,
    chunk,
    data,
    message_events,
    named,
    streamed,
)

from inference_forge.adapters.http.events import ServerEvent
from inference_forge.adapters.providers.anthropic_stream import AnthropicStream
from inference_forge.adapters.providers.any_way import ask_any_way
from inference_forge.adapters.providers.connect import connect
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.openai_stream import OpenAIStream
from inference_forge.adapters.providers.presets import load_presets
from inference_forge.core.parse import AnswerParser
from inference_forge.errors import (
    AnswerError,
    FatalError,
    ProviderError,
    ThrottleError,
    TicketError,
    TransientError,
)
from inference_forge.models import Classification, Finish, Message, ModelAnswer, ModelRequest, Usage
from inference_forge.settings import HttpStack

if TYPE_CHECKING:
    from collections.abc import Callable

PRESETS = load_presets()
LABELS = {"category": "billing", "priority": "low", "summary": "a refund"}
KEY = "sk-canary"
REQUEST = ModelRequest(
    texts=("refund please",),
    messages=(Message("system", "classify as JSON"), Message("user", "refund please")),
    schema={"type": "object"},
    max_output_tokens=60,
)


class Asked:
    """A provider at a server that answers by a script, and the notes it made."""

    def __init__(
        self, answer: Callable[[Any], Reply], name: str = "openai", **options: Any
    ) -> None:
        self.notes: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self._answer = answer
        self.provider = connect(
            PRESETS[name],
            api_key=ApiKey(KEY, source="KEY"),
            max_connections=9,
            clock=lambda: 0.0,
            estimate_tokens=len,
            model="m",
            transport=httpx.MockTransport(self._reply),
            note=lambda code, said: self.notes.append((code, said)),
            **{"stream": True, **options},
        )

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(orjson.loads(request.content))
        reply = self._answer(self.bodies[-1])
        body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
        headers = httpx.Headers({"content-type": "application/json"})
        headers.update(dict(reply.headers))
        return httpx.Response(reply.status, headers=headers, content=body)

    async def ask(self, request: ModelRequest = REQUEST) -> ModelAnswer:
        """Ask once."""
        return await ask_any_way(self.provider, request)


async def answer_to(reply: Reply, name: str = "openai", **options: Any) -> ModelAnswer:
    """Return the answer in a reply."""
    asked = Asked(lambda _body: reply, name, **options)
    answer = await asked.ask()
    await asked.provider.aclose()
    return answer


def plain(reply: Any) -> Reply:
    """Return a reply that is not streamed, with what `servers` leaves out."""
    return Reply(body=reply)


async def failure(events: list[bytes], name: str = "openai") -> ProviderError:
    """Return the error that a stream ends in."""
    with pytest.raises(ProviderError) as caught:
        await answer_to(streamed(events), name)
    assert KEY not in str(caught.value)
    return caught.value


WHOLE = [
    ("openai", chat_events(LABELS), completion(orjson.dumps(LABELS).decode())),
    ("anthropic", message_events(LABELS), message(LABELS)),
    ("anthropic", message_events("in words", stop="end_turn"), message("in words")),
]


@pytest.mark.parametrize(("name", "events", "whole"), WHOLE)
async def test_a_streamed_answer_is_the_answer(
    name: str, events: list[bytes], whole: Reply
) -> None:
    """Text, model, usage and finish are what they would have been; the first word is timed."""
    got = await answer_to(streamed(events), name)
    expected = await answer_to(whole, name, stream=False)
    assert orjson.loads(got.text) == orjson.loads(expected.text) if got.text[0] == "{" else got.text
    assert got.first_token_s is not None
    assert replace(got, text="", first_token_s=None) == replace(expected, text="")
    assert (got.usage, got.model) == (Usage(20, 5), "served-model")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thoughts_come_apart(field: str) -> None:
    """In whichever field a server puts them."""
    answer = await answer_to(streamed(chat_events("ok", thoughts="let me see", field=field)))
    assert (answer.text, answer.reasoning) == ("ok", "let me see")


THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "let me see"}]}


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "in a field", "reasoning": "in a field"},
        {"reasoning_content": "in a field", "content": [THINKING]},
        {"reasoning": "in a field", "content": [THINKING]},
    ],
)
async def test_thoughts_in_two_places_are_not_doubled(delta: dict[str, Any]) -> None:
    """As servers send them that change the field's name."""
    answer = await answer_to(streamed([data(chunk(delta)), *chat_events("ok")]))
    assert (answer.text, answer.reasoning) == ("ok", "in a field")


async def test_mistral_thinks_in_parts_of_the_content() -> None:
    """Streamed or not (docs.mistral.ai/capabilities/reasoning/adjustable)."""
    events = [
        data(chunk({"role": "assistant", "content": [THINKING]})),
        data(chunk({"content": [{"type": "text", "text": "o"}]})),
        data(chunk({"content": "k"}, "stop")),
        DONE,
    ]
    said = [THINKING, {"type": "text", "text": "ok"}]
    choice = {"message": {"content": said}, "finish_reason": "stop"}
    whole = plain({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    for answer in (
        await answer_to(streamed(events), "mistral"),
        await answer_to(whole, "mistral", stream=False),
    ):
        assert (answer.text, answer.reasoning) == ("ok", "let me see")


async def test_claude_thinks_in_blocks() -> None:
    """They stay apart from the tool's input; signatures are left out."""
    answer = await answer_to(streamed(message_events(LABELS, thoughts="let me see")), "anthropic")
    assert (orjson.loads(answer.text), answer.reasoning) == (LABELS, "let me see")


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("content_filter", Finish.FILTER),
        ("refusal", Finish.REFUSAL),
    ],
)
async def test_why_it_ended_is_told(finish: str, expected: Finish) -> None:
    """From the chunk that has no text."""
    assert (await answer_to(streamed(chat_events("x", finish=finish)))).finish is expected


async def test_a_refusal_comes_in_pieces() -> None:
    """In a field of its own, as OpenAI sends it."""
    parts = [data(chunk({"refusal": piece})) for piece in ("I'm sorry, ", "no.")]
    answer = await answer_to(streamed([*parts, data(chunk({}, "stop")), DONE]))
    assert (answer.text, answer.finish) == ("I'm sorry, no.", Finish.REFUSAL)


async def test_without_usage_it_is_estimated() -> None:
    """Text and thoughts count."""
    answer = await answer_to(streamed(chat_events("four", thoughts="six six", usage=None)))
    prompt = len("classify as JSON") + len("refund please")
    assert answer.usage == Usage(prompt, 4 + 7, is_estimate=True)


async def test_claude_counts_in_totals() -> None:
    """The last count holds; what was read from the cache is input, too."""
    cache = {"cache_read_input_tokens": 30, "cache_creation_input_tokens": 5}
    start = {"model": "c", "usage": {"input_tokens": 7, "output_tokens": 1, **cache}}
    events = [
        named({"type": "message_start", "message": start}),
        *block_events(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": "ok"}]),
        named({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
               "usage": {"input_tokens": None, "output_tokens": 9}}),
        named({"type": "message_stop"}),
    ]  # fmt: skip
    answer = await answer_to(streamed(events), "anthropic")
    assert (answer.usage, answer.model) == (Usage(42, 9, 30), "c")


async def test_a_refusal_of_claude_says_why() -> None:
    """The explanation comes with the end."""
    details = {"type": "refusal", "explanation": "not this"}
    end = {"stop_reason": "refusal", "stop_details": details}
    events = [
        named({"type": "message_delta", "delta": end, "usage": {"output_tokens": 2}}),
        named({"type": "message_stop"}),
    ]
    answer = await answer_to(streamed(events), "anthropic")
    assert (answer.text, answer.finish, answer.model) == ("not this", Finish.REFUSAL, "m")


async def test_a_call_that_was_cut_off_is_kept_as_it_is() -> None:
    """Half an object is no label: what was said of it is the text, and the finish tells why."""
    said = [{"type": "input_json_delta", "partial_json": '{"category": "bil'}]
    tool = {"type": "tool_use", "id": "t", "name": "classification", "input": {}}
    events = [
        *block_events(0, tool, said),
        named({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}),
        named({"type": "message_stop"}),
    ]
    answer = await answer_to(streamed(events), "anthropic")
    assert (answer.text, answer.finish) == ('{"category": "bil', Finish.LENGTH)


async def test_a_call_may_come_whole() -> None:
    """As servers send it that only imitate the format."""
    tool = {"type": "tool_use", "id": "t", "name": "classification", "input": LABELS}
    events = [*block_events(0, tool, []), *message_events("x")[-2:]]
    answer = await answer_to(streamed(events), "anthropic")
    assert orjson.loads(answer.text) == LABELS


def outcome(answer: ModelAnswer, parser: AnswerParser) -> Classification | str:
    """Return what becomes of an answer."""
    try:
        return parser.parse(answer)
    except AnswerError as error:
        return error.code


FINISHES = {Finish.STOP: "stop", Finish.LENGTH: "length", Finish.FILTER: "content_filter",
            Finish.REFUSAL: "refusal"}  # fmt: skip


async def test_every_answer_that_is_known_ends_alike_when_it_is_streamed() -> None:
    """Tags nested, repeated, unclosed or absent, fences, prose: pieces change nothing."""
    for case in load_corpus():
        said = case.answer
        events = chat_events(said.text, thoughts=said.reasoning, finish=FINISHES[said.finish])
        answer = await answer_to(streamed(events))
        assert (answer.text, answer.reasoning) == (said.text, said.reasoning), case.name
        parser = AnswerParser(case.taxonomy)
        told = replace(answer, model=said.model, usage=said.usage)
        assert outcome(told, parser) == outcome(said, parser), case.name


BEGUN = [data(chunk({"content": "half an"}))]
OPENAI_FAULTS = [
    ([data({"error": {"message": "overloaded", "code": 502}})], TransientError, "server_error"),
    ([data({"error": {"message": "slow down", "code": 429}})], ThrottleError, "rate_limited"),
    ([data({"error": {"message": "no", "code": 429, "type": "insufficient_quota"}})],
     FatalError, "quota_exhausted"),
    ([data({"error": {"message": "too long", "code": 400, "type": "context_length_exceeded"}})],
     TicketError, "context_length"),
    ([data({"error": {"message": "went wrong", "type": "server_error"}})],
     TransientError, "error_in_body"),
    ([data({"error": {"message": "first", "code": 429}}),
      data({"error": {"message": "second", "code": 400}})], ThrottleError, "rate_limited"),
    ([data({"error": f"your key {KEY} broke it"})], TransientError, "error_in_body"),
    ([b"event: error\n" + data({"message": "no"})], TransientError, "error_in_body"),
    ([data({"object": "error", "message": "no", "code": 400})], TicketError, "rejected"),
    ([data({**chunk({"content": ""}, "error"), "error": {"code": 502, "message": "gone"}})],
     TransientError, "server_error"),
    ([data({"choices": [{"index": 0, "error": {"code": 503}, "finish_reason": "stop"}]})],
     TransientError, "server_error"),
    ([data(chunk({}, "error")), DONE], TransientError, "error_in_body"),
    ([b"data: no json\n\n", DONE], TransientError, "not_json"),
    ([data([1]), DONE], TransientError, "not_json"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "kind", "code"), OPENAI_FAULTS)
async def test_an_error_in_mid_stream_is_what_it_would_have_been(
    events: list[bytes], kind: type[ProviderError], code: str
) -> None:
    """Whatever was said before, and whatever comes after, is no answer."""
    found = await failure([*BEGUN, *events, *chat_events("ok")])
    assert (type(found), found.code) == (kind, code)


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([DONE], "no_choice"),
        ([data({"choices": []}), DONE], "no_choice"),
        ([data({"choices": "x"}), DONE], "no_choice"),
        ([data({"choices": [1, {"index": 1, "delta": {"content": "x"}}]}), DONE], "no_choice"),
        ([data({"usage": {"prompt_tokens": 1}})], "cut_stream"),
    ],
)
async def test_a_stream_without_a_choice_is_transient(events: list[bytes], code: str) -> None:
    """As a body without one is."""
    assert (await failure(events)).code == code


async def test_only_the_first_choice_counts() -> None:
    """And chunks may lack what they have nothing to say about."""
    other = {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "length"}]}
    bare = {"choices": [{"delta": {"content": "ok"}}, {"index": 0, "delta": None}]}
    answer = await answer_to(streamed([data(other), data(bare), data(chunk({}, "stop")), DONE]))
    assert (answer.text, answer.finish, answer.model) == ("ok", Finish.STOP, "served-model")


ANTHROPIC_FAULTS = [
    ("overloaded_error", ThrottleError, "overloaded"),
    ("rate_limit_error", ThrottleError, "rate_limited"),
    ("api_error", TransientError, "server_error"),
    ("timeout_error", TransientError, "server_error"),
    ("authentication_error", FatalError, "unauthorized"),
    ("billing_error", FatalError, "payment_required"),
    ("invalid_request_error", TicketError, "rejected"),
    ("something_new", TransientError, "error_in_body"),
]


@pytest.mark.parametrize(("kind", "expected", "code"), ANTHROPIC_FAULTS)
async def test_an_error_event_is_judged_by_its_type(
    kind: str, expected: type[ProviderError], code: str
) -> None:
    """As it would have been with the status that this type has."""
    fault = {"type": "error", "error": {"type": kind, "message": "no"}}
    found = await failure([*message_events("x")[:4], named(fault)], "anthropic")
    assert (type(found), found.code) == (expected, code)
    # In a body that is not streamed, likewise.
    with pytest.raises(expected) as caught:
        await answer_to(plain(fault), "anthropic")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("events", "code"),
    [
        (message_events("x")[:-1], "cut_stream"),
        (message_events("x")[:3], "cut_stream"),
        ([b"data: no json\n\n"], "not_json"),
        ([named({"type": "error", "error": "gone"})], "error_in_body"),
    ],
)
async def test_a_message_without_its_end_is_transient(events: list[bytes], code: str) -> None:
    """Also when the reason of the end has come: only `message_stop` ends it."""
    assert (await failure(events, "anthropic")).code == code


async def test_unknown_events_do_not_matter() -> None:
    """New ones may come at any time, and broken ones may be dropped."""
    odd: list[Any] = [
        {"type": "something_new"},
        {"type": "message_start"},
        {"type": "message_delta"},
        {"type": "content_block_delta", "index": "0", "delta": {"type": "text_delta"}},
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "text": "x"}},
    ]
    events = message_events("ok", stop="end_turn")
    mixed = [events[0], *map(named, odd), *events[1:]]
    assert (await answer_to(streamed(mixed), "anthropic")).text == "ok"


async def test_the_type_may_stand_in_the_event_alone() -> None:
    """Both say the same."""
    events = [*message_events("ok")[:-1], b"event: message_stop\ndata: {}\n\n"]
    assert (await answer_to(streamed(events), "anthropic")).text == "ok"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "type", "choices", "delta", "content", "index", "error", "usage", "finish_reason",
        "message", "content_block", "text", "thinking", "model", "object"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
TYPES = st.sampled_from(["message_start", "content_block_start", "content_block_delta",
                         "message_delta", "message_stop", "error", ""])  # fmt: skip


@given(events=st.lists(st.tuples(TYPES, JSON | st.binary(max_size=5)), max_size=6))
def test_no_event_confuses_a_reader(events: list[tuple[str, Any]]) -> None:
    """Whatever comes, a body can be made of it."""
    for reader in (OpenAIStream(), AnthropicStream()):
        for name, value in events:
            body = value if isinstance(value, bytes) else orjson.dumps(value)
            reader.take(ServerEvent(name, body))
            assert reader.has_begun == (reader.size > 0)
        assert isinstance(reader.body(), bytes)


def test_nesting_beyond_all_measure_is_no_body() -> None:
    """The encoder goes less deep than the decoder."""
    deep = b'{"usage":' + b'{"a":' * 900 + b"1" + b"}" * 901
    reader = OpenAIStream()
    reader.take(ServerEvent("", deep))
    assert reader.body() == b""


NAMES = [name for name in PRESETS]  # noqa: C416 - a list to be shown in test names


@pytest.mark.parametrize("name", NAMES)
async def test_each_provider_is_asked_for_a_stream_as_it_is_published(name: str) -> None:
    """`stream_options` goes only where it is known; nothing else of the request changes."""
    preset = PRESETS[name]
    events = message_events(LABELS) if preset.wire == "anthropic" else chat_events(LABELS)
    sent = []
    for stream in (True, False):
        provider = connect(
            preset, api_key=ApiKey(KEY, source="KEY"), max_connections=1, clock=lambda: 0.0,
            estimate_tokens=len, model="m", stream=stream, stack=HttpStack.HTTPX,
        )  # fmt: skip
        path = "messages" if preset.wire == "anthropic" else "chat/completions"
        with respx.mock as router:
            route = router.post(f"{preset.base_url}/{path}").respond(
                200, headers=EVENT_STREAM, content=b"".join(events)
            )
            if stream:
                answer = await provider.ask(REQUEST)
                assert orjson.loads(answer.text) == LABELS
            else:
                with pytest.raises(TransientError):
                    await provider.ask(REQUEST)
            sent.append(orjson.loads(route.calls.last.request.content))
        await provider.aclose()
    asked, usual = sent
    options = {"stream_options": {"include_usage": True}}
    added = {"stream": True} | ({} if name in {"anthropic", "mistral"} else options)
    assert asked == usual | added


def refusing(field: str, refused: Reply, success: Reply) -> Callable[[Any], Reply]:
    """Return a script that refuses requests with a field."""
    return lambda body: refused if field in body else success


async def test_stream_options_are_left_out_where_they_are_refused() -> None:
    """Mistral's way of saying so; the stream goes on, and it is remembered."""
    detail = [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"],
               "msg": "Extra inputs are not permitted"}]  # fmt: skip
    refused = Reply(status=422, body={"object": "error", "message": {"detail": detail}})
    asked = Asked(refusing("stream_options", refused, streamed(chat_events("ok"))))
    for _ in range(2):
        assert (await asked.ask()).text == "ok"
    assert [("stream" in b, "stream_options" in b) for b in asked.bodies] == [
        (True, True), (True, False), (True, False),
    ]  # fmt: skip
    said = (
        "api.openai.com refuses stream_options for m; asked with a stream that may not tell its "
        "usage instead"
    )
    assert asked.notes == [("stream_without_usage:m", said)]
    await asked.provider.aclose()


@pytest.mark.parametrize(
    "refused",
    [
        Reply(status=400, body={"error": {
            "message": "Your organization must be verified to stream this model.",
            "param": "stream", "code": "unsupported_value"}}),
        error(400, None, "streaming is not supported with response_format"),
        error(422, None, "unknown field `stream`"),
    ],
)  # fmt: skip
async def test_a_stream_is_given_up_where_it_is_refused(refused: Reply) -> None:
    """The answer comes at once, nothing is timed, and it is remembered."""
    asked = Asked(refusing("stream", refused, completion("ok")), structured="plain")
    for _ in range(2):
        answer = await asked.ask()
        assert (answer.text, answer.first_token_s) == ("ok", None)
    assert ["stream" in body for body in asked.bodies] == [True, False, False]
    assert "stream_options" not in asked.bodies[-1]
    assert [code for code, _ in asked.notes] == ["stream_no:m"]
    await asked.provider.aclose()


async def test_a_server_that_ignores_it_is_understood() -> None:
    """Plain JSON is an answer in both formats."""
    assert (await answer_to(completion("whole"))).text == "whole"
    assert (await answer_to(message("whole"), "anthropic")).text == "whole"


async def test_errors_before_the_stream_are_errors() -> None:
    """With their hints and waits."""
    throttled = anthropic_error(529, "overloaded_error", headers={"retry-after": "7"})
    with pytest.raises(ThrottleError) as caught:
        await answer_to(throttled, "anthropic")
    assert caught.value.wait_s == 7


async def test_a_key_that_is_echoed_in_pieces_goes_nowhere() -> None:
    """It is put together before it is looked for."""
    answer = await answer_to(streamed(chat_events(f"my key is {KEY}", thoughts=f"{KEY}!")))
    assert KEY not in answer.text + answer.reasoning


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_streaming_is_no_part_of_the_fingerprint(name: str) -> None:
    """The same answer is found again, asked either way."""
    ways = [Asked(lambda _b: completion(), name, stream=stream) for stream in (True, False)]
    assert ways[0].provider.generation == ways[1].provider.generation

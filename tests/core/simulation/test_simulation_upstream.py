"""The simulated upstream as a whole: faults, limits, outages, streams and figures."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import PATH, answer_of, ask, body_of, chat, content_of, plain, upstream

from inference_forge.core.retry_after import rate_limit_hints, server_wait_s
from inference_forge.core.simulation.faults import Fault, choose_fault
from inference_forge.core.simulation.plan import Outage, RetryAfter, SimulationPlan
from inference_forge.core.simulation.tally import Tally
from inference_forge.core.simulation.upstream import SimulatedUpstream
from inference_forge.core.simulation.wire import Reply
from inference_forge.core.tokens import estimate_tokens

if TYPE_CHECKING:
    import random

    from inference_forge.core.simulation.scripted import Scripted

TEXTS = [f"ticket {n} about something" for n in range(300)]
FAULTY = {
    "error_rate": 0.2,
    "throttle_rate": 0.1,
    "malformed_rate": 0.1,
    "hang_rate": 0.1,
    "reset_rate": 0.1,
}


def outcome(scripted: Scripted) -> Any:
    """Return what a client would see, without what belongs to the moment."""
    return (scripted.status, scripted.hangs, scripted.resets, scripted.body, scripted.delay_s)


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_order_of_requests_changes_nothing(seed: int, shuffle: random.Random) -> None:
    """Each text has its own fate, also when it is asked several times."""
    asked = TEXTS[:12] * 3
    fates = []
    for _ in range(2):
        shuffle.shuffle(asked)
        server = upstream(seed=seed, latency_s=1.0, latency_jitter=0.5, **FAULTY)
        fate: dict[str, list[Any]] = {}
        for text in asked:
            fate.setdefault(text, []).append(outcome(ask(server, chat(text))))
        fates.append(fate)
    assert fates[0] == fates[1]


def test_throttles_and_outages_do_not_change_fates() -> None:
    """What did not come as far as to the model does not count as asked."""
    disturbed = upstream(rpm=60, bucket_requests=1, outages=(Outage(0, 1),), error_rate=0.5)
    quiet = upstream(error_rate=0.5)
    for text in TEXTS[:50]:
        expected = [outcome(ask(quiet, chat(text))) for _ in range(2)]
        seen: list[Any] = []
        while len(seen) < 2:
            now = disturbed.statistics().requests * 0.4
            scripted = ask(disturbed, chat(text), now)
            if scripted.status != 429 and b"outage" not in scripted.body:
                seen.append(outcome(scripted)[:1])
        assert seen == [fate[:1] for fate in expected]


def test_faults_are_as_frequent_as_planned() -> None:
    """And exclude each other."""
    server = upstream(**FAULTY)
    seen: Counter[Any] = Counter()
    for text in TEXTS * 4:
        scripted = ask(server, chat(text))
        seen["hang" if scripted.hangs else "reset" if scripted.resets else scripted.status] += 1
    total = sum(seen.values())
    errors = sum(seen[status] for status in (500, 502, 503, 504))
    assert errors / total == pytest.approx(0.2, abs=0.05)
    assert min(seen[status] for status in (500, 502, 503, 504)) > 20
    assert seen["hang"] / total == pytest.approx(0.1, abs=0.04)
    assert seen["reset"] / total == pytest.approx(0.1, abs=0.04)
    assert seen[429] / total == pytest.approx(0.1, abs=0.04)
    assert seen[200] / total == pytest.approx(0.5, abs=0.06)


def test_a_retry_has_a_fate_of_its_own() -> None:
    """Else a text that failed once would fail for ever."""
    server = upstream(error_rate=0.5)
    fates = {tuple(ask(server, chat(text)).status == 200 for _ in range(2)) for text in TEXTS[:60]}
    assert fates == {(False, False), (False, True), (True, False), (True, True)}


def test_each_fault_has_its_part_of_the_line() -> None:
    """In the order of their names in the plan."""
    plan = SimulationPlan(hang_rate=0.1, reset_rate=0.1, error_rate=0.1, throttle_rate=0.1,
                          malformed_rate=0.1, break_rate=0.1)  # fmt: skip
    found = [choose_fault(plan, share / 100) for share in (5, 15, 25, 35, 45, 55, 65)]
    assert found == [*Fault, None]


def test_throttles_tell_the_wait_that_was_planned() -> None:
    """A throttle without a wait tells none."""
    throttled = ask(upstream(throttle_rate=1.0, throttle_wait_s=7), chat("x"))
    assert (throttled.status, throttled.headers["retry-after"]) == (429, "7")
    assert body_of(throttled)["error"]["code"] == "rate_limit_exceeded"
    silent = ask(upstream(throttle_rate=1.0, throttle_wait_s=0), chat("x"))
    assert "retry-after" not in silent.headers


@pytest.mark.parametrize(
    ("style", "wait_s"),
    [
        (RetryAfter.SECONDS, 1.0),
        (RetryAfter.MILLISECONDS, 0.5),
        (RetryAfter.DATE, 1.0),
        (RetryAfter.NONE, 0.5),
    ],
)
def test_limits_are_told_as_this_project_reads_them(style: RetryAfter, wait_s: float) -> None:
    """By Retry-After in each form; without it, by the reset of what is used up."""
    server = upstream(rpm=120, bucket_requests=1, retry_after=style)
    assert ask(server, chat("x"), 1_750_000_000.0).status == 200
    refused = ask(server, chat("y"), 1_750_000_000.0)
    assert refused.status == 429
    assert server_wait_s(refused.headers, now_unix=0.0, is_throttle=True) == pytest.approx(wait_s)
    hints = rate_limit_hints(refused.headers, now_unix=0.0)
    assert hints is not None
    assert (hints.requests.limit, hints.requests.remaining) == (1, 0)
    assert ask(server, chat("y"), 1_750_000_000.5).status == 200


def test_rate_headers_can_be_left_out() -> None:
    """As with servers that keep their limits to themselves."""
    told = ask(upstream(rpm=60, send_rate_headers=False), chat("x")).headers
    assert not any("ratelimit" in name for name in told)


def test_tokens_are_limited_by_what_is_used() -> None:
    """The usage that is billed is what flows out of the bucket."""
    server = upstream(tpm=60_000)
    usage = body_of(first := ask(server, chat("x")))["usage"]
    left = int(first.headers["x-ratelimit-remaining-tokens"])
    assert left == 60_000 - usage["total_tokens"]


def test_an_outage_lasts_from_the_first_request_on() -> None:
    """Everything fails, keys and models included, and then nothing more."""
    server = upstream(outages=(Outage(10, 90), Outage(200, 5, 500)), error_latency_s=0.25)
    assert server.handle("GET", "/v1/models", {}, b"", 0.0).status == 200
    start = 5_000.0
    at = {
        after: ask(server, chat("x"), start + after) for after in (0, 9.9, 10, 99.9, 100, 201, 205)
    }
    assert [scripted.status for scripted in at.values()] == [200, 200, 503, 503, 200, 500, 200]
    assert (at[10].delay_s, "retry-after" in at[10].headers) == (0.25, False)
    assert server.handle("GET", "/v1/models", {}, b"", start + 50).status == 503


def test_an_outage_may_reset_connections() -> None:
    """As when nobody is there."""
    server = upstream(outages=(Outage(0, 10, None),), error_latency_s=0.5)
    scripted = ask(server, chat("x"))
    assert (scripted.resets, scripted.delay_s, server.statistics().reset) == (True, 0.5, 1)
    assert server.handle("GET", "/v1/models", {}, b"", 1.0).resets
    assert server.statistics().reset == 1


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, None),
        ({"authorization": "Bearer wrong"}, 401, "invalid_api_key"),
        ({"authorization": "good"}, 401, None),
        ({"authorization": "Bearer good"}, 200, None),
        ({"api-subscription-key": "good"}, 200, None),
        ({"x-api-key": "good"}, 200, None),
    ],
)
def test_keys(headers: dict[str, str], status: int, code: str | None) -> None:
    """In the headers that providers use; what was sent is not repeated."""
    server = upstream(valid_keys=("good",))
    scripted = server.handle("POST", PATH, headers, chat("x"), 0.0)
    assert scripted.status == status
    if status != 200:
        assert body_of(scripted)["error"]["code"] == code
        assert b"wrong" not in scripted.body


def test_credit_runs_out() -> None:
    """Without a hint when to come back, as that would not help."""
    server = upstream(quota_requests=2)
    replies = [ask(server, chat(text)) for text in TEXTS[:3]]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert body_of(replies[2])["error"]["code"] == "insufficient_quota"
    assert "retry-after" not in replies[2].headers
    assert server.statistics().throttled == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models", 200),
        ("GET", "/models", 200),
        ("GET", "/v1/models/?limit=3", 200),
        ("GET", "/openai/v1/models/m1", 200),
        ("GET", "/v1/models/none", 404),
        ("POST", "/v1/models", 405),
        ("GET", PATH, 405),
        ("GET", "/v1/else", 404),
        ("BREW", "/", 404),
        ("POST", "/chat/completions", 404),
    ],
)
def test_paths(method: str, path: str, status: int) -> None:
    """Chats, models, and nothing else; an unknown model is refused by chats, too."""
    server = upstream(models=("m1", "m2"))
    scripted = server.handle(method, path, {}, chat("x"), 0.0)
    assert scripted.status == status
    if path.startswith("/v1/models") and status == 200:
        assert [model["id"] for model in body_of(scripted)["data"]] == ["m1", "m2"]
    server.finished(scripted.number, 0.0)


def test_the_model_that_is_asked_answers() -> None:
    """Under its name; unknown ones are refused where models are listed."""
    assert body_of(ask(upstream(), chat("x", model="any/name")))["model"] == "any/name"
    refused = ask(upstream(models=("m",)), chat("x", model="any/name"))
    assert body_of(refused)["error"]["code"] == "model_not_found"
    assert (
        body_of(upstream().handle("GET", "/v1/models", {}, b"", 0.0))["data"][0]["id"]
        == "simulated"
    )


def test_an_answer_has_openais_shape() -> None:
    """Id, object, time, model, choice and usage."""
    scripted = ask(upstream(), chat("x"), 1_750_000_000.9)
    body = body_of(scripted)
    assert body["id"].startswith("chatcmpl-")
    assert (body["object"], body["created"]) == ("chat.completion", 1_750_000_000)
    assert body["choices"][0]["finish_reason"] == "stop"
    assert scripted.headers["content-type"] == "application/json"
    assert scripted.headers["date"] == "Sun, 15 Jun 2025 15:06:40 GMT"


def events(scripted: Scripted) -> list[Any]:
    """Return the events of a stream."""
    stream = b"".join(chunk.data for chunk in scripted.chunks).decode()
    lines = [block.removeprefix("data: ") for block in stream.split("\n\n") if block]
    assert lines[-1] == "[DONE]"
    return [orjson.loads(line) for line in lines[:-1]]


def test_a_stream_tells_the_same_piece_by_piece() -> None:
    """With the reasoning first, and the usage at the end, where it was asked for."""
    plan = {"reasoning_tokens": 7}
    whole = body_of(ask(upstream(**plan), chat("my printer is on fire")))
    more: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    scripted = ask(upstream(**plan), chat("my printer is on fire", **more))
    assert scripted.headers["content-type"].startswith("text/event-stream")
    told = events(scripted)
    assert {event["object"] for event in told} == {"chat.completion.chunk"}
    assert {event["id"] for event in told} == {whole["id"]}
    deltas = [event["choices"][0]["delta"] for event in told[:-1]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[-1] == {}
    for name in ("content", "reasoning_content"):
        told_text = "".join(delta.get(name, "") for delta in deltas)
        assert told_text == whole["choices"][0]["message"][name]
    finishes = [event["choices"][0]["finish_reason"] for event in told[:-1]]
    assert finishes == [None] * (len(finishes) - 1) + ["stop"]
    assert (told[-1]["choices"], told[-1]["usage"]) == ([], whole["usage"])
    assert all(event["usage"] is None for event in told[:-1])


def test_a_stream_without_usage_has_none() -> None:
    """As it is with OpenAI."""
    assert all("usage" not in event for event in events(ask(upstream(), chat("x", stream=True))))


def test_a_connection_may_break_in_the_middle_of_an_answer() -> None:
    """Half of a stream is sent; of an answer at once nothing, in the time of the whole."""
    plan = {"latency_s": 1.0, "s_per_output_token": 0.1}
    server = upstream(**plan, break_rate=1.0)
    whole = ask(upstream(**plan), chat("my printer is on fire", stream=True))
    half = ask(server, chat("my printer is on fire", stream=True))
    assert (half.resets, half.status, half.delay_s) == (True, 200, 1.0)
    assert half.chunks == whole.chunks[: len(whole.chunks) // 2]
    at_once = ask(server, chat("my printer is on fire"))
    assert (at_once.resets, at_once.chunks, at_once.body) == (True, (), b"")
    assert at_once.delay_s == ask(upstream(**plan), chat("my printer is on fire")).delay_s
    seen = server.statistics()
    assert (seen.requests, seen.reset, seen.by_status, seen.completion_tokens) == (2, 2, {}, 0)


def test_times_add_up_streamed_or_not() -> None:
    """Latency, then the first token, then each token."""
    plan = {"latency_s": 1.0, "ttft_s": 0.5, "s_per_output_token": 0.01, "reasoning_tokens": 20}
    whole = ask(upstream(**plan), chat("x"))
    tokens = body_of(whole)["usage"]["completion_tokens"]
    assert whole.delay_s == pytest.approx(1.5 + 0.01 * tokens)
    stream = ask(upstream(**plan), chat("x", stream=True))
    assert stream.delay_s == pytest.approx(1.5)
    assert sum(chunk.delay_s for chunk in stream.chunks) == pytest.approx(0.01 * tokens)


def test_latencies_are_lognormal() -> None:
    """The median is the plan's, and so is sigma."""
    server = upstream(latency_s=0.2, latency_jitter=0.5)
    times = [ask(server, chat(text)).delay_s for text in TEXTS * 3]
    deciles = statistics.quantiles(times, n=10)
    assert statistics.median(times) == pytest.approx(0.2, rel=0.1)
    assert deciles[8] / deciles[4] == pytest.approx(1.9, rel=0.15)  # exp(0.5 * 1.2816)


def test_all_slow_down_when_too_many_are_under_way() -> None:
    """Those that start beyond the limit, as long as the others are not finished."""
    server = upstream(latency_s=1.0, max_concurrency=2, rpm=60_000, bucket_requests=5)
    started = [server.handle("POST", PATH, {}, chat(text), 0.0) for text in TEXTS[:6]]
    assert [scripted.delay_s for scripted in started[:5]] == [1.0, 1.0, 1.5, 2.0, 2.5]
    assert started[5].status == 429  # takes no room
    assert server.statistics().in_flight == 6
    for scripted in started:
        server.finished(scripted.number, 2.0)
        server.finished(scripted.number, 9.0)
    assert ask(server, chat("later"), 3.0).delay_s == 1.0
    seen = server.statistics()
    assert (seen.in_flight, seen.max_in_flight) == (0, 6)


@given(st.lists(st.sampled_from(TEXTS[:6]), max_size=40), st.integers(0, 1000))
def test_the_figures_add_up(texts: list[str], seed: int) -> None:
    """Nothing is counted twice or forgotten."""
    server = upstream(seed=seed, rpm=600, bucket_requests=8, **FAULTY)
    answered: Counter[str] = Counter()
    tokens = [0, 0]
    for text in texts:
        scripted = ask(server, chat(text))
        if scripted.status == 200:
            usage = body_of(scripted)["usage"]
            tokens = [tokens[0] + usage["prompt_tokens"], tokens[1] + usage["completion_tokens"]]
            answered[text] += 1
    seen = server.statistics()
    assert seen.requests == len(texts) == sum(seen.by_status.values()) + seen.hung + seen.reset
    assert seen.by_status.get(200, 0) == answered.total()
    assert seen.distinct_texts == len(set(texts))
    assert seen.repeated_requests == len(texts) - len(set(texts))
    assert seen.repeated_answers == answered.total() - len(answered)
    assert [seen.prompt_tokens, seen.completion_tokens] == tokens
    assert seen.throttled == seen.by_status.get(429, 0)
    assert seen.malformed <= answered.total()


def test_latencies_are_measured_from_arrival_to_end() -> None:
    """A clock that goes back counts as no time."""
    server = upstream()
    assert server.statistics().latency_p50_s is None
    for start, end in ((0.0, 1.0), (5.0, 4.0), (6.0, 9.0)):
        server.finished(server.handle("POST", PATH, {}, chat("x"), start).number, end)
    seen = server.statistics()
    assert seen.latency_p50_s == pytest.approx(1.0, rel=0.02)
    assert seen.latency_p95_s is not None


def test_reset_forgets_everything() -> None:
    """Limits are full again, outages start anew, and old requests do no harm."""
    server = upstream(rpm=60, bucket_requests=1, outages=(Outage(5, 5),), quota_requests=1)
    old = server.handle("POST", PATH, {}, chat("x"), 0.0)
    server.reset()
    server.finished(old.number, 1.0)
    assert server.statistics().requests == 0
    fresh = server.handle("POST", PATH, {}, chat("x"), 100.0)
    assert (fresh.status, fresh.number > old.number) == (200, True)
    assert ask(server, chat("y"), 106.0).status == 503
    assert server.plan.quota_requests == 1


def test_a_repair_asks_about_the_same_text_again() -> None:
    """So it counts as repeated, and is answered."""
    server = upstream()
    first = orjson.loads(chat("x"))
    ask(server, orjson.dumps(first))
    first["messages"] += [
        {"role": "assistant", "content": "oops"},
        {"role": "user", "content": "Again, please."},
    ]
    assert answer_of(ask(server, orjson.dumps(first)))["category"]
    assert server.statistics().repeated_answers == 1


def test_a_bad_request_is_counted_and_has_no_text() -> None:
    """Its error is in OpenAI's shape."""
    server = upstream()
    scripted = ask(server, b"{")
    assert set(body_of(scripted)["error"]) == {"message", "type", "param", "code"}
    assert (server.statistics().by_status, server.statistics().distinct_texts) == ({400: 1}, 0)


def test_the_answer_is_priced_by_its_text() -> None:
    """Completion tokens are those of the content."""
    body = ask(upstream(), plain("hello", system="Choose:\n- one\n- two"))
    assert body_of(body)["usage"]["completion_tokens"] == estimate_tokens(content_of(body))


def test_old_texts_may_be_forgotten() -> None:
    """What is counted stays; a text that comes again later counts as a new one."""
    server = SimulatedUpstream(SimulationPlan(), max_texts=2)
    for text in ("a", "b", "b", "c", "a"):
        ask(server, chat(text))
    found = server.statistics()
    assert (found.distinct_texts, found.repeated_requests, found.repeated_answers) == (4, 1, 1)
    assert found.needless_requests == 1


def test_a_text_may_be_forgotten_before_its_answer() -> None:
    """The answer is counted, and nothing is remembered of it."""
    tally = Tally(max_texts=1)
    reply = Reply("x", 0, "m", "{}", "", "stop", 7, 0, 5)
    for key in (b"a", b"b"):
        tally.count_text(key)
    for _ in range(2):
        tally.count_answer(b"a", reply, is_malformed=False)
        tally.count_delivery(b"a")
    tally.count_text(b"a")
    found = tally.statistics(0)
    assert (found.prompt_tokens, found.repeated_answers, found.needless_requests) == (14, 0, 0)


@pytest.mark.parametrize(
    ("more", "is_delivered", "needless"),
    [
        ({}, True, 1),
        ({}, False, 0),
        ({"max_tokens": 3}, True, 0),
    ],
)
def test_to_ask_again_is_needless_after_a_good_answer(
    more: dict[str, Any], is_delivered: bool, needless: int
) -> None:
    """Not while it is under way, nor when the client left before, nor when it was cut off."""
    server = upstream()
    first = server.handle("POST", PATH, {}, chat("x", **more), 0.0)
    second = server.handle("POST", PATH, {}, chat("x", **more), 0.0)
    assert server.statistics().needless_requests == 0
    for under_way in (first, second, first):
        server.finished(under_way.number, 0.0, is_delivered=is_delivered)
    ask(server, chat("x"))
    assert server.statistics().needless_requests == needless


@pytest.mark.parametrize("fault", ["malformed_rate", "error_rate", "break_rate"])
def test_to_ask_again_is_not_needless_after_a_bad_answer(fault: str) -> None:
    """A client has to."""
    server = upstream(**{fault: 1.0})
    for _ in range(2):
        ask(server, chat("x"))
    found = server.statistics()
    assert (found.repeated_requests, found.needless_requests) == (1, 0)

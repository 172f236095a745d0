"""What `providers` finds out, over real sockets."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from running import CANARY
from servers import Reply, ScriptedServer

from inference_forge.adapters.providers.model_list import model_names
from inference_forge.errors import SettingsError
from inference_forge.jobs.providers import Listed, ProvidersJob, list_providers
from inference_forge.jobs.providers.listing import price_in_words
from inference_forge.jobs.providers.probe import is_loopback
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODELS = Reply(body={"object": "list", "data": [{"id": "small"}, {"id": "large"}]})
NAMES = [
    "local", "simulated", "sarvam", "openai", "anthropic", "groq", "together", "mistral",
    "openrouter", "friendli", "ollama", "vllm", "llamacpp",
]  # fmt: skip


def refused(request: httpx.Request) -> httpx.Response:
    """Be nobody."""
    raise httpx.ConnectError("refused", request=request)


NOBODY = httpx.MockTransport(refused)


class Desk:
    """Runs the job with files of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def rows(
        self,
        *names: str,
        environ: Mapping[str, str] | None = None,
        user: str = "",
        project: str = "",
        **job: Any,
    ) -> dict[str, Listed]:
        """Return the rows by name."""
        files = (self._directory / "user.toml", self._directory / "forge.toml")
        for path, text in zip(files, (user, project), strict=True):
            path.write_text(text)
        loaded = load_settings({}, environ={}, user_file=files[0], project_file=files[1])
        found = list_providers(ProvidersJob(loaded, environ or {}, names, **job))
        return {row.name: row for row in found}

    def asked(self, reply: Reply, environ: Mapping[str, str] | None = None, **job: Any) -> Listed:
        """Return the row of a server that needs no key and answers so."""
        with ScriptedServer(lambda *_: reply) as server:
            text = f'[providers.mine]\nbase_url = "{server.url}"\nrequires_key = false\n'
            row = self.rows("mine", environ=environ, user=text + 'key_env = "MINE"', **job)["mine"]
            methods = {(request.method, request.target) for request in server.requests}
            assert methods <= {("GET", "/v1/models")}
            return row


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with empty files."""
    return Desk(tmp_path)


def test_all_are_listed_in_their_order(desk: Desk) -> None:
    """The two that are no server, the packaged ones, and those of files."""
    own = '[providers.mine]\nbase_url = "https://x/v1"\nkey_env = "X"'
    rows = desk.rows(user=own, transport=NOBODY)
    assert list(rows) == [*NAMES, "mine"]
    assert {name for name, row in rows.items() if row.is_ready} == {"local", "simulated"}
    assert (rows["local"].default_model, price_in_words(rows["local"])) == (
        "local-baseline",
        "free",
    )
    assert rows["mine"].source.startswith("from ")
    assert price_in_words(rows["mine"]) == "unknown"
    assert price_in_words(rows["sarvam"]) == "known"
    assert price_in_words(rows["anthropic"]).startswith("of ")
    assert price_in_words(rows["together"]) == "of 2 models"


def test_names_choose_and_order(desk: Desk) -> None:
    """In any case, each once."""
    rows = desk.rows("OpenAI", "local", "openai", transport=NOBODY)
    assert list(rows) == ["openai", "local"]


def test_an_unknown_name_gets_the_nearest(desk: Desk) -> None:
    """Those of files included."""
    own = '[providers.gateway]\nbase_url = "https://x/v1"\nkey_env = "X"'
    with pytest.raises(SettingsError, match="unknown provider 'gatway': did you mean 'gateway'"):
        desk.rows("gatway", user=own)
    with pytest.raises(SettingsError, match="did you mean 'local'"):
        desk.rows("locl")


def test_a_key_makes_a_hosted_provider_ready_unasked(desk: Desk) -> None:
    """Nothing is sent to it, and an example says what is missing."""
    asked: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500)

    keys = {"OPENAI_API_KEY": CANARY, "SARVAM_API_KEY": CANARY}
    rows = desk.rows(environ=keys, transport=httpx.MockTransport(record))
    assert {request.url.host for request in asked} == {"localhost"}
    assert rows["openai"].is_ready
    assert rows["openai"].said == "OPENAI_API_KEY is set; not tried"
    assert rows["openai"].example.endswith("--provider openai --model MODEL")
    assert rows["sarvam"].example == "forge classify tickets.csv --provider sarvam"
    assert (rows["groq"].is_ready, rows["groq"].said) == (False, "GROQ_API_KEY is not set")
    assert rows["groq"].example == ""
    assert CANARY not in repr(rows)


def test_a_key_that_cannot_be_sent_is_not_ready(desk: Desk) -> None:
    """With its flaw, without itself."""
    row = desk.rows("openai", environ={"OPENAI_API_KEY": f"{CANARY}\n"})["openai"]
    assert (row.is_ready, row.is_key_set) == (False, True)
    assert "a line break" in row.said
    assert CANARY not in repr(row)


def test_servers_that_need_no_key_are_asked_all_at_once(desk: Desk) -> None:
    """Three that never answer take two seconds, not six."""
    with ScriptedServer(lambda *_: Reply(hangs=True)) as server:
        moved = "".join(
            f'[providers.{name}]\nbase_url = "{server.url}"\n'
            for name in ("ollama", "vllm", "llamacpp")
        )
        began = time.monotonic()
        rows = desk.rows(user=moved)
        assert time.monotonic() - began < 5
    for name in ("ollama", "vllm", "llamacpp"):
        assert (rows[name].is_ready, rows[name].was_asked) == (False, True)
        assert rows[name].said == "no answer within 2 s"


@pytest.mark.parametrize(
    ("reply", "is_ready", "said"),
    [
        (MODELS, True, "answers, 2 models"),
        (Reply(body=[{"id": "one"}, {"name": "x"}, 3]), True, "answers, 1 model"),
        (Reply(body={"data": []}), False, "answers, but serves no model yet"),
        (Reply(body=b"<html>"), False, "answers, but lists no models: another server?"),
        (Reply(body={"data": None}), False, "answers, but lists no models: another server?"),
        (Reply(401), False, "wants a key (401): set MINE"),
        (Reply(403), False, "wants a key (403): set MINE"),
        (Reply(404), False, "answers 404 to GET models"),
        (Reply(307, headers={"location": "https://x"}), False, "answers 307 to GET models"),
        (Reply(429), True, "answers, and asks for fewer requests now (429)"),
        (Reply(503), False, "answers 503: starting up, or out"),
        (Reply(500), False, "answers 500 to GET models"),
        (Reply(body=b"x" * 9, sent_bytes=3), False, "nobody answers ("),
    ],
)
def test_what_an_answer_means(desk: Desk, reply: Reply, said: str, *, is_ready: bool) -> None:
    """Only a list with a model in it is a server that a run can begin with."""
    row = desk.asked(reply)
    assert (row.is_ready, row.was_asked) == (is_ready, True)
    assert row.said.startswith(said)


def test_the_models_that_are_served_make_the_example(desk: Desk) -> None:
    """The first, quoted for a shell and safe for a terminal, and only one that may be asked."""
    assert desk.asked(MODELS).example == "forge classify tickets.csv --provider mine --model small"
    odd = desk.asked(Reply(body={"data": [{"id": "a b\x1b[31m"}]}))
    assert odd.models == ("a b\ufffd[31m",)
    assert odd.example.endswith("--model 'a b\ufffd[31m'")


def test_examples_keep_to_what_may_be_asked(desk: Desk) -> None:
    """A list of models decides; what it leaves is to be chosen."""
    with ScriptedServer(lambda *_: MODELS) as server:
        mine = f'[providers.mine]\nbase_url = "{server.url}"\nrequires_key = false\n'
        lists = "allow_models = ['mine/large', 'sarvam/x']\n"
        keys = {"SARVAM_API_KEY": "k" * 9}
        rows = desk.rows("mine", "sarvam", user=lists + mine, environ=keys)
    assert rows["mine"].example.endswith("--model large")
    assert rows["sarvam"].example.endswith("--provider sarvam --model MODEL")


def test_a_key_is_sent_where_a_run_would_send_it(desk: Desk) -> None:
    """A server of one's own that wants one; what it echoes is hidden."""
    seen: list[str] = []

    def script(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"data": [{"id": CANARY}]})

    row = desk.rows(
        "vllm", environ={"VLLM_API_KEY": CANARY}, transport=httpx.MockTransport(script)
    )["vllm"]
    assert seen == [f"Bearer {CANARY}"]
    assert (row.is_ready, row.said) == (True, "answers, 1 model, key accepted")
    assert row.models == ("***",)
    denied = desk.rows(
        "vllm",
        environ={"VLLM_API_KEY": CANARY},
        transport=httpx.MockTransport(lambda _: httpx.Response(401)),
    )["vllm"]
    assert denied.said == "does not accept the key in VLLM_API_KEY (401)"


def test_checking_asks_hosted_providers_for_what_is_free(desk: Desk) -> None:
    """One GET each, with the key, where the provider documents one; none where it does not."""
    asked: list[tuple[str, str]] = []

    def script(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url)))
        return httpx.Response(200, json={"data": [{"id": "m"}]})

    keys = {
        f"{name}_API_KEY": "k" * 9
        for name in ("OPENAI", "ANTHROPIC", "OPENROUTER", "SARVAM", "TOGETHER")
    }
    rows = desk.rows(
        environ={**keys, "FRIENDLI_TOKEN": "k" * 9},
        is_checking=True,
        transport=httpx.MockTransport(script),
    )
    assert set(asked) == {
        ("GET", "https://api.openai.com/v1/models"),
        ("GET", "https://api.anthropic.com/v1/models"),
        ("GET", "https://openrouter.ai/api/v1/key"),
        ("GET", "https://api.together.ai/v1/models"),
        ("GET", "http://localhost:11434/v1/models"),
        ("GET", "http://localhost:8000/v1/models"),
        ("GET", "http://localhost:8080/v1/models"),
    }
    assert rows["openai"].said == "answers, 1 model, key accepted"
    assert rows["openrouter"].said == "answers, key accepted"
    assert rows["sarvam"].said == (
        "SARVAM_API_KEY is set; not tried: it documents no request that would cost nothing"
    )
    assert not rows["friendli"].was_asked


def test_nobody_is_asked_when_told_so(desk: Desk) -> None:
    """Then it is not known whether a server is there."""
    rows = desk.rows(is_checking=False, transport=NOBODY)
    assert not any(row.was_asked for row in rows.values())
    assert (rows["vllm"].is_ready, rows["vllm"].said) == (None, "needs no key; not asked")
    assert rows["vllm"].example != ""
    keyed = desk.rows("vllm", environ={"VLLM_API_KEY": "k" * 9}, is_checking=False)["vllm"]
    assert keyed.is_ready is None


def test_a_projects_address_is_not_asked_by_itself(desk: Desk) -> None:
    """Listing providers in somebody's checkout tells nobody of it; on this machine it may."""
    text = '[providers.mine]\nbase_url = "http://{}/v1"\nrequires_key = false'
    far = desk.rows("mine", project=text.format("192.0.2.1"), transport=NOBODY)["mine"]
    assert (far.was_asked, far.is_ready) == (False, None)
    near = desk.rows("mine", project=text.format("127.0.0.1:1"), transport=NOBODY)["mine"]
    assert near.was_asked
    own = desk.rows("mine", user=text.format("192.0.2.1"), transport=NOBODY)["mine"]
    assert own.was_asked
    told = desk.rows("mine", project=text.format("192.0.2.1"), is_checking=True, transport=NOBODY)[
        "mine"
    ]
    assert told.was_asked


def test_a_proxy_that_cannot_be_used_is_the_reason(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is still complete."""
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    monkeypatch.setenv("NO_PROXY", "")
    row = desk.rows("vllm")["vllm"]
    assert (row.is_ready, "no http, https or socks5" in row.said) == (False, True)


def test_nobody_there(desk: Desk) -> None:
    """A closed port is an answer too, at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        text = f'[providers.vllm]\nbase_url = "http://127.0.0.1:{port}/v1"'
        row = desk.rows("vllm", user=text)["vllm"]
    assert row.said == "nobody answers (connect_error)"


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("http://localhost:1/v1", True),
        ("http://a.localhost/v1", True),
        ("http://127.9.9.9/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost.example/v1", False),
        ("http://10.0.0.1/v1", False),
        ("https://api.openai.com/v1", False),
        ("nowhere", False),
    ],
)
def test_what_is_on_this_machine(address: str, *, is_here: bool) -> None:
    """By the name alone: nothing is resolved."""
    assert is_loopback(address) is is_here


def test_lists_of_models() -> None:
    """With and without a wrapper; anything else is none."""
    assert model_names(b'{"data": [{"id": "a"}, {"id": ""}, {"id": 3}, "x"]}') == ("a",)
    assert model_names(b'[{"id": "a"}]') == ("a",)
    assert model_names(b"[]") == ()
    for body in (b"", b"3", b'{"models": []}', b"<html>"):
        assert model_names(body) is None

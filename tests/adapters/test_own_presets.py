"""`[providers.NAME]` tables: what they add and change, what is wrong in them, whom they trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import respx
from msgspec.structs import replace

from inference_forge.adapters.providers.connect import connect, request_headers
from inference_forge.adapters.providers.credentials import ApiKey
from inference_forge.adapters.providers.presets import Preset, find_preset, load_presets
from inference_forge.errors import FatalError, SettingsError, ThrottleError, TransientError
from inference_forge.errors import TicketError as RefusedTicket
from inference_forge.models import Message, ModelRequest
from inference_forge.settings import HttpStack, Reasoning, load_settings

if TYPE_CHECKING:
    from pathlib import Path

NEW = '[providers.mine]\nbase_url = "https://mine.example/v1"\n'


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return where settings files go."""
    return Files(tmp_path)


class Files:
    """A user's and a project's file."""

    def __init__(self, directory: Path) -> None:
        self.user, self.project = directory / "user.toml", directory / "forge.toml"

    def presets(self, user: str = "", project: str = "") -> dict[str, Preset]:
        """Return all presets with the files as given."""
        self.user.write_text(user)
        self.project.write_text(project)
        loaded = load_settings({}, environ={}, project_file=self.project, user_file=self.user)
        return load_presets(loaded.providers)


# --- What they do


def test_a_new_provider_needs_an_address_and_a_key(files: Files) -> None:
    """Everything else has defaults; it comes after the packaged ones."""
    presets = files.presets(NEW + 'key-env = "MINE"')
    assert list(presets)[-1] == "mine"
    mine = presets["mine"]
    assert (mine.wire, mine.auth, mine.structured) == ("openai", "bearer", "json_schema")
    assert (mine.base_url, mine.key_env) == ("https://mine.example/v1", "MINE")
    assert (mine.requires_key, mine.default_model) == (True, None)
    assert mine.source == f"from {files.user}"
    assert not mine.is_packaged


def test_a_provider_may_need_no_key(files: Files) -> None:
    """Then it needs no variable either."""
    mine = files.presets(NEW + "requires_key = false")["mine"]
    assert (mine.key_env, mine.requires_key) == ("", False)
    assert request_headers(mine, None) == {}


def test_a_table_changes_single_facts_of_a_packaged_provider(files: Files) -> None:
    """All others stay; names are found in any case."""
    packaged = find_preset("sarvam")
    sarvam = files.presets('[providers.Sarvam]\ndefault_model = "x"\nrpm = 60')["sarvam"]
    assert sarvam == replace(packaged, default_model="x", rpm=60, files=(str(files.user),))
    assert sarvam.source == f"packaged, changed by {files.user}"
    assert packaged.source == "packaged"


def test_a_projects_table_goes_over_the_users(files: Files) -> None:
    """Key by key, as with settings."""
    mine = files.presets(
        NEW + 'key_env = "MINE"\nrpm = 1\ntpm = 2', "[providers.mine]\nrpm = 3\nstructured='plain'"
    )["mine"]
    assert (mine.rpm, mine.tpm, mine.structured) == (3, 2, "plain")
    assert mine.files == (str(files.user), str(files.project))
    assert mine.distrust == ""


def test_all_keys(files: Files) -> None:
    """Those of the packaged file."""
    text = NEW + (
        'key_env = "MINE"\nwire = "anthropic"\nauth = "x-api-key"\nstructured = "plain"\n'
        'default_model = "m"\nmax_tokens_field = "max_completion_tokens"\n'
        'reasoning_field = "effort"\nreasoning_value = "none"\nextra_body = { seed = 1 }\n'
        'rpm = 1\ntpm = 2\nheaders = { X-One = "1" }\ncheck_path = "health"\n'
        "asks_stream_usage = false\n"
        'reasoning.off = [{ effort = "null" }]\n'
        'reasoning.high = [{ effort = "max" }, { on = true }]\n'
        'fatal_codes = ["A"]\nthrottle_codes = ["b"]\ntransient_codes = ["c"]\nticket_codes = ["d"]'
    )
    mine = files.presets(text)["mine"]
    assert (mine.wire, mine.auth, mine.structured) == ("anthropic", "x-api-key", "plain")
    assert (mine.default_model, mine.max_tokens_field) == ("m", "max_completion_tokens")
    assert mine.fixed_body == {"seed": 1, "effort": "none"}
    assert mine.asks_stream_usage is False
    assert mine.reasoning == {
        Reasoning.OFF: ({"effort": None},),
        Reasoning.HIGH: ({"effort": "max"}, {"on": True}),
    }
    assert (mine.rpm, mine.tpm, mine.check_path) == (1, 2, "health")
    assert mine.headers == {"x-one": "1"}
    codes = (mine.fatal_codes, mine.throttle_codes, mine.transient_codes, mine.ticket_codes)
    assert codes == tuple(frozenset({letter}) for letter in "abcd")


def test_a_header_in_another_case_is_no_second_one(files: Files) -> None:
    """The key's header wins."""
    text = NEW + 'key_env = "MINE"\nheaders = { Authorization = "Bearer other" }'
    sent = request_headers(files.presets(text)["mine"], ApiKey("k", source="MINE"))
    assert httpx.Headers(sent).get_list("authorization") == ["Bearer k"]


# --- What is wrong in them


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NEW + "base_ulr = 1", "[providers.mine] in FILE: unknown key 'base_ulr'; did you mean"),
        (
            NEW + "zzz = 1",
            "[providers.mine] in FILE: unknown key 'zzz'; known: asks_stream_usage, ",
        ),
        (NEW, "[providers.mine] in FILE needs key_env, the variable that holds the key; or "),
        ("[providers.mine]", "[providers.mine] in FILE is a new provider and needs base_url"),
        (
            "[providers.opanai]\nrpm = 1",
            "is a new provider and needs base_url; did you mean [providers.openai]?",
        ),
        ("[providers.local]", "[providers.local] in FILE: local is built in and no server"),
        ("[providers.simulated]", "[providers.simulated] in FILE: simulated is built in"),
        ("[providers.a.b]", "[providers.a] in FILE: unknown key 'b'; "),
        (
            "[providers.openai]\nwire = 'grpc'",
            "[providers.openai] in FILE: wire: 'grpc' cannot be used: choose 'openai' or ",
        ),
        ("[providers.openai]\nrpm = 0", "openai] in FILE: rpm: 0 cannot be used: it must be above"),
        ("[providers.openai]\nrpm = '9'", "rpm: '9' cannot be used: it must be a whole number"),
        ("[providers.openai]\nrequires_key = 1", "requires_key: 1 cannot be used: it must be true"),
        ("[providers.openai]\nkey_env = 3", "key_env: 3 cannot be used: it must be text in quotes"),
        ("[providers.openai]\nheaders = ['sk-secret']", "in FILE: headers: it must be a table"),
        ("[providers.openai]\nheaders = 'sk-secret'", "in FILE: headers: it must be a table"),
        (
            "[providers.openai]\nheaders = { x = ['sk-secret'] }",
            "in FILE: headers.x: it must be text in quotes",
        ),
        ("[providers.openai]\nfatal_codes = 'x'", "fatal_codes: 'x' cannot be used: it must be a "),
        ("[providers.openai]\nkey_env = 'sk-secret'", "key_env must be the name of an environment"),
        ("[providers.openai]\nbase_url = 'nowhere'", "in FILE: base URL 'nowhere' has no http(s)"),
        ("[providers.openai]\nbase_url = 'https://u:sk-secret@x/v1'", "contains credentials"),
        ('[providers.openai]\nheaders = { "a b" = "x" }', "header 'a b' cannot be sent: use a"),
        ('[providers.openai]\nheaders = { a = "sk-secret\\n" }', "header 'a' cannot be sent"),
        ('[providers.openai]\nheaders = { a = "sk-secr\\u00e9t" }', "header 'a' cannot be sent"),
        ('[providers.openai]\nheaders = { Host = "x" }', "'Host' is set by forge; leave it out"),
        ("[providers.openai]\nreasoning.low = []", "reasoning.low: it must not be empty"),
        (
            "[providers.openai]\nreasoning.most = [{}]",
            "reasoning.most: 'most' cannot be used: choose ",
        ),
        ("[providers.openai]\nreasoning = 'low'", "reasoning: 'low' cannot be used: it must be a "),
        ("[providers.openai]\ncheck_path = '//evil.example/x'", "check_path must be a path below"),
        ("[providers.openai]\ncheck_path = 'a?b'", "check_path must be a path below base_url"),
    ],
)
@pytest.mark.parametrize("place", ["user", "project"])
def test_faulty_tables_are_refused(files: Files, text: str, message: str, place: str) -> None:
    """File, table and key are named; no words of a library, and no value that may be secret."""
    with pytest.raises(SettingsError) as caught:
        files.presets(**{place: text})
    said = str(caught.value)
    assert message.replace("FILE", str(getattr(files, place))) in said
    assert "secr" not in said.replace("may be secret", "")
    assert "pydantic" not in said
    assert "Input should" not in said


def test_the_file_that_set_a_wrong_key_is_named(files: Files) -> None:
    """Not the last one that says anything about the provider."""
    with pytest.raises(SettingsError, match=r"\[providers\.openai\] in .*user\.toml: rpm: 0 "):
        files.presets("[providers.openai]\nrpm = 0", "[providers.openai]\ntpm = 1")


# --- Whom they trust


@pytest.mark.parametrize(
    ("project", "said"),
    [
        (
            NEW + 'key_env = "AWS_SECRET_ACCESS_KEY"',
            "[providers.mine] in {} names AWS_SECRET_ACCESS_KEY as a key, and a project's file",
        ),
        (
            '[providers.openai]\nbase_url = "https://evil.example/v1"',
            "[providers.openai] in {} changes base_url of openai, and a project's file does not",
        ),
        (
            '[providers.openai]\nbase_url = "http://api.openai.com/v1"',
            "not decide where OPENAI_API_KEY goes; if that is right",
        ),
        (
            '[providers.vllm]\nbase_url = "http://evil.example/v1"',
            "not decide where VLLM_API_KEY goes; ",
        ),
        (
            '[providers.openai]\nkey_env = "AWS_SECRET_ACCESS_KEY"',
            "changes key_env of openai, and a project's file does not decide where",
        ),
        (
            '[providers.openai]\nheaders = { helicone-target-url = "https://evil.example" }',
            "changes headers of openai",
        ),
        ('[providers.openai]\nauth = "x-api-key"', "changes auth of openai"),
    ],
)
def test_a_project_decides_about_no_key(files: Files, project: str, said: str) -> None:
    """The same table in the user's own file does."""
    name = project.partition(".")[2].partition("]")[0]
    distrust = files.presets(project=project)[name].distrust
    assert said.format(files.project) in distrust
    assert distrust.endswith(f"; if that is right, move the table to {files.user}")
    assert files.presets(user=project)[name].distrust == ""
    # Both at once change nothing: the user said so.
    assert files.presets(user=project, project=project)[name].distrust == ""


@pytest.mark.parametrize(
    "project",
    [
        NEW + "requires_key = false",
        '[providers.openai]\nbase_url = "https://API.openai.com/v2"',
        '[providers.openai]\ndefault_model = "m"\nrpm = 1\nfatal_codes = ["x"]',
        '[providers.openai]\nkey_env = "OPENAI_API_KEY"\nauth = "bearer"\nheaders = {}',
    ],
)
def test_a_project_may_say_the_rest(files: Files, project: str) -> None:
    """Limits, models, codes, another path on the provider's own server, what is so anyway."""
    name = project.partition(".")[2].partition("]")[0]
    assert files.presets(project=project)[name].distrust == ""


def test_who_says_where_a_provider_is(files: Files) -> None:
    """The package or the user, or a project, whose address nobody is to ask unasked."""
    assert files.presets(NEW + "requires_key = false")["mine"].is_address_own
    assert not files.presets(project=NEW + "requires_key = false")["mine"].is_address_own
    moved = '[providers.vllm]\nbase_url = "http://evil.example/v1"'
    assert not files.presets(project=moved)["vllm"].is_address_own
    assert files.presets(project="[providers.vllm]\nrpm = 1")["vllm"].is_address_own


# --- Codes of their own

OPENAI, OPENROUTER = find_preset("openai"), find_preset("openrouter")
REQUEST = ModelRequest(
    texts=("t",), messages=(Message("user", "t"),), schema=None, max_output_tokens=9
)


def openai_with(**codes: frozenset[str]) -> Preset:
    """Return OpenAI's preset with codes of its own."""
    changes: dict[str, Any] = dict(codes)
    return replace(OPENAI, **changes)


@pytest.mark.parametrize(
    ("status", "preset", "kind", "code"),
    [
        (400, {"fatal_codes": frozenset({"odd"})}, FatalError, "refused_by_code"),
        (402, {"throttle_codes": frozenset({"odd"})}, ThrottleError, "rate_limited"),
        (400, {"transient_codes": frozenset({"odd"})}, TransientError, "server_error"),
        (500, {"ticket_codes": frozenset({"odd"})}, RefusedTicket, "rejected"),
        (400, {}, RefusedTicket, "rejected"),
        (200, {"fatal_codes": frozenset({"stop"})}, None, ""),
    ],
)
async def test_a_presets_codes_go_before_the_wire_formats(
    status: int, preset: dict[str, frozenset[str]], kind: type[Exception] | None, code: str
) -> None:
    """Any error status; a word in an answer means nothing."""
    provider = connect(
        openai_with(**preset),
        api_key=ApiKey("k", source="X"),
        max_connections=1,
        clock=lambda: 0.0,
        estimate_tokens=len,
        model="m",
        stack=HttpStack.HTTPX,  # what respx looks through
    )
    body: dict[str, Any] = {"error": {"message": "no", "code": "ODD"}}
    if status == 200:
        body = {"code": "stop", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    with respx.mock:
        respx.post("https://api.openai.com/v1/chat/completions").respond(status, json=body)
        if kind is None:
            assert (await provider.ask(REQUEST)).text == "x"
        else:
            with pytest.raises(kind) as caught:
                await provider.ask(REQUEST)
            assert getattr(caught.value, "code", "") == code
    await provider.aclose()


@pytest.mark.parametrize(
    ("source", "kind"),
    [("openrouter_in_flight_budget", ThrottleError), ("openrouter_credits", FatalError)],
)
async def test_openrouters_two_kinds_of_402(source: str, kind: type[Exception]) -> None:
    """Requests in flight that reserve credit are waited for; used-up credit stops the run.

    openrouter.ai/docs/api/errors, "In-flight spending budget".
    """
    provider = connect(
        OPENROUTER,
        api_key=ApiKey("k", source="X"),
        max_connections=1,
        clock=lambda: 0.0,
        estimate_tokens=len,
        model="m",
        stack=HttpStack.HTTPX,  # what respx looks through
    )
    body = {"error": {"code": 402, "message": "no", "metadata": {"limit_source": source}}}
    with respx.mock:
        respx.post("https://openrouter.ai/api/v1/chat/completions").respond(
            402, json=body, headers={"retry-after": "3"}
        )
        with pytest.raises(kind):
            await provider.ask(REQUEST)
    await provider.aclose()

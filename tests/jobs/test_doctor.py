"""What doctor finds, check by check, over real sockets, files and certificates."""

from __future__ import annotations

import os
import re
import sqlite3
import ssl
import tempfile
from contextlib import closing, contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme
from msgspec.structs import replace
from running import CANARY
from servers import Reply, ScriptedServer, anthropic_error, completion, error, message

from inference_forge.adapters.cache import open_cache
from inference_forge.adapters.providers.presets import find_preset
from inference_forge.app.answering import open_answering
from inference_forge.app.taxonomy_file import load_taxonomy
from inference_forge.errors import (
    CacheError,
    FatalError,
    TaxonomyError,
    TicketError,
    TransientError,
)
from inference_forge.jobs.doctor import DoctorJob, Finding, Report, Status, Terminal, run_doctor
from inference_forge.jobs.doctor.account import Account
from inference_forge.jobs.doctor.call import call_once, served_models
from inference_forge.jobs.doctor.findings import fail, ok, warn, without_secrets
from inference_forge.jobs.doctor.machine import (
    check_clock,
    check_http,
    check_open_files,
    check_terminal,
    check_versions,
)
from inference_forge.jobs.doctor.readings import latency, rate_limits, structured_output
from inference_forge.jobs.doctor.refusals import advice_on
from inference_forge.jobs.doctor.storage import check_cache, check_directory
from inference_forge.models import CacheEntry, Finish, ModelAnswer, Usage
from inference_forge.settings import HttpStack, load_settings
from inference_forge.settings.prices import price_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_795_000_000.0
OPENAI, SARVAM = find_preset("openai"), find_preset("sarvam")
PIPED = Terminal(is_stdout_terminal=False, is_stderr_terminal=False, encoding="utf-8")
HOSTED = {"provider": "openai", "model": "m"}


def doctor(flags: dict[str, Any] | None = None, **job: Any) -> Report:
    """Run all checks with the environment that the test has."""
    job = {"clock": lambda: NOW, "terminal": PIPED, **job}
    return run_doctor(DoctorJob(flags=flags or {}, environ=os.environ, **job))


def named(report: Report, name: str) -> list[Finding]:
    """Return the findings of one check."""
    return [finding for finding in report.findings if finding.name == name]


def one(report: Report, name: str) -> Finding:
    """Return the only finding of one check."""
    (finding,) = named(report, name)
    return finding


def good(_number: int, _body: object) -> Reply:
    """Answer as asked, with the time and limits."""
    limits = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "0",
    }
    return completion({"ok": True}, headers={"Date": formatdate(NOW, usegmt=True), **limits})


def asked(script: Any, flags: dict[str, Any] | None = None, **job: Any) -> Report:
    """Run doctor against a scripted server, which is sent one completion at most."""
    with ScriptedServer(script) as server:
        report = doctor({**HOSTED, "base_url": server.url, **(flags or {})}, **job)
        posts = [request for request in server.requests if request.method == "POST"]
        assert len(posts) <= 1
        return report


def test_a_form_that_is_refused_to_the_last_is_named() -> None:
    """Without any form left the model is what must change; refused requests cost nothing."""
    reply = error(400, None, "response_format is not supported")
    with ScriptedServer(lambda *_: reply) as server:
        report = doctor({**HOSTED, "base_url": server.url})
    found = one(report, "structured output")
    assert (report.exit_code, found.status) == (4, Status.FAIL)
    assert "--model" in found.fix


def test_a_form_that_is_refused_once_is_a_warning() -> None:
    """What a run will find out by itself is told beforehand."""

    def script(_number: int, body: Any) -> Reply:
        is_schema = body["response_format"]["type"] == "json_schema"
        return error(400, None, "response_format: no") if is_schema else completion({"ok": True})

    with ScriptedServer(script) as server:
        report = doctor({**HOSTED, "base_url": server.url})
    assert report.exit_code == 0
    assert one(report, "structured output") == ok("structured output", "the answer fits")
    refused = one(report, "request")
    assert refused.status is Status.WARN
    assert "refuses response_format json_schema for m; asked with" in refused.found


def test_anthropic_is_examined_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its headers are sent, its answer and its limits read."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    limits = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
    }
    with ScriptedServer(lambda *_: message({"ok": True}, headers=limits)) as server:
        flags = {"provider": "anthropic", "model": "m", "base_url": server.url}
        report = doctor(flags)
        (request,) = server.requests
    assert report.exit_code == 0
    assert report.not_checked == ("clock",)
    assert one(report, "structured output") == ok("structured output", "json_schema is kept to")
    assert one(report, "rate limits").found == "49 of 50 requests left"
    assert request.target == "/v1/messages"
    assert request.headers["x-api-key"] == CANARY
    assert request.headers["anthropic-version"] == "2023-06-01"


def test_anthropics_models_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`GET /v1/models` wants the same headers (platform.claude.com/docs/en/api/models/list)."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)

    def script(_number: int, body: object) -> Reply:
        if body is None:
            return Reply(body={"data": [{"type": "model", "id": "claude-x"}], "has_more": False})
        return anthropic_error(404, "not_found_error", "model: claude-y")

    with ScriptedServer(script) as server:
        flags = {"provider": "anthropic", "model": "claude-y", "base_url": server.url}
        report = doctor(flags)
        listing = server.requests[-1]
    assert "the server lists claude-x" in one(report, "model").fix
    assert (listing.method, listing.target) == ("GET", "/v1/models")
    assert listing.headers["x-api-key"] == CANARY
    assert listing.headers["anthropic-version"] == "2023-06-01"


def account(**changes: Any) -> Account:
    """Return an account at OpenAI without a key."""
    preset = replace(OPENAI, requires_key=False)
    return replace(Account(preset, "http://127.0.0.1:9/v1", "m", None), **changes)


def test_a_healthy_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything about it is found out by one call, and the exit code is 0."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with ScriptedServer(good) as server:
        report = doctor({**HOSTED, "base_url": server.url})
        (request,) = server.requests
    assert report.exit_code == 0
    assert report.not_checked == ()
    assert one(report, "provider").found == "openai, model m"
    assert one(report, "key") == ok("key", "from OPENAI_API_KEY, accepted")
    assert one(report, "model") == ok("model", "m, answered by served-model")
    assert one(report, "structured output") == ok("structured output", "json_schema is kept to")
    assert one(report, "endpoint").found == f"{server.url.removesuffix('/v1')} answered"
    assert one(report, "clock") == ok("clock", "0 s behind the server's")
    assert one(report, "latency").found.endswith("s for the one call (25 tokens, no price known)")
    limits = one(report, "rate limits")
    assert (limits.status, limits.found) == (
        Status.WARN,
        "59 of 60 requests left, 0 of unknown tokens left",
    )
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.parsed["max_completion_tokens"] == 64
    schema = request.parsed["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["ok"]


def test_the_embedded_classifier_is_not_called() -> None:
    """Without --provider nothing is sent, and where labels come from is said."""
    report = doctor(transport=httpx.MockTransport(_never))
    assert (report.exit_code, report.not_checked) == (0, ())
    assert one(report, "provider").found.startswith(
        "local: labels come from the built-in baseline (local-baseline), not from a language model"
    )
    assert named(report, "endpoint") == []


def test_a_key_that_the_embedded_classifier_does_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set a key learns how to use it."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    found = one(doctor(), "provider").found
    assert found.endswith("OPENAI_API_KEY is set: add --provider openai")


def test_a_model_for_the_embedded_classifier() -> None:
    """It has one model: a flag that it cannot follow is a mistake in the settings."""
    report = doctor({"model": "gpt"})
    assert one(report, "provider").line == (
        "fail  provider: --model needs a provider; fix: add --provider openai (or any other; "
        "local has one model)"
    )
    assert report.exit_code == 2


def _never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(request.url)


def test_offline_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a call can tell is listed as not checked."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    report = doctor(HOSTED, is_offline=True, transport=httpx.MockTransport(_never))
    assert report.exit_code == 0
    assert one(report, "endpoint").found == "not asked (--offline)"
    assert one(report, "key").found == "from OPENAI_API_KEY, well-formed; not tried"
    assert report.not_checked == (
        "model",
        "structured output",
        "latency",
        "rate limits",
        "clock",
    )


@pytest.mark.parametrize(
    ("reply", "name", "exit_code", "fix"),
    [
        (error(401, "invalid_api_key"), "key", 4, "check the key"),
        (error(403, "permission_denied"), "key", 4, "OPENAI_API_KEY"),
        (error(429, "insufficient_quota"), "quota", 4, "top up"),
        (error(402), "quota", 4, "top up"),
        (error(404), "endpoint", 4, "correct --base-url"),
        (Reply(307, headers={"Location": "http://else.example/"}), "endpoint", 4, "--base-url"),
        (error(400, None, "bad temperature"), "request", 4, "every ticket"),
        (error(404, "model_not_found"), "model", 4, "choose another with --model"),
        (error(500), "endpoint", 75, "try again later"),
        (Reply(200, b"<html>"), "endpoint", 75, "correct --base-url"),
        (error(429), "rate limits", 0, "forge waits"),
        (error(529), "endpoint", 0, "forge waits"),
        (Reply(resets=True, body=b"x" * 100), "endpoint", 75, "try again later"),
    ],
)
def test_a_refused_call(reply: Reply, name: str, exit_code: int, fix: str) -> None:
    """Each way to fail has a name, an exit code and an advice; nothing is asked twice."""
    report = asked(lambda *_: reply)
    assert report.exit_code == exit_code
    finding = one(report, name)
    assert (finding.status is Status.FAIL) == bool(exit_code)
    assert finding.status is not Status.OK
    assert fix in finding.fix
    assert "structured output" in report.not_checked or name == "structured output"
    assert len(named(report, "endpoint")) == 1


def test_an_unknown_model_is_answered_with_those_that_are_served() -> None:
    """The list costs nothing; the nearest name comes first, a few others follow."""
    listed = {"data": [{"id": "alpha"}, *({"id": f"b{n}"} for n in range(9)), {"id": "mini"}]}

    def script(_number: int, body: Any) -> Reply:
        return Reply(body=listed) if body is None else error(404, "model_not_found")

    report = asked(script, {"model": "minj"})
    assert report.exit_code == 4
    assert one(report, "model").fix == (
        "choose another with --model; the server lists mini, alpha, b0, b1, b2, b3, b4, b5 and 3 "
        "more"
    )
    assert one(report, "endpoint").found.endswith(" answered 404")


def test_a_model_that_nobody_chose() -> None:
    """No call is made; a server of one's own says what it serves."""
    script = lambda *_: Reply(body={"data": [{"id": "qwen3"}]})  # noqa: E731
    report = asked(script, {"provider": "vllm", "model": None})
    assert (report.exit_code, one(report, "model").fix) == (
        2,
        "choose one with --model; the server lists qwen3",
    )


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>"),
        Reply(body=3),
        Reply(body={"data": [7, {"id": 7}, {"name": "x"}]}),
        error(404),
        Reply(resets=True, body=b"x" * 100),
    ],
)
async def test_a_server_without_a_list_of_models(reply: Reply) -> None:
    """Nothing is listed, and nothing is raised."""
    async with ScriptedServer(lambda *_: reply) as server:
        assert await served_models(account(base_url=server.url)) == ()


async def test_a_list_without_a_wrapper() -> None:
    """Some servers send the list itself."""
    async with ScriptedServer(lambda *_: Reply(body=[{"id": "m"}])) as server:
        assert await served_models(account(base_url=server.url)) == ("m",)


async def test_a_call_ends_in_time() -> None:
    """A server that never answers is unreachable, not a reason to hang."""
    async with ScriptedServer(lambda *_: Reply(body=b"x" * 50, dribble_s=0.02)) as server:
        call = await call_once(account(base_url=server.url), clock=lambda: NOW, timeout_s=0.2)
    assert isinstance(call.outcome, TransientError)
    assert call.outcome.code == "timeout"
    assert str(call.outcome).endswith(": no answer within 0.2 s")


def test_nobody_listens() -> None:
    """Exit 75: the provider may come back."""
    with ScriptedServer(good) as server:
        address = server.url
    report = doctor({**HOSTED, "base_url": address})
    assert report.exit_code == 75
    assert one(report, "endpoint").fix.startswith("start the server, or correct --base-url")
    assert one(report, "key").found == "none (OPENAI_API_KEY is not set); not tried"
    assert "clock" in report.not_checked


def test_a_name_that_does_not_exist() -> None:
    """The resolver's reason is told apart from a refused connection."""
    report = doctor({**HOSTED, "base_url": "http://doctor.invalid/v1"})
    assert report.exit_code == 75
    assert "cannot be resolved" in one(report, "endpoint").found


def test_a_certificate_that_nobody_vouches_for() -> None:
    """Exit 4, as for a run: time does not mend it. Nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(good, tls=context) as server:
        report = doctor({**HOSTED, "base_url": server.url})
        assert server.requests == []
    assert report.exit_code == 4
    assert "SSL_CERT_FILE" in one(report, "endpoint").fix


def test_certificates_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names no file is a mistake in the configuration."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    report = doctor({**HOSTED, "base_url": "https://127.0.0.1:9/v1"})
    assert report.exit_code == 2
    assert one(report, "certificates").found.startswith("the certificates that SSL_CERT_FILE")


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"provider": "opnai"}, "provider"),
        ({"base_url": "ftp://x"}, "endpoint"),
        ({"provider": "openai"}, "key"),
    ],
)
def test_what_the_settings_lack(flags: dict[str, str], name: str) -> None:
    """Exit 2, and nothing is sent."""
    report = doctor({**HOSTED, **flags}, transport=httpx.MockTransport(_never))
    assert (report.exit_code, one(report, name).status) == (2, Status.FAIL)


def test_a_missing_key() -> None:
    """The line names the variable and where it goes."""
    assert one(doctor(HOSTED), "key").line == (
        "fail  key: openai needs an API key; fix: set OPENAI_API_KEY"
    )


def test_a_malformed_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fault is named, and no part of it."""
    monkeypatch.setenv("OPENAI_API_KEY", f"{CANARY}\n")
    report = doctor(HOSTED)
    assert "has a line break at position" in one(report, "key").found
    assert CANARY not in repr(report)


def test_a_key_is_not_taken_where_a_run_would_not_take_it(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project file cannot make doctor send the environment's key elsewhere, not even to list."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    (isolated / "forge.toml").write_text('base_url = "http://evil.example/v1"')
    report = doctor({"provider": "openai"}, transport=httpx.MockTransport(_never))
    assert report.exit_code == 2
    assert one(report, "key").fix.startswith("if that is right, say so with --base-url")


def test_a_key_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain HTTP beyond this machine is warned of."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    flags = {**HOSTED, "base_url": "http://models.example/v1"}
    finding = one(doctor(flags, is_offline=True), "encryption")
    assert finding.found == "the key and every ticket go to http://models.example in the clear"
    flags["base_url"] = "https://models.example/v1"
    assert named(doctor(flags, is_offline=True), "encryption") == []


def test_keys_appear_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither echoed by a server nor in the place of another setting's value."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    report = asked(lambda *_: error(400, None, f"who is {CANARY}?"))
    assert "who is ***?" in one(report, "request").found
    listed = {"data": [{"id": CANARY}]}
    report = asked(lambda _, body: error(404, "model_not_found") if body else Reply(body=listed))
    assert one(report, "model").fix.endswith("the server lists ***")
    monkeypatch.setenv("FORGE_CONCURRENCY", CANARY)
    report = doctor(HOSTED)
    assert "'***' cannot be used" in one(report, "settings").found
    assert CANARY not in repr(report)


def test_secrets_that_contain_each_other() -> None:
    """The longer is hidden whole; a placeholder is a word like any other."""
    finding = fail("x", "key-12345678 ollama", "key-12345678-more", 2)
    (shown,) = without_secrets([finding], ["key-12345678", "key-12345678-more\n", "ollama", ""])
    assert (shown.found, shown.fix) == ("*** ollama", "***")


def test_a_proxy_is_shown_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also which hosts go around it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    flags = {**HOSTED, "base_url": "https://models.example/v1"}
    report = doctor(flags, is_offline=True)
    assert one(report, "proxy").found == (
        "https://models.example is reached through http://proxy.example:3128 "
        "(NO_PROXY=inside.example)"
    )
    monkeypatch.setenv("NO_PROXY", "models.example")
    assert "none for https://models.example" in one(doctor(flags, is_offline=True), "proxy").found
    assert "secret" not in repr(report)


@pytest.mark.parametrize(
    ("proxy", "code"), [("http://127.0.0.1:9", 75), ("http://proxy.invalid:3128", 75)]
)
def test_a_proxy_that_does_not_work_is_what_is_advised_about(
    monkeypatch: pytest.MonkeyPatch, proxy: str, code: int
) -> None:
    """Neither the server nor this machine's DNS is at fault."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    report = doctor({**HOSTED, "base_url": "http://models.example/v1"})
    finding = named(report, "proxy")[-1]
    assert report.exit_code == code
    assert finding.fix == f"check the proxy {proxy}, or name the host in NO_PROXY"


def test_a_socks_proxy_without_its_package_is_a_matter_of_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The certificates have nothing to do with it."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    report = doctor({**HOSTED, "base_url": "http://models.example/v1"})
    assert "httpx[socks]" in one(report, "proxy").found


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        ({"fallback_model": "m2"}, Status.OK, "openai, model m2 (not called)"),
        ({"fallback_provider": "local"}, Status.OK, "local, model local-baseline (not called)"),
        ({"fallback_provider": "sarvam"}, Status.FAIL, "sarvam needs an API key"),
        ({"fallback_provider": "groq"}, Status.FAIL, "groq has no default model"),
        ({"fallback_model": "m"}, Status.FAIL, "--fallback-model is the model itself"),
    ],
)
def test_a_fallback_is_looked_at_and_not_called(
    flags: dict[str, str], status: Status, said: str
) -> None:
    """An outage is a bad moment to learn that its key is missing."""
    finding = one(asked(good, flags), "fallback")
    assert (finding.status, finding.found) == (status, said)


def test_a_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that cannot be used is a mistake in the configuration."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example")
    report = doctor({**HOSTED, "base_url": "https://models.example/v1"})
    assert (report.exit_code, one(report, "proxy").fix) == (2, "correct or unset the variable")


def test_settings_say_where_they_are_from(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files read, and which key was set where, without values."""
    (isolated / "forge.toml").write_text('model = "m"')
    monkeypatch.setenv("FORGE_TIMEOUT", "5s")
    found = one(doctor({"provider": "openai"}, is_offline=True), "settings").found
    assert found.startswith("forge.toml read, ")
    assert found.endswith(
        "forge.toml absent; by flag: provider; by environment: timeout; by project file: model"
    )


@pytest.mark.parametrize("text", ["modle = 1", "model = ", "concurrency = 0", b"\xff"])
def test_settings_that_cannot_be_read(isolated: Path, text: str | bytes) -> None:
    """Exit 2; nothing is sent or guessed, but the machine is still looked at."""
    raw = text if isinstance(text, bytes) else text.encode()
    (isolated / "forge.toml").write_bytes(raw)
    report = doctor(HOSTED, transport=httpx.MockTransport(_never))
    assert report.exit_code == 2
    assert one(report, "settings").found.startswith("forge.toml: ")
    assert one(report, "state").status is Status.OK
    assert set(report.not_checked) >= {"taxonomy", "key", "endpoint", "cache"}


def test_a_variable_that_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run ignores it, so nobody else would say."""
    monkeypatch.setenv("FORGE_WHATEVER", "1")
    warning = next(f for f in named(doctor(), "settings") if f.status is Status.WARN)
    assert warning.found == "FORGE_WHATEVER in the environment: no such setting, ignored"


@pytest.mark.parametrize("text", [None, "x = ", "[categories]"])
def test_a_taxonomy_that_cannot_be_used(isolated: Path, text: str | None) -> None:
    """Exit 2, before anything is sent."""
    path = isolated / "taxonomy.toml"
    if text is not None:
        path.write_text(text)
    flags = {"provider": "vllm", "model": "m", "taxonomy": path}
    report = doctor(flags, transport=httpx.MockTransport(_never))
    assert (report.exit_code, one(report, "taxonomy").status) == (2, Status.FAIL)


def test_a_taxonomy_that_the_baseline_cannot_learn(isolated: Path) -> None:
    """The embedded classifier needs examples; doctor says so as a run would."""
    path = isolated / "taxonomy.toml"
    path.write_text('[categories]\na = "x"\nb = "y"\n')
    with pytest.raises(TaxonomyError) as caught:
        open_answering(load_settings({}, environ={}), load_taxonomy(path), {})
    report = doctor({"taxonomy": path})
    assert (report.exit_code, named(report, "taxonomy")[1].found) == (2, str(caught.value))


def test_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A warning says where answers are kept instead."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    report = doctor()
    assert (report.exit_code, one(report, "home").status) == (0, Status.WARN)
    assert one(report, "home").fix.startswith("set HOME")


def test_no_home_and_no_temporary_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 5, without a crash."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    report = doctor()
    assert (report.exit_code, one(report, "home").fix) == (5, "set HOME")
    assert set(report.not_checked) == {"cache", "state"}


def fill(directory: Path) -> None:
    """Keep two answers, as a run does."""
    entry = CacheEntry("{}", {"category": "billing"}, "m", Usage(), NOW)
    with closing(open_cache(directory, clock=lambda: NOW, on_warning=lambda *_: None)) as cache:
        cache.put_many({bytes([number]) * 32: entry for number in (1, 2)})


def test_a_cache_with_answers(isolated: Path) -> None:
    """Count, size and path; where it lies, and that it can be written; no trace is left."""
    fill(isolated / "cache")
    contents, place = named(doctor({"cache_dir": isolated / "cache"}), "cache")
    assert contents.found.startswith("2 answers, 0.")
    assert place.found.startswith(f"{isolated / 'cache'} is writable (")
    assert "made when needed" not in place.found
    sqlite = {"cache.db-shm", "cache.db-wal"}
    names = {path.name for path in (isolated / "cache").iterdir()}
    assert names - sqlite == {"cache.db", "cache.db.lock"}


def test_directories_are_not_made_by_looking(isolated: Path) -> None:
    """Whether they could be made is tried above them."""
    findings = check_cache(isolated / "a/b")
    assert [finding.status for finding in findings] == [Status.OK, Status.OK]
    assert "is made when needed" in findings[1].found
    assert list(isolated.iterdir()) == []


@pytest.mark.parametrize("where", ["/proc/forge/cache", "/proc/self/status/x", "in\0valid"])
def test_a_cache_that_cannot_be_made(where: str) -> None:
    """Exit 5, whatever the reason; root, too, cannot write in /proc."""
    report = doctor({"cache_dir": Path(where)})
    assert report.exit_code == 5
    assert named(report, "cache")[-1].status is Status.FAIL


@contextmanager
def normal_user(*owned: Path) -> Iterator[None]:
    """Lose root's right to write everywhere, if the tests have it; `owned` change hands."""
    if os.geteuid():
        yield
        return
    for path in owned:
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a directory that a normal user can enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "cache").mkdir(0o700)
        yield Path(name) / "cache"


def test_a_directory_that_must_not_be_written(public: Path) -> None:
    """Its permissions are named, and what to do."""
    public.chmod(0o500)
    with normal_user(public):
        (finding,) = check_directory("state", public, "HOME")
    assert (finding.exit_code, finding.found) == (
        5,
        f"{public} cannot be written: Permission denied",
    )


def test_a_database_that_must_not_be_written(public: Path) -> None:
    """A file that root left behind, in a directory that is one's own."""
    fill(public)
    (public / "cache.db").chmod(0o400)
    with normal_user(public, *public.iterdir()):
        (finding,) = check_cache(public)
    assert finding.line.startswith(f"fail  cache: {public}/cache.db cannot be written; fix: ")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, isolated: Path) -> None:
    """Advice differs from that on permissions."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (finding,) = check_directory("state", isolated, "HOME")
    assert finding.fix.startswith("free some space")
    assert list(isolated.iterdir()) == []


def test_who_owns_the_cache(public: Path) -> None:
    """Files that sudo makes in a user's cache lock the user out."""
    if os.geteuid():
        pytest.skip("needs root to give a directory away")
    os.chown(public, 65534, 65534)
    warning = check_directory("cache", public, "--cache-dir PATH")[1]
    assert warning.found == f"{public} belongs to user 65534, and forge runs as 0"


def test_a_cache_open_to_everybody(public: Path) -> None:
    """Whoever can replace files there decides about answers."""
    public.chmod(0o777)
    warning = check_directory("cache", public, "--cache-dir PATH")[1]
    assert warning.line == (
        f"warn  cache: every user can replace files in {public} (mode 777); "
        f"fix: chmod go-rwx {public}"
    )


def test_a_damaged_cache(isolated: Path) -> None:
    """The next run sets it aside: a warning; and what was set aside before is named."""
    (isolated / "cache.db").write_bytes(b"damaged " * 1000)
    damaged, _ = check_cache(isolated)
    assert (damaged.status, damaged.fix.startswith("nothing; the next run")) == (Status.WARN, True)
    fill(isolated)
    aside = check_cache(isolated)[1]
    assert aside.found.startswith("damaged databases were set aside: cache.db.corrupt-")


def test_a_cache_that_somebody_locks(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run waits and then goes on without: a warning, after a short wait."""
    monkeypatch.setattr("inference_forge.jobs.doctor.storage._LOCK_PATIENCE_S", 0.05)
    fill(public)
    with closing(sqlite3.connect(public / "cache.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        connection.execute("BEGIN EXCLUSIVE")
        locked, place = check_cache(public)
    assert (locked.status, place.status) == (Status.WARN, Status.OK)
    assert locked.fix.startswith("let the program end")


def test_a_cache_that_must_not_be_read(public: Path) -> None:
    """Exit 5: a run would neither find nor keep answers."""
    fill(public)
    (public / "cache.db").chmod(0o000)
    with normal_user(public, *public.iterdir()):
        (finding,) = check_cache(public)
    assert (finding.exit_code, finding.fix) == (
        5,
        "give it to this user (chown), or choose another --cache-dir",
    )


def test_a_cache_of_another_release(monkeypatch: pytest.MonkeyPatch, isolated: Path) -> None:
    """A run uses it more slowly: what to do is the cache's own advice."""

    def refuse(*_: object, **__: object) -> None:
        raise CacheError("made by another release; install diskcache 5.6.3")

    monkeypatch.setattr("inference_forge.jobs.doctor.storage.stats", refuse)
    warning = check_cache(isolated)[0]
    assert warning.line == "warn  cache: made by another release; fix: install diskcache 5.6.3"


def test_a_cache_that_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not looked at, and what that means is said."""
    monkeypatch.setenv("FORGE_CACHE", "false")
    assert one(doctor({"cache_dir": Path("/proc/forge")}), "cache").status is Status.WARN


@pytest.mark.parametrize(
    ("mounts", "kind", "is_warned"),
    [
        ("dev / ext4 rw 0 0\nsrv:/x {here} nfs4 rw 0 0\n", "nfs4", True),
        ("dev / ext4 rw 0 0\nme@x: {here} fuse.sshfs rw 0 0\n", "fuse.sshfs", True),
        ("srv:/x {here} nfs rw 0 0\ndev {here} ext4 rw 0 0\n", "ext4", False),
        ("srv:/x {here}/sub nfs rw 0 0\ndev / xfs rw 0 0\njunk\n", "xfs", False),
        ("srv:/x {here}-other nfs rw 0 0\ndev / xfs rw 0 0\n", "xfs", False),
        ("srv:/x {above}/with nfs rw 0 0\ndev / xfs rw 0 0\n", "xfs", False),
        ("", "unknown file system", False),
    ],
)
def test_network_file_systems(isolated: Path, mounts: str, kind: str, is_warned: bool) -> None:
    """The nearest mount decides, the later of two; names are compared part by part."""
    here = isolated / "with space"
    here.mkdir()
    table = isolated / "mounts"
    table.write_text(mounts.format(here=str(here).replace(" ", r"\040"), above=isolated))
    place, *warnings = check_directory("cache", here, "--cache-dir PATH", table)
    assert f"({kind}, " in place.found
    assert [f"({kind})" in warning.found for warning in warnings] == [True] * is_warned


def test_a_system_without_a_table_of_mounts(isolated: Path) -> None:
    """What lies where is then unknown, which is no trouble."""
    (place,) = check_directory("cache", isolated, "--cache-dir PATH", isolated / "none")
    assert "(unknown file system, " in place.found


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch, isolated: Path) -> None:
    """Below 100 MB is a warning."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage)
    warning = check_directory("cache", isolated, "--cache-dir PATH")[1]
    assert warning.found == "only 50 MB are free"


class _Usage:
    free = 50_000_000


@pytest.mark.parametrize(
    ("skew_s", "status"), [(0, "ok"), (299, "ok"), (-299, "ok"), (301, "warn"), (-301, "warn")]
)
def test_the_clock_is_compared_with_the_servers(skew_s: int, status: str) -> None:
    """Five minutes either way are accepted."""
    headers = {"date": formatdate(NOW, usegmt=True)}
    finding = check_clock(headers, NOW + skew_s)
    assert finding is not None
    assert finding.status == status
    assert f"{abs(skew_s)} s {'ahead of' if skew_s > 0 else 'behind'}" in finding.found


@pytest.mark.parametrize("date", ["", "junk", "Mon, 99 Foo 2026", "Thu, 1 Jan 0001 00:00:00 -2359"])
def test_a_date_that_says_nothing(date: str) -> None:
    """Foreign headers never make doctor fail."""
    finding = check_clock({"date": date}, NOW)
    assert finding is None or finding.status is Status.WARN


def test_a_date_without_a_zone() -> None:
    """It is read as UTC, as HTTP says."""
    finding = check_clock({"date": formatdate(NOW).replace("+0000", "-0000")}, NOW)
    assert finding == ok("clock", "0 s behind the server's")


def test_open_files_against_concurrency() -> None:
    """One descriptor per connection and some to spare; -1 is no limit."""
    assert check_open_files(64, 128).status is Status.OK
    warning = check_open_files(65, 128)
    assert (warning.status, warning.fix) == (
        Status.WARN,
        "ulimit -n 129, or a lower --concurrency",
    )
    assert check_open_files(10_000, -1) == ok("open files", "no limit (--concurrency 10000)")


@pytest.mark.parametrize("encoding", ["UTF-8", "utf8", None])
def test_a_terminal(encoding: str | None) -> None:
    """What output meets is a fact, not a fault."""
    terminal = Terminal(is_stdout_terminal=True, is_stderr_terminal=False, encoding=encoding)
    finding = check_terminal(terminal, {"LANG": "de_DE.UTF-8", "TERM": "xterm", "NO_COLOR": ""})
    assert finding.line == (
        "ok    terminal: stdout is a terminal, stderr no terminal (TERM=xterm), encoding "
        f"{encoding or 'none'}, LANG=de_DE.UTF-8, NO_COLOR is set"
    )


def test_a_terminal_that_garbles_names() -> None:
    """Anything but UTF-8 is a warning."""
    finding = check_terminal(replace(PIPED, encoding="ascii"), {})
    assert (finding.status, finding.fix[:21]) == (Status.WARN, "export LANG=C.UTF-8, ")


def test_versions_of_a_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is a finding; so is a missing library."""
    assert " httpx 0." in check_versions().found
    monkeypatch.setattr("inference_forge.jobs.doctor.machine.LIBRARIES", ("no-such-library",))
    assert check_versions().found.endswith("no-such-library unknown")
    monkeypatch.setattr("inference_forge.version.DISTRIBUTION", "no-such-distribution")
    assert check_versions().status is Status.WARN


def answered(text: str, finish: Finish = Finish.STOP, **usage: Any) -> ModelAnswer:
    """Return an answer."""
    return ModelAnswer(text=text, model="m", usage=Usage(**usage), finish=finish)


@pytest.mark.parametrize(
    ("mode", "text", "status"),
    [
        ("json_schema", '{"ok": true}', Status.OK),
        ("json_schema", '<think>hm</think>{"ok": false}', Status.OK),
        ("json_schema", '{"ok": "yes"}', Status.WARN),
        ("json_schema", '{"ok": true, "more": 1}', Status.WARN),
        ("json_schema", '```json\n{"ok": true}\n```', Status.WARN),
        ("json_object", '{"fine": 1}', Status.OK),
        ("json_object", 'Here: {"ok": true}', Status.WARN),
        ("plain", '{"ok": true}', Status.OK),
        ("json_object", "[true]", Status.WARN),
        ("json_schema", "Sure!", Status.WARN),
        ("json_schema", "", Status.WARN),
    ],
)
def test_the_form_of_an_answer(mode: str, text: str, status: Status) -> None:
    """Only an answer of the very form that was asked for is praised."""
    assert structured_output(mode, answered(text)).status is status


def test_an_answer_that_was_cut() -> None:
    """It says nothing about the form."""
    finding = structured_output("json_schema", answered('{"ok', Finish.LENGTH))
    assert finding.found == "not known: the answer was cut at 64 tokens"


def test_a_model_that_reasons() -> None:
    """Reasoning is billed: whoever did not ask for it should know."""
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    report = asked(lambda *_: completion({"ok": True}, usage=usage))
    assert one(report, "reasoning").found.startswith("the model reasons (7 tokens)")


def test_what_the_call_cost() -> None:
    """With a known price the amount, and with an estimate the word for it."""
    sarvam = account(preset=SARVAM, model="sarvam-105b")
    spent = latency(sarvam, 0.5, answered("", prompt_tokens=1000), 60)
    assert spent.found == "0.50 s for the one call (1,000 tokens, 0.02928 INR)"
    own = price_tables(
        {"sarvam": {"sarvam-105b": {"currency": "INR", "prompt": 1, "completion": 1}}}, "f.toml"
    )
    cheap = latency(replace(sarvam, prices=own), 0.5, answered("", prompt_tokens=1000), 60)
    assert cheap.found == "0.50 s for the one call (1,000 tokens, 0.001 INR)"
    slow = latency(account(), 31, answered("", is_estimate=True), 60)
    assert (slow.status, slow.found) == (
        Status.WARN,
        "31.00 s for the one call (0 tokens, estimated, no price known)",
    )


def test_rate_limits_in_part() -> None:
    """What a server does not say is not made up."""
    assert rate_limits({}, NOW) == ok("rate limits", "the response names none")
    headers = {"x-ratelimit-reset-tokens": "1m", "x-ratelimit-limit-requests": "5"}
    found = rate_limits(headers, NOW).found
    assert found == "unknown of 5 requests left, tokens full in 60 s"


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (TransientError("x", code="new"), "endpoint"),
        (FatalError("x", code="new"), "endpoint"),
        (TicketError("no json_schema here", code="rejected"), "structured output"),
        (TicketError("x", code="forbidden"), "request"),
    ],
)
def test_errors_that_are_not_in_the_list(problem: Any, name: str) -> None:
    """Every class has a name of its own and an advice."""
    advice = advice_on(problem)
    assert (advice.name, bool(advice.fix)) == (name, True)


def test_the_most_urgent_failure_decides() -> None:
    """What must be changed here comes before what the provider does, and that before time."""
    codes = (75, 4, 5, 2)
    findings = [ok("a", "b"), *(fail("x", "y", "z", code) for code in codes)]
    for number, code in enumerate(codes, start=2):
        assert Report(tuple(findings[:number])).exit_code == code
    assert Report((findings[0],)).exit_code == 0


def test_foreign_text_is_safe_for_a_terminal() -> None:
    """Whatever a server says, no control character gets through."""
    report = asked(lambda *_: error(400, None, "\x1b]8;;http://evil\x07click\u202e\n"))
    assert "click" in one(report, "request").found
    assert all(line.isprintable() for line in (finding.line for finding in report.findings))
    assert ok("x", "a\x1b[2Jb\nc").found == "a\ufffd[2Jb c"
    assert fail("x", "\x07", "\x9b", 2).line == "fail  x: \ufffd; fix: \ufffd"
    assert warn("x", "\x07", "\x9b").line == "warn  x: \ufffd; fix: \ufffd"


@pytest.mark.parametrize(
    ("stack", "is_proxied", "expected"),
    [
        (HttpStack.AUTO, False, r"httptools [\d.]+ on uvloop [\d.]+ \(--http auto\)"),
        (HttpStack.AUTO, True, r"httpx [\d.]+ on uvloop .*; a proxy leaves no other choice .*"),
        (HttpStack.PLAIN, False, r"h11 [\d.]+ on asyncio \(--http plain\)"),
        (HttpStack.HTTPX, False, r"httpx [\d.]+ on asyncio \(--http httpx\)"),
    ],
)
def test_what_speaks_http_is_told(stack: HttpStack, is_proxied: bool, expected: str) -> None:
    """The parser and the event loop that a run would use."""
    found = check_http(stack, is_proxied=is_proxied)
    assert re.fullmatch(expected, found.found)
    assert found.status is Status.OK


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong without it, but it would be quicker."""
    monkeypatch.setattr("inference_forge.adapters.http.stack.is_httptools_there", lambda: False)
    found = check_http(HttpStack.AUTO, is_proxied=False)
    assert found.found.startswith("h11 ")
    assert "pip install 'inference-forge[fast]'" in found.found

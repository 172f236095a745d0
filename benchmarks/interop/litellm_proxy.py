"""The LiteLLM proxy: mock answers, mock errors, and the simulated provider behind it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from cases import ROOT, Case
from environment import Environment, free_port, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Without prisma every request with a bad key is answered with a bare 500.
PINS = ("litellm[proxy]==1.106.2", "prisma==0.15.0")
KEY = "sk-interop"
ANSWER = json.dumps({"category": "billing", "priority": "high", "summary": "Charged twice."})
MOCKS: dict[str, dict[str, Any]] = {
    "steady": {"mock_response": ANSWER},
    "chatty": {"mock_response": "Hello, how can I help?"},
    "throttled": {"mock_response": "litellm.RateLimitError"},
    "broken": {"mock_response": "litellm.InternalServerError"},
    "long": {"mock_response": "litellm.ContextWindowExceededError"},
    "filtered": {"mock_response": "Exception: content_filter_policy", "model": "azure/filtered"},
    "slow": {"mock_response": ANSWER, "mock_timeout": True, "timeout": 1},
    "unreachable": {"api_base": "http://127.0.0.1:9/v1"},
}
TROUBLED = ("--throttle-rate", "2%", "--throttle-wait", "1s", "--error-rate", "2%")
FEW = 20
SHORT = ("--outage-budget", "6s", "--breaker-recovery", "1s")


def prepare(home: Path) -> Environment:
    """Install the proxy."""
    environment = Environment(home / "litellm", PINS)
    environment.install()
    return environment


def cases(environment: Environment) -> Iterator[tuple[str, Case]]:
    """Yield server and case while the proxy and the provider behind it run."""
    port, behind, locked = free_port(), free_port(), free_port()
    config = environment.home / "config.yaml"
    config.write_text(json.dumps(_configuration(behind, locked)), "utf-8")
    proxy = [
        *(environment.program("litellm"), "--config", str(config)),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    environ = {
        **environment.environ(),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "PYTHONPATH": str(ROOT),
    }
    simulate = [sys.executable, "-m", "inference_forge", "simulate", "--port"]
    log = environment.home / "server.log"
    ready = f"http://127.0.0.1:{port}/health/liveliness"
    with (
        started([*simulate, str(behind), *TROUBLED], log, environ, probe=_models(behind)),
        started([*simulate, str(locked), "--key", "other"], log, environ, probe=_models(locked)),
        started(proxy, log, environ, probe=ready),
    ):
        for case in (*_chat(port), *_messages(port)):
            yield "LiteLLM", case


def _models(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1/models"


def _configuration(behind: int, locked: int) -> dict[str, Any]:
    """Return the proxy's configuration; JSON is YAML, too."""
    deployments = [(name, {"model": f"openai/{name}", **mock}) for name, mock in MOCKS.items()]
    deployments += [
        ("simulated", {"model": "openai/simulated", "api_base": f"http://127.0.0.1:{behind}/v1"}),
        # Messages for "openai/" models become requests to /v1/responses, which is not simulated.
        (
            "converted",
            {"model": "hosted_vllm/simulated", "api_base": f"http://127.0.0.1:{behind}/v1"},
        ),
        ("locked", {"model": "openai/simulated", "api_base": f"http://127.0.0.1:{locked}/v1"}),
    ]
    return {
        "model_list": [
            {"model_name": name, "litellm_params": {"api_key": "unused", **given}}
            for name, given in deployments
        ],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"num_retries": 0},
        # Retries and cooldowns would answer in the provider's place.
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }


def _chat(port: int) -> Iterator[Case]:
    base = ("--provider", "openai", "--base-url", f"http://127.0.0.1:{port}/v1", "--model")
    key = {"OPENAI_API_KEY": KEY}
    yield Case("steady", (*base, "steady"), key, doctor=(0, "ok    key:"))
    yield Case("simulated: 2 % 429, 2 % 5xx", (*base, "simulated"), key)
    for name, code in (("chatty", "invalid_json"), ("long", "context_length"),
                       ("filtered", "filtered")):  # fmt: skip
        yield Case(name, (*base, name), key, exits=4, least=0, codes=frozenset({code}), said=code)
    for name, doctor in (
        ("throttled", (0, "warn  rate limits:")),
        ("broken", (75, "fail  endpoint:")),
        ("slow", (75, "fail  endpoint:")),
        ("unreachable", (75, "fail  endpoint:")),
    ):
        yield Case(
            name,
            (*base, name),
            key,
            exits=75,
            least=0,
            rows=FEW,
            doctor=doctor,
            patience=SHORT,
        )
    yield from _refused(base, "OPENAI_API_KEY")
    yield Case(
        "the proxy's own key is refused",
        (*base, "locked"),
        key,
        exits=4,
        least=0,
        said="unauthorized",
        doctor=(4, "fail  key:"),
    )


def _messages(port: int) -> Iterator[Case]:
    base = ("--provider", "anthropic", "--base-url", f"http://127.0.0.1:{port}/v1", "--model")
    key = {"ANTHROPIC_API_KEY": KEY}
    yield Case("messages: steady", (*base, "steady"), key, doctor=(0, "ok    key:"))
    yield Case("messages: simulated", (*base, "converted"), key)
    for name in ("throttled", "broken"):
        yield Case(
            f"messages: {name}",
            (*base, name),
            key,
            exits=75,
            least=0,
            rows=FEW,
            patience=SHORT,
        )
    for case in _refused(base, "ANTHROPIC_API_KEY"):
        yield Case(
            f"messages: {case.name}",
            case.arguments,
            case.environ,
            exits=4,
            least=0,
            said=case.said,
            doctor=case.doctor,
        )


def _refused(base: tuple[str, ...], variable: str) -> Iterator[Case]:
    yield Case(
        "wrong key",
        (*base, "steady"),
        {variable: "sk-wrong"},
        exits=4,
        least=0,
        said="unauthorized",
        doctor=(4, "fail  key:"),
    )
    yield Case(
        "unknown model",
        (*base, "nobody"),
        {variable: KEY},
        exits=4,
        least=0,
        said="unknown_model",
        doctor=(4, "fail  model:"),
    )

"""Asking a simulated upstream in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from inference_forge.core.prompt import build_prompt
from inference_forge.core.simulation.plan import SimulationPlan
from inference_forge.core.simulation.upstream import SimulatedUpstream
from inference_forge.core.taxonomy import BUILT_IN

if TYPE_CHECKING:
    from inference_forge.core.simulation.scripted import Scripted
    from inference_forge.core.taxonomy import Taxonomy

PATH = "/v1/chat/completions"


def upstream(**plan: Any) -> SimulatedUpstream:
    """Return an upstream with a plan of these fields."""
    return SimulatedUpstream(SimulationPlan(**plan))


def chat(
    text: str, *, taxonomy: Taxonomy = BUILT_IN, fence: str = "ab12cd34", **more: Any
) -> bytes:
    """Return the body of this project's request about `text`."""
    request = build_prompt(taxonomy, max_output_tokens=500).request(text, fence)
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": request.schema}}
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    return orjson.dumps(
        {"model": "simulated", "messages": messages, "response_format": form, **more}
    )


def plain(content: Any, *, system: str | None = None, schema: Any = None, **more: Any) -> bytes:
    """Return the body of a request in no particular shape."""
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages.append({"role": "user", "content": content})
    if schema is not None:
        more["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    return orjson.dumps({"model": "simulated", "messages": messages, **more})


def ask(server: SimulatedUpstream, body: bytes, now: float = 0.0, **headers: str) -> Scripted:
    """Ask, and finish at once."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    scripted = server.handle("POST", PATH, told, body, now)
    server.finished(scripted.number, now)
    return scripted


def body_of(scripted: Scripted) -> Any:
    """Return the JSON that is answered."""
    return orjson.loads(scripted.body)


def content_of(scripted: Scripted) -> str:
    """Return the text that the model wrote."""
    text: str = body_of(scripted)["choices"][0]["message"]["content"]
    return text


def answer_of(scripted: Scripted) -> Any:
    """Return the JSON that the model wrote."""
    return orjson.loads(content_of(scripted))

"""What a server takes of a request, learned from what it refuses.

Which models take a JSON Schema, a temperature, a stream, which setting of their reasoning, or which
name of the cap on an answer, no list knows for long. So the strongest way is tried first, and a
refusal that names the part leads to the next weaker way. Pure: who asks again, and what is
remembered, is decided elsewhere.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inference_forge.adapters.providers.presets import Structured
    from inference_forge.adapters.providers.verdict import Complaint

_STATUSES: Final = frozenset({400, 404, 422, 500})
_CODES: Final = frozenset({"rejected", "not_found"})
"""Verdicts that may come from the way of asking; all others have another cause.

A 500 is `rejected` only where its body says that the request is invalid.
"""

# Groq: the model's answer broke the schema, which is the answer's fault and may not come again
# (console.groq.com/docs/structured-outputs).
_FAULTS_OF_AN_ANSWER: Final = frozenset({"json_validate_failed", "tool_use_failed"})

# OpenAI: "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this
# model" (github.com/AgnostiqHQ/multi-agent-llm/issues/2); xAI: "The response_format parameter is
# unsupported at the moment" (github.com/BerriAI/litellm/issues/6610); Groq: "invalid schema for
# response format" (github.com/i-am-bee/beeai-framework/issues/1215); vLLM and llama.cpp speak of
# the grammar into which they turn a schema.
_ABOUT_RESPONSE_FORMAT: Final = re.compile(
    r"response[_ ]?format|json[_ ]?(schema|object|mode)|structured[_ ]outputs?|\bschema\b"
    r"|guided[_ ](json|decoding)|\bgrammar\b",
    re.IGNORECASE,
)
# In Anthropic's words: "tool_choice forces tool use is not compatible with this model"
# (github.com/Adam-CAD/CADAM/pull/220), "Thinking may not be enabled when tool_choice forces tool
# use" (github.com/codeready-toolchain/tarsy/pull/341); "tools.0.input_schema: ..." for a schema.
_ABOUT_TOOLS: Final = re.compile(
    r"tool_choice|\btools?\b|input_schema|\bschema\b|\bgrammar\b", re.IGNORECASE
)
# In OpenAI's words: "Unsupported value: 'temperature' does not support 0.0 with this model"
# (github.com/OpenHands/OpenHands/issues/4131); Anthropic: "`temperature` is deprecated for this
# model" (github.com/pollinations/pollinations/pull/11319).
_ABOUT_TEMPERATURE: Final = re.compile(r"""['"`]temperature['"`]|\btemperature\s+(is|may|must)\b""")
# OpenAI: "Unsupported parameter: 'max_tokens' is not supported with this model. Use
# 'max_completion_tokens' instead." (github.com/teilomillet/gollm/issues/33). Servers that know the
# old name only call the new one unrecognised, or an extra that is not permitted.
_NOT_KNOWN: Final = re.compile(
    r"unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed"
    r"|forbidden|additional propert",
    re.IGNORECASE,
)
# OpenAI: "Your organization must be verified to stream this model", of the field `stream`
# (github.com/lobehub/lobehub/issues/9385). Mistral, of `stream_options`: "Extra inputs are not
# permitted" (github.com/dnakov/anon-kode/issues/53).
_ABOUT_STREAM_USAGE: Final = re.compile(r"stream_options|include_usage")
_ABOUT_STREAM: Final = re.compile(r"""['"`]stream['"`]|\bstream(ing|ed)?\b""")
# Anthropic: '"thinking.type.enabled" is not supported for this model' (github.com/anomalyco/
# opencode/issues/23007), and of "adaptive" to others; Ollama: 'think value "medium" is not
# supported for this model' (github.com/ollama/ollama/issues/12561).
_ABOUT_REASONING: Final = re.compile(
    r"reasoning|\bthink(ing)?\b|output_config|chat_template_kwargs", re.IGNORECASE
)
_OTHER_CAP: Final = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}


Streaming = Literal["with usage", "without usage", "no"]


class Manner(Struct, frozen=True):
    """A way of asking.

    Attributes:
        structured: how answers are constrained.
        temperature: None leaves it out.
        cap_field: what the cap on the answer is called.
        is_cap_renamed: whether the other name was refused; it is not tried again.
        stream: whether the answer comes piece by piece, and its usage is asked for.
        reasoning: the fields that set the reasoning, and those to try if they are refused; none to
            say nothing about it.
    """

    structured: Structured
    temperature: float | None
    cap_field: str
    is_cap_renamed: bool = False
    stream: Streaming = "no"
    reasoning: tuple[Mapping[str, object], ...] = ()


class Terms(Struct, frozen=True):
    """How a wire format is spoken of when it is refused.

    Attributes:
        form: found in complaints about the form of answers.
        form_field: the request's fields that ask for it, as complaints name them.
        names: what each form is called, for people.
    """

    form: re.Pattern[str]
    form_field: tuple[str, ...]
    names: dict[Structured, str]


OPENAI_TERMS: Final = Terms(
    _ABOUT_RESPONSE_FORMAT,
    ("response_format",),
    {
        "json_schema": "response_format json_schema",
        "json_object": "response_format json_object",
        "plain": "no response_format",
    },
)
ANTHROPIC_TERMS: Final = Terms(
    _ABOUT_TOOLS,
    ("tool_choice", "tools"),
    {
        "json_schema": "a forced tool",
        "json_object": "a tool that is not forced",
        "plain": "no tool",
    },
)

_FORMS: Final[tuple[Structured, ...]] = ("json_schema", "json_object", "plain")
_WEAKER: Final[dict[Structured, Structured]] = dict(pairwise(_FORMS))
_STREAMINGS: Final[tuple[Streaming, ...]] = ("with usage", "without usage", "no")


def weakest(one: Manner, other: Manner) -> Manner:
    """Return the way that leaves out what either leaves out; both began as the same."""
    return Manner(
        max(one.structured, other.structured, key=_FORMS.index),
        None if other.temperature is None else one.temperature,
        (other if other.is_cap_renamed else one).cap_field,
        one.is_cap_renamed or other.is_cap_renamed,
        max(one.stream, other.stream, key=_STREAMINGS.index),
        min(one.reasoning, other.reasoning, key=len),
    )


def is_about_manner(status: int, code: str) -> bool:
    """Return whether a refusal may come from the way of asking.

    Arguments:
        status: HTTP status.
        code: the verdict's code.
    """
    return status in _STATUSES and code in _CODES


def next_manner(
    manner: Manner, complaint: Complaint, terms: Terms, *, has_schema: bool
) -> Manner | None:
    """Return the way to ask next after `complaint`, None when it is about something else.

    Every way is weaker than the one before, so that a chain of refusals ends.

    Arguments:
        manner: how it was asked.
        complaint: what the server said.
        terms: how the wire format is spoken of.
        has_schema: whether the request asked for a form at all.
    """
    if _FAULTS_OF_AN_ANSWER & complaint.codes:
        return None
    weaker = _weaker_form(manner, complaint, terms) if has_schema else None
    steps = (
        _without_what_is_named(manner, complaint),
        _without_temperature(manner, complaint),
        weaker,
        _without_what_is_spoken_of(manner, complaint.field or complaint.message),
    )
    return next((step for step in steps if step is not None), None)


def _without_what_is_named(manner: Manner, complaint: Complaint) -> Manner | None:
    """Read the field that the complaint is about, and refusals that can't be about another."""
    about, said = _is_about, complaint.message
    found = None
    if manner.temperature is not None and about(complaint, ("temperature",)):
        found = replace(manner, temperature=None)
    elif not manner.is_cap_renamed and _refuses_cap(manner.cap_field, complaint):
        found = replace(manner, cap_field=_OTHER_CAP[manner.cap_field], is_cap_renamed=True)
    elif manner.stream == "with usage" and (
        about(complaint, ("stream_options",)) or _ABOUT_STREAM_USAGE.search(said)
    ):
        found = replace(manner, stream="without usage")
    elif manner.stream != "no" and about(complaint, ("stream",)):
        found = replace(manner, stream="no")
    elif manner.reasoning and about(complaint, tuple(manner.reasoning[0])):
        found = replace(manner, reasoning=manner.reasoning[1:])
    return found


def _without_temperature(manner: Manner, complaint: Complaint) -> Manner | None:
    if manner.temperature is None or complaint.field:
        return None
    is_meant = _ABOUT_TEMPERATURE.search(complaint.message)
    return replace(manner, temperature=None) if is_meant else None


def _weaker_form(manner: Manner, complaint: Complaint, terms: Terms) -> Manner | None:
    weaker = _WEAKER.get(manner.structured)
    if weaker is None:
        return None
    is_meant = _is_about(complaint, terms.form_field) or terms.form.search(complaint.message)
    return replace(manner, structured=weaker) if is_meant else None


def _without_what_is_spoken_of(manner: Manner, said: str) -> Manner | None:
    if manner.reasoning and _ABOUT_REASONING.search(said):
        return replace(manner, reasoning=manner.reasoning[1:])
    if manner.stream != "no" and _ABOUT_STREAM.search(said):
        return replace(manner, stream="no")
    return None


def differences(asked: Manner, taken: Manner, terms: Terms) -> Iterator[tuple[str, str, str]]:
    """Yield for each difference a code, what the server refused and what it is asked with."""
    if asked.structured != taken.structured:
        names = terms.names
        yield f"form_{taken.structured}", names[asked.structured], names[taken.structured]
    if asked.temperature != taken.temperature:
        yield "no_temperature", f"temperature {asked.temperature:g}", "its own default"
    if asked.cap_field != taken.cap_field:
        yield f"cap_{taken.cap_field}", asked.cap_field, taken.cap_field
    if asked.reasoning != taken.reasoning:
        said = _in_words(taken.reasoning[0]) if taken.reasoning else "its own default"
        yield f"reasoning_{len(taken.reasoning)}", _in_words(asked.reasoning[0]), said
    if asked.stream != taken.stream:
        refused = "stream" if taken.stream == "no" else "stream_options"
        yield f"stream_{taken.stream.replace(' ', '_')}", refused, _STREAMS[taken.stream]


_STREAMS: Final[dict[Streaming, str]] = {
    "without usage": "a stream that may not tell its usage",
    "no": "no stream",
}


def _in_words(fields: Mapping[str, Any]) -> str:
    """Return `reasoning_effort low`, `thinking type=enabled budget_tokens=1024` and the like."""
    parts = []
    for name, value in fields.items():
        inner = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else [f"{value}"]
        parts.append(" ".join((name, *inner)))
    return ", ".join(parts)


def _is_about(complaint: Complaint, fields: tuple[str, ...]) -> bool:
    """Return whether the complaint names one of `fields`, or a part of it (`tools.0.name`)."""
    return complaint.field.partition(".")[0] in fields


def _refuses_cap(cap_field: str, complaint: Complaint) -> bool:
    """A value that is too large is another matter than a name that is not known."""
    if cap_field not in _OTHER_CAP or not _NOT_KNOWN.search(
        " ".join((complaint.message, *complaint.codes))
    ):
        return False
    return _is_about(complaint, (cap_field,)) or (
        not complaint.field and re.search(rf"\b{cap_field}\b", complaint.message) is not None
    )

"""What a server takes of a request, learned from what it refuses.

Which models take a JSON Schema, a temperature, or which name of the cap on an answer, no list
knows for long. So the strongest way is tried first, and a refusal that names the part leads to the
next weaker way. Pure: who asks again, and what is remembered, is decided elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference_forge.adapters.providers.presets import Structured
    from inference_forge.adapters.providers.verdict import Complaint

_STATUSES: Final = frozenset({400, 404, 422})
_CODES: Final = frozenset({"rejected", "not_found"})
"""Verdicts that may come from the way of asking; all others have another cause."""

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
_OTHER_CAP: Final = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}


@dataclass(frozen=True, slots=True)
class Manner:
    """A way of asking.

    Attributes:
        structured: how answers are constrained.
        temperature: None leaves it out.
        cap_field: what the cap on the answer is called.
        is_cap_renamed: whether the other name was refused; it is not tried again.
    """

    structured: Structured
    temperature: float | None
    cap_field: str
    is_cap_renamed: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
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

_WEAKER: Final[dict[Structured, Structured]] = {
    "json_schema": "json_object",
    "json_object": "plain",
}


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
    said = complaint.message
    if _FAULTS_OF_AN_ANSWER & complaint.codes:
        return None
    if manner.temperature is not None and _is_about(complaint, ("temperature",)):
        return replace(manner, temperature=None)
    if not manner.is_cap_renamed and _refuses_cap(manner.cap_field, complaint):
        return replace(manner, cap_field=_OTHER_CAP[manner.cap_field], is_cap_renamed=True)
    if manner.temperature is not None and not complaint.field and _ABOUT_TEMPERATURE.search(said):
        return replace(manner, temperature=None)
    weaker = _WEAKER.get(manner.structured) if has_schema else None
    if weaker is not None and (_is_about(complaint, terms.form_field) or terms.form.search(said)):
        return replace(manner, structured=weaker)
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

"""What one call tells about key, endpoint, model, answers and limits."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Final

from inference_forge.adapters.http.wording import one_line
from inference_forge.adapters.providers.prices import find_price
from inference_forge.core.cost import cost_of
from inference_forge.core.json_in_text import objects_in
from inference_forge.core.reasoning import split_reasoning
from inference_forge.core.retry_after import rate_limit_hints
from inference_forge.jobs.doctor.call import FIELD, MAX_OUTPUT_TOKENS
from inference_forge.jobs.doctor.findings import CONFIGURATION, fail, ok, warn
from inference_forge.models import Finish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.jobs.doctor.account import Account
    from inference_forge.jobs.doctor.call import Call
    from inference_forge.jobs.doctor.findings import Finding
    from inference_forge.models import BucketHint, ModelAnswer

MAX_MODELS_SHOWN: Final = 8
_SHOWN_CHARS: Final = 80
_SLOW_SHARE: Final = 0.5
"""A call of a few words that takes this much of the timeout leaves too little for real ones."""


def read_answer(
    account: Account, call: Call, answer: ModelAnswer, timeout_s: float
) -> list[Finding]:
    """Return the findings of a call that was answered.

    Arguments:
        account: who was asked.
        call: what came of it.
        answer: the call's answer.
        timeout_s: the time that a run gives a request, in seconds.
    """
    findings = [
        ok("endpoint", f"{account.server} answered"),
        key_accepted(account),
        ok("model", f"{account.model}, answered by {answer.model}"),
        structured_output(account.preset.structured, answer, is_adapted=bool(call.refusals)),
        latency(account, call.seconds, answer, timeout_s),
    ]
    findings += [
        warn("request", refusal, "nothing: a run finds out by itself, and says so")
        for refusal in call.refusals
    ]
    if answer.reasoning or answer.usage.reasoning_tokens:
        count = answer.usage.reasoning_tokens
        found = f"the model reasons ({count or 'unknown'} tokens), which is billed as output"
        findings.append(warn("reasoning", found, "choose a model that does not, for less money"))
    return findings


def key_accepted(account: Account) -> Finding:
    """Return that the key, or its absence, was accepted."""
    if account.api_key is None:
        return ok("key", f"{_no_key(account)}, and none was asked for")
    return ok("key", f"from {account.preset.key_env}, accepted")


def key_untried(account: Account) -> Finding:
    """Return where the key comes from, when it was not put to the test."""
    if account.api_key is None:
        return ok("key", f"{_no_key(account)}; not tried")
    return ok("key", f"from {account.preset.key_env}, well-formed; not tried")


def _no_key(account: Account) -> str:
    variable = account.preset.key_env
    return f"none ({variable} is not set)" if variable else "none (this provider takes none)"


def structured_output(mode: str, answer: ModelAnswer, *, is_adapted: bool = False) -> Finding:
    """Return whether the answer keeps to the form that was asked for.

    Arguments:
        mode: the preset's way: `json_schema`, `json_object` or `plain`.
        answer: the answer to the smallest schema.
        is_adapted: whether the server refused something first; what, is told elsewhere.
    """
    name = "structured output"
    text = split_reasoning(answer.text).answer
    if _whole_object(text) and (mode != "json_schema" or _fits(text)):
        return ok(name, "the answer fits" if is_adapted else f"{mode} is kept to")
    if answer.finish is Finish.LENGTH:
        found = f"not known: the answer was cut at {MAX_OUTPUT_TOKENS} tokens"
        return warn(name, found, "give long answers room with --max-output-tokens")
    shown = f"asked for {mode}, got {one_line(text, max_chars=_SHOWN_CHARS) or 'nothing'!r}"
    if any(objects_in(text)):
        return warn(name, shown, "nothing: forge validates answers and asks again when needed")
    return warn(name, shown, "try a few tickets first, or another --model")


def latency(account: Account, seconds: float, answer: ModelAnswer, timeout_s: float) -> Finding:
    """Return how long the call took and what it cost."""
    price = find_price(account.preset.name, account.model or "", account.prices)
    cost = cost_of(answer.usage, price)
    spent = "no price known" if cost is None else f"{cost.amount:f} {cost.currency}"
    tokens = f"{answer.usage.total_tokens:,} tokens"
    estimate = ", estimated" if answer.usage.is_estimate else ""
    found = f"{seconds:,.2f} s for the one call ({tokens}{estimate}, {spent})"
    if seconds > _SLOW_SHARE * timeout_s:
        return warn("latency", found, "a longer --timeout, or a faster model")
    return ok("latency", found)


def rate_limits(headers: Mapping[str, str], now_unix: float) -> Finding:
    """Return what a response says about limits.

    Arguments:
        headers: the response's.
        now_unix: Unix time in seconds at which it came.
    """
    hints = rate_limit_hints(headers, now_unix=now_unix)
    if hints is None:
        return ok("rate limits", "the response names none")
    named = {"requests": hints.requests, "tokens": hints.tokens}
    parts = [_bucket(what, bucket) for what, bucket in named.items()]
    found = ", ".join(part for part in parts if part)
    if any(bucket.remaining == 0 for bucket in named.values()):
        return warn("rate limits", found, "nothing: forge waits, but expect it to be slow")
    return ok("rate limits", found)


def no_model(served: Sequence[str], name: str) -> Finding:
    """Return that a model must be chosen, from `served` if the server told."""
    fix = f"choose one with --model{_choice(served, '')}"
    return fail("model", f"{name} has no default model, and none is chosen", fix, CONFIGURATION)


def model_fix(served: Sequence[str], model: str) -> str:
    """Return what to do about a model that the provider does not know."""
    return f"choose another with --model{_choice(served, model)}"


def _choice(served: Sequence[str], wanted: str) -> str:
    if not served:
        return ""
    near = difflib.get_close_matches(wanted, served, n=MAX_MODELS_SHOWN)
    shown = list(dict.fromkeys([*near, *served]))[:MAX_MODELS_SHOWN]
    more = f" and {len(served) - len(shown)} more" if len(served) > len(shown) else ""
    return f"; the server lists {', '.join(shown)}{more}"


def _bucket(what: str, bucket: BucketHint) -> str:
    if bucket.limit is None and bucket.remaining is None:
        return f"{what} full in {bucket.reset_s:g} s" if bucket.reset_s is not None else ""
    limit = "unknown" if bucket.limit is None else f"{bucket.limit:,}"
    left = "unknown" if bucket.remaining is None else f"{bucket.remaining:,}"
    return f"{left} of {limit} {what} left"


def _whole_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _fits(text: str) -> bool:
    """Tell whether an object is what the smallest schema allows."""
    found = json.loads(text)
    return set(found) == {FIELD} and isinstance(found[FIELD], bool)

"""A plan as text: `latency=200ms,rpm=3000,seed=1`, or the same as command-line options."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from inference_forge.core.simulation.plan import Outage, RetryAfter, SimulationPlan
from inference_forge.errors import SettingsError
from inference_forge.settings import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_PARTS_OF_OUTAGE: Final = (2, 3)
_DEFAULTS: Final = asdict(SimulationPlan())


class PlanOption(Struct, frozen=True):
    """One thing that can be said about a plan.

    Attributes:
        name: as it is written, words joined by `_`.
        field: the plan's field.
        read: returns the value that a text means; raises ValueError.
        metavar: what to call the value in help.
        group: heading in help.
        text: one line of help.
        is_repeatable: True when it may be given more than once.
    """

    name: str
    field: str
    read: Callable[[str], Any]
    metavar: str
    group: str
    text: str
    is_repeatable: bool = False

    @property
    def default(self) -> Any:
        """The plan's default."""
        return _DEFAULTS[self.field]


def plan_from_text(text: str, *, source: str = "simulation plan") -> SimulationPlan:
    """Return the plan that `text` describes.

    Arguments:
        text: `name=value` pairs with commas between them; empty for the plan without limits and
            faults. Times are seconds or texts such as `200ms`, shares are `0.05` or `5%`.
            `outage`, `key` and `model` may be repeated.
        source: what to call the text in errors.

    Raises:
        SettingsError: a name is unknown or given twice, or its value cannot be used.
    """
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        pairs.append((_known(name, source), value))
    return plan_from_options(pairs, spelling=lambda option: f"{source}: {option.name}")


def plan_from_options(
    pairs: Iterable[tuple[PlanOption, str]], *, spelling: Callable[[PlanOption], str]
) -> SimulationPlan:
    """Return the plan that options with their values describe.

    Arguments:
        pairs: the options and their values as text.
        spelling: returns how the user wrote an option, for errors.

    Raises:
        SettingsError: an option is given twice, or its value cannot be used.
    """
    found: dict[str, Any] = {}
    for option, text in pairs:
        try:
            value = option.read(text)
        except (ValueError, SettingsError) as exc:
            raise SettingsError(f"{spelling(option)}: {text!r} cannot be used: {exc}") from exc
        if option.is_repeatable:
            found[option.field] = (*found.get(option.field, ()), value)
        elif option.field in found:
            raise SettingsError(f"{spelling(option)} is given twice")
        else:
            found[option.field] = value
    return SimulationPlan(**found)


def read_outage(text: str) -> Outage:
    """Return the outage that `START:DURATION` or `START:DURATION:STATUS` describes.

    Arguments:
        text: for example `10s:90s`, `1m:30s:500` or `0:5s:reset`.

    Raises:
        ValueError: saying what is understood.
        SettingsError: a value is out of range.
    """
    parts = [part.strip().lower() for part in text.split(":")]
    if len(parts) not in _PARTS_OF_OUTAGE:
        raise ValueError("use START:DURATION, such as 10s:90s, or 10s:90s:500, or 10s:90s:reset")
    status = parts[2] if parts[2:] else "503"
    start_s, duration_s = parse_duration(parts[0]), parse_duration(parts[1])
    return Outage(start_s, duration_s, None if status == "reset" else _count(status))


def _known(name: str, source: str) -> PlanOption:
    key = name.lower().replace("-", "_")
    by_name = {option.name: option for option in OPTIONS}
    if key in by_name:
        return by_name[key]
    nearest = difflib.get_close_matches(key, by_name, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise SettingsError(f"{source}: unknown name {name!r}: {guess}Known: {', '.join(by_name)}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("use a number") from None


def _share(text: str) -> float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError("use a share such as 0.05 or 5%") from None


def _count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("use a whole number") from None


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError("use yes or no")
    return _BOOLEANS[text.lower()]


def _retry_after(text: str) -> RetryAfter:
    try:
        return RetryAfter(text.lower())
    except ValueError:
        raise ValueError(f"use {', '.join(RetryAfter)}") from None


def _word(text: str) -> str:
    if not text:
        raise ValueError("use a word")
    return text


_ANSWERS, _SPEED, _LIMITS, _FAULTS = "Answers", "Speed", "Limits", "Faults"

OPTIONS: Final = (
    PlanOption("seed", "seed", _count, "N", _ANSWERS, "Chooses labels, faults and latencies."),
    PlanOption(
        "model", "models", _word, "NAME", _ANSWERS, "Model that is served; repeatable.", True
    ),
    PlanOption("disagreement_rate", "disagreement_rate", _share, "SHARE", _ANSWERS,
               "Share of answers with other labels than usual."),
    PlanOption("pack_noise", "pack_noise", _share, "SHARE", _ANSWERS,
               "What each further ticket in a request adds to that share."),
    PlanOption("reasoning_tokens", "reasoning_tokens", _count, "N", _ANSWERS,
               "Tokens of reasoning before each answer, at medium effort."),
    PlanOption("follows_injections", "follows_injections", _boolean, "yes|no", _ANSWERS,
               "Do what the text of a ticket tells."),
    PlanOption("latency", "latency_s", parse_duration, "TIME", _SPEED,
               "Median time of a request."),
    PlanOption("jitter", "latency_jitter", _number, "SIGMA", _SPEED,
               "Spread of the latency: sigma of a lognormal distribution."),
    PlanOption("ttft", "ttft_s", parse_duration, "TIME", _SPEED, "Time to the first token."),
    PlanOption("token_time", "s_per_output_token", parse_duration, "TIME", _SPEED,
               "Time for each token of the answer."),
    PlanOption("max_concurrency", "max_concurrency", _count, "N", _SPEED,
               "Requests at once beyond which all slow down."),
    PlanOption("slowdown", "slowdown", _number, "FACTOR", _SPEED,
               "How much; 1 keeps the throughput at its peak."),
    PlanOption("rpm", "rpm", _number, "N", _LIMITS, "Requests per minute."),
    PlanOption("tpm", "tpm", _number, "N", _LIMITS, "Tokens per minute, in and out."),
    PlanOption("bucket", "bucket_requests", _count, "N", _LIMITS,
               "Requests at once after a rest; without it a minute's worth."),
    PlanOption("bucket_tokens", "bucket_tokens", _count, "N", _LIMITS,
               "Tokens at once after a rest; without it in proportion to the requests."),
    PlanOption("rate_headers", "send_rate_headers", _boolean, "yes|no", _LIMITS,
               "Tell the limits in x-ratelimit headers."),
    PlanOption("retry_after", "retry_after", _retry_after, "|".join(RetryAfter), _LIMITS,
               "How a wait is told."),
    PlanOption("key", "valid_keys", _word, "KEY", _LIMITS,
               "API key that is accepted; repeatable; without it any, and none.", True),
    PlanOption("quota", "quota_requests", _count, "N", _LIMITS,
               "Requests until the credit is used up."),
    PlanOption("error_rate", "error_rate", _share, "SHARE", _FAULTS,
               "Share of requests answered with 500, 502, 503 or 504."),
    PlanOption("throttle_rate", "throttle_rate", _share, "SHARE", _FAULTS,
               "Share answered with 429, whatever the limits."),
    PlanOption("throttle_wait", "throttle_wait_s", parse_duration, "TIME", _FAULTS,
               "The wait that those are told."),
    PlanOption("malformed_rate", "malformed_rate", _share, "SHARE", _FAULTS,
               "Share of answers that do not keep to the form."),
    PlanOption("hang_rate", "hang_rate", _share, "SHARE", _FAULTS, "Share never answered."),
    PlanOption("reset_rate", "reset_rate", _share, "SHARE", _FAULTS,
               "Share whose connection is reset."),
    PlanOption("break_rate", "break_rate", _share, "SHARE", _FAULTS,
               "Share whose connection breaks in the middle of the answer."),
    PlanOption("error_latency", "error_latency_s", parse_duration, "TIME", _FAULTS,
               "Time until an error is sent."),
    PlanOption("outage", "outages", read_outage, "START:DURATION[:STATUS]", _FAULTS,
               "Everything fails, from START after the first request; repeatable.", True),
)  # fmt: skip
"""All that can be said about a plan, in the order of help."""

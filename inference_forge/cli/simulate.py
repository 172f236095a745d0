"""`forge simulate`: a simulated provider to try things on, without a key or a bill."""

from __future__ import annotations

import functools
import inspect
import shlex
import signal
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inference_forge.cli.failing import reports_errors
from inference_forge.cli.options import ESCAPED_PIPE
from inference_forge.cli.streams import say, show
from inference_forge.core.simulation.plan import DEFAULT_MODEL
from inference_forge.core.simulation.plan_text import OPTIONS, PlanOption, plan_from_options
from inference_forge.core.wording import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import anyio

    from inference_forge.adapters.simulator.server import SimulatorServer
    from inference_forge.core.simulation.plan import SimulationPlan
    from inference_forge.core.simulation.tally import Statistics

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def flag_of(option: PlanOption) -> str:
    """Return an option's flag; one that is on by default has a flag that turns it off."""
    name = option.name.replace("_", "-")
    return f"--no-{name}" if option.default is True else f"--{name}"


def help_of(option: PlanOption) -> str:
    """Return an option's help: what it does, and its default."""
    if isinstance(option.default, bool):
        return (
            f"Do not {option.text[0].lower()}{option.text[1:]}" if option.default else option.text
        )
    return f"{option.text} [default: {_shown(option.default)}]"


def _shown(default: Any) -> str:
    if default in (None, ()):
        return "none"
    return default.value if isinstance(default, StrEnum) else f"{default:g}"


def options_table() -> str:
    """Return all options as a table in Markdown."""
    lines = ["| | flag | default | meaning |", "| --- | --- | --- | --- |"]
    group = ""
    for option in OPTIONS:
        is_flag = isinstance(option.default, bool)
        flag = flag_of(option) if is_flag else f"{flag_of(option)} {option.metavar}"
        default = "off" if is_flag else _shown(option.default)
        text = help_of(option) if is_flag else option.text
        cells = ("" if option.group == group else option.group, f"`{flag}`", default, text)
        group = option.group
        lines.append(
            "|".join(["", *(f" {cell.replace('|', ESCAPED_PIPE)} " for cell in cells), ""])
        )
    return "\n".join(lines)


def _parameter(option: PlanOption) -> inspect.Parameter:
    is_flag = isinstance(option.default, bool)
    declared = typer.Option(
        flag_of(option),
        help=help_of(option),
        show_default=False,
        rich_help_panel=option.group,
        metavar=None if is_flag else option.metavar,
    )
    kind: Any = bool if is_flag else str | None
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if is_flag else None,
        annotation=Annotated[list[str] | None if option.is_repeatable else kind, declared],
    )


def _with_plan(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command(port, plan)` with an option for everything that can be said about a plan."""

    @functools.wraps(command)
    def wrapped(*, port: int, **given: Any) -> None:
        command(port=port, plan=plan_from_options(_pairs(given), spelling=flag_of))

    declared = typer.Option(help="Port on 127.0.0.1; 0 for any that is free.", metavar="N")
    port = inspect.Parameter(
        "port", inspect.Parameter.KEYWORD_ONLY, default=0, annotation=Annotated[int, declared]
    )
    parameters = [port, *map(_parameter, OPTIONS)]
    # typer reads the annotations from the signature.
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _pairs(given: dict[str, Any]) -> Iterator[tuple[PlanOption, str]]:
    for option in OPTIONS:
        match given[option.name]:
            case None | False:
                continue
            case True:
                yield option, "no" if option.default else "yes"
            case str() as text:
                yield option, text
            case texts:
                yield from ((option, text) for text in texts)


def _simulate(*, port: int, plan: SimulationPlan) -> None:
    """Serve a simulated model on 127.0.0.1, in OpenAI's format, until Ctrl-C.

    It answers by keywords and chance, the same for the same seed, and has the speed, the limits
    and the faults that the options say. GET /statistics tells what it was asked, POST /reset
    starts anew; the end shows the statistics. Times are seconds or 200ms, 10s, 1m; shares are
    0.05 or 5%.
    """
    import anyio  # noqa: PLC0415 - --help does without

    statistics = anyio.run(_serve, plan, port)
    for line in statistics_lines(statistics):
        show(line)


async def _serve(plan: SimulationPlan, port: int) -> Statistics:
    import anyio  # noqa: PLC0415

    from inference_forge.adapters.simulator.server import open_server  # noqa: PLC0415
    from inference_forge.core.simulation.upstream import SimulatedUpstream  # noqa: PLC0415

    # Unix time that does not leap when somebody sets the clock.
    offset_s = time.time() - anyio.current_time()  # noqa: TID251 - nothing to inject here
    upstream = SimulatedUpstream(plan)
    server = await open_server(upstream, clock=lambda: offset_s + anyio.current_time(), port=port)
    async with server:
        _announce(server, plan)
        async with anyio.create_task_group() as group:
            group.start_soon(_stop_on_signal, server, group.cancel_scope)
            await server.serve()
            group.cancel_scope.cancel()
    return upstream.statistics()


async def _stop_on_signal(server: SimulatorServer, scope: anyio.CancelScope) -> None:
    """Stop at the first signal, and drop what is under way at the second."""
    import anyio  # noqa: PLC0415

    wanted = [s for s in _STOP_SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
    with anyio.open_signal_receiver(*wanted) as signals:
        async for _ in signals:
            if server.is_stopping:
                scope.cancel()
            server.stop()


def _announce(server: SimulatorServer, plan: SimulationPlan) -> None:
    """Print the address on stdout, for scripts, and the rest on stderr."""
    show(server.base_url)
    model = plan.models[0] if plan.models else DEFAULT_MODEL
    key = f"OPENAI_API_KEY={shlex.quote(plan.valid_keys[0])} " if plan.valid_keys else ""
    say(
        f"try: {key}forge classify tickets.csv --provider openai --base-url {server.base_url} "
        f"--model {shlex.quote(model)}"
    )
    root = server.base_url.removesuffix("/v1")
    say(f"statistics: GET {root}/statistics; start anew: POST {root}/reset; stop: Ctrl-C")


def statistics_lines(statistics: Statistics) -> list[str]:
    """Return what the simulation was asked and did, one line a fact."""
    statuses = [f"{status} {count:,}" for status, count in statistics.by_status.items()]
    silent = (("hung", statistics.hung), ("reset", statistics.reset))
    statuses += [f"{name} {count:,}" for name, count in silent if count]
    tokens = statistics.prompt_tokens + statistics.completion_tokens
    requests = f"{statistics.repeated_requests:,} requests"
    needless = f"{statistics.needless_requests:,}"
    rows = [
        (
            "requests",
            f"{statistics.requests:,}" + (f" ({', '.join(statuses)})" if statuses else ""),
        ),
        ("texts", f"{statistics.distinct_texts:,}"),
        ("repeated", f"{requests} ({needless} needless), {statistics.repeated_answers:,} answers"),
        ("throttled", f"{statistics.throttled:,}"),
        ("malformed", f"{statistics.malformed:,}"),
        ("tokens", f"{tokens:,} ({statistics.prompt_tokens:,} in)"),
        ("at once", f"{statistics.max_in_flight:,} at most"),
    ]
    p50, p95 = statistics.latency_p50_s, statistics.latency_p95_s
    if p50 is not None and p95 is not None:
        rows.append(("latency", f"p50 {duration(p50)}, p95 {duration(p95)}"))
    return [f"{name:<10}  {value}" for name, value in rows]


simulate = reports_errors(_with_plan(_simulate))

"""All checks in their order, with one call at most."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from msgspec import Struct, field
from msgspec.structs import replace

from inference_forge.adapters.providers.presets import load_presets
from inference_forge.app.answering import LOCAL
from inference_forge.app.keys import KeyFinder
from inference_forge.app.secrets import LearnedSecrets, key_names
from inference_forge.errors import ProviderError
from inference_forge.jobs.doctor.account import (
    check_fallback,
    check_hosted,
    check_local,
    proxy_of,
)
from inference_forge.jobs.doctor.call import call_once, served_models
from inference_forge.jobs.doctor.configuration import read_configuration
from inference_forge.jobs.doctor.findings import REFUSED, Report, fail, ok, warn, without_secrets
from inference_forge.jobs.doctor.machine import (
    check_clock,
    check_http,
    check_open_files,
    check_terminal,
    check_versions,
)
from inference_forge.jobs.doctor.readings import (
    key_accepted,
    key_untried,
    model_fix,
    no_model,
    rate_limits,
    read_answer,
)
from inference_forge.jobs.doctor.refusals import unanswered
from inference_forge.jobs.doctor.storage import MOUNTS, check_cache, check_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import httpx

    from inference_forge.jobs.doctor.account import Account
    from inference_forge.jobs.doctor.call import Call
    from inference_forge.jobs.doctor.configuration import Configuration
    from inference_forge.jobs.doctor.findings import Finding
    from inference_forge.jobs.doctor.machine import Terminal

HOSTED_CHECKS: Final = (
    "provider", "proxy", "endpoint", "key", "model", "structured output", "latency", "rate limits",
    "clock",
)  # fmt: skip
"""What there is to be found out about a provider behind HTTP."""


class DoctorJob(Struct, frozen=True):
    """Everything `doctor` takes from outside.

    Attributes:
        flags: settings given on the command line, by attribute.
        environ: the environment.
        terminal: where output goes.
        clock: returns Unix time in seconds.
        is_offline: True to send nothing at all.
        mounts: the system's table of mounts.
        transport: replaces the network, for tests.
        secrets: learns keys that are not in the environment.
    """

    flags: Mapping[str, Any]
    environ: Mapping[str, str]
    terminal: Terminal
    clock: Callable[[], float]
    is_offline: bool = False
    mounts: Path = MOUNTS
    transport: httpx.AsyncBaseTransport | None = None
    secrets: LearnedSecrets = field(default_factory=LearnedSecrets)


def run_doctor(job: DoctorJob) -> Report:
    """Look at everything that a run needs; what is broken becomes a finding, not an error.

    At most one completion is asked for of each server or key, none with `is_offline`; a server
    that refuses a part of the request, which costs nothing, is asked again without it. No file
    is left behind.
    """
    configuration = read_configuration(job.flags, job.environ)
    findings = [check_versions(), *configuration.findings]
    keys = KeyFinder(
        job.environ, job.secrets.learn, warn=lambda _code, told: findings.append(_about_key(told))
    )
    findings += _check_provider(job, configuration, keys)
    if configuration.loaded is not None and configuration.taxonomy is not None:
        findings += check_fallback(configuration.loaded, configuration.taxonomy, keys)
    findings += _check_machine(job, configuration)
    names = {finding.name for finding in findings}
    return Report(
        without_secrets(findings, [*_secrets(job, configuration), *job.secrets.all()]),
        tuple(name for name in _expected(configuration) if name not in names),
    )


def _secrets(job: DoctorJob, configuration: Configuration) -> list[str]:
    """Return the environment's keys, those included that settings files name."""
    loaded = configuration.loaded
    own = () if loaded is None else key_names(loaded.providers)
    variables = (*(preset.key_env for preset in load_presets().values()), *own)
    return [job.environ.get(variable, "") for variable in variables]


def _about_key(told: str) -> Finding:
    found, _, fix = told.partition(": ")
    return warn("key file", found, fix)


def _expected(configuration: Configuration) -> tuple[str, ...]:
    """Return the names that a complete examination finds something about."""
    loaded = configuration.loaded
    is_local = loaded is not None and loaded.settings.provider == LOCAL
    hosted = ("provider",) if is_local else HOSTED_CHECKS
    return ("taxonomy", *hosted, "cache", "state", "open files")


def _check_machine(job: DoctorJob, configuration: Configuration) -> list[Finding]:
    findings: list[Finding] = []
    loaded, places = configuration.loaded, configuration.places
    chosen = None if loaded is None else loaded.settings.cache_dir
    cache = chosen or (None if places is None else places.cache)
    # Settings that cannot be read may name another cache than the usual one.
    if loaded is not None and not loaded.settings.cache:
        findings.append(warn("cache", "switched off: a run cannot resume", "switch it on"))
    elif loaded is not None and cache is not None:
        findings += check_cache(cache, job.mounts)
    if places is not None:
        findings += check_directory("state", places.state, "HOME or XDG_STATE_HOME", job.mounts)
    if loaded is not None:
        findings.append(check_open_files(loaded.settings.concurrency))
    findings.append(check_terminal(job.terminal, job.environ))
    return findings


def _check_provider(job: DoctorJob, configuration: Configuration, keys: KeyFinder) -> list[Finding]:
    loaded, taxonomy = configuration.loaded, configuration.taxonomy
    if loaded is None or taxonomy is None:
        return []
    if loaded.settings.provider == LOCAL:
        return list(check_local(loaded, taxonomy, job.environ).findings)
    checked = check_hosted(loaded, taxonomy, keys)
    findings = list(checked.findings)
    if checked.accounts:
        is_proxied = any(proxy_of(account) is not None for account in checked.accounts)
        findings.append(check_http(loaded.settings.http, is_proxied=is_proxied))
    for account in checked.accounts:
        found = _check_account(job, account, loaded.settings.timeout_s)
        findings += [_labelled(finding, account.label) for finding in found]
    return findings


def _labelled(finding: Finding, label: str) -> Finding:
    """Return the finding with the server or key that it is about, where there are several."""
    if finding.found.startswith(label):
        return finding
    return replace(finding, found=f"{label}: {finding.found}")


def _check_account(job: DoctorJob, account: Account, timeout_s: float) -> list[Finding]:
    if job.is_offline:
        return [ok("endpoint", "not asked (--offline)"), key_untried(account)]
    if account.model is None:
        served = _list_models(job, account)
        return [no_model(served, account.preset.name)]
    call = anyio.run(
        partial(call_once, account, clock=job.clock, timeout_s=timeout_s, transport=job.transport)
    )
    return _read_call(job, account, call, timeout_s)


def _read_call(job: DoctorJob, account: Account, call: Call, timeout_s: float) -> list[Finding]:
    if isinstance(call.outcome, ProviderError):
        findings = _read_error(job, account, call.outcome)
    else:
        findings = read_answer(account, call, call.outcome, timeout_s)
    if call.headers is not None:
        if all(finding.name != "rate limits" for finding in findings):
            findings.append(rate_limits(call.headers, call.answered_unix))
        clock = check_clock(call.headers, call.answered_unix)
        findings += [] if clock is None else [clock]
    return findings


def _read_error(job: DoctorJob, account: Account, error: ProviderError) -> list[Finding]:
    findings: list[Finding] = []
    if error.code == "unknown_model":
        served = _list_models(job, account)
        fix = model_fix(served, account.model or "")
        findings = [key_accepted(account), fail("model", error.detail, fix, REFUSED)]
    else:
        findings = [unanswered(error, account.preset.key_env, proxy=proxy_of(account))]
    if error.status is not None and all(finding.name != "endpoint" for finding in findings):
        findings.insert(0, ok("endpoint", f"{account.server} answered {error.status}"))
    if all(finding.name != "key" for finding in findings):
        findings.append(key_untried(account))
    return findings


def _list_models(job: DoctorJob, account: Account) -> tuple[str, ...]:
    return anyio.run(partial(served_models, account, transport=job.transport))

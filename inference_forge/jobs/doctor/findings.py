"""What the checks found: one line each, and one exit code for all."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from inference_forge.core.terminal import safe_line
from inference_forge.errors import CacheError, ProviderRefused, SettingsError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CONFIGURATION: Final = SettingsError.exit_code
LOCAL_IO: Final = CacheError.exit_code
REFUSED: Final = ProviderRefused.exit_code
LATER: Final = TryLater.exit_code

URGENCY: Final = (CONFIGURATION, LOCAL_IO, REFUSED, LATER)
"""Which exit code wins: what the user mends at home first, what time may mend last."""


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """What one check found; texts are safe for a terminal.

    Attributes:
        status: how it ended.
        name: what was looked at, lower case, stable.
        found: what was found.
        fix: what to do; empty when there is nothing to do.
        exit_code: what the shell is to see when this is the worst; 0 unless it failed.
    """

    status: Status
    name: str
    found: str
    fix: str = ""
    exit_code: int = 0

    @property
    def line(self) -> str:
        """Return the finding as it is shown."""
        fix = f"; fix: {self.fix}" if self.fix else ""
        return f"{self.status:<4}  {self.name}: {self.found}{fix}"

    def rewritten(self, rewrite: Callable[[str], str]) -> Finding:
        """Return the finding with `rewrite` applied to its texts."""
        return replace(self, found=rewrite(self.found), fix=rewrite(self.fix))


class Report(Struct, frozen=True):
    """Everything that was found.

    Attributes:
        findings: in the order of the checks.
        not_checked: names of what could not be looked at, since something before it failed.
    """

    findings: tuple[Finding, ...]
    not_checked: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Return 0 without failures, else the most urgent one's code."""
        codes = {finding.exit_code for finding in self.findings}
        return next((code for code in URGENCY if code in codes), 0)

    def as_json(self) -> dict[str, object]:
        """Return what `--json` prints; fixes that are empty become null."""
        return {
            "exit_code": self.exit_code,
            "checks": [
                {
                    "name": finding.name,
                    "status": finding.status.value,
                    "found": finding.found,
                    "fix": finding.fix or None,
                }
                for finding in self.findings
            ],
            "not_checked": list(self.not_checked),
        }


def ok(name: str, found: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(Status.OK, name, safe_line(found))


def warn(name: str, found: str, fix: str) -> Finding:
    """Return a finding with which a run still works."""
    return Finding(Status.WARN, name, safe_line(found), safe_line(fix))


def fail(name: str, found: str, fix: str, exit_code: int) -> Finding:
    """Return a finding with which a run cannot work; `exit_code` is one of `URGENCY`."""
    return Finding(Status.FAIL, name, safe_line(found), safe_line(fix), exit_code)


def without_secrets(findings: Iterable[Finding], secrets: Iterable[str]) -> tuple[Finding, ...]:
    """Return the findings with every secret replaced by `***`.

    Keys are never put into a finding; but a key may stand where nobody expects one, as the value
    of another setting, which an error message quotes.

    Arguments:
        findings: what was found.
        secrets: values of keys; those of fewer than 8 characters are taken for words.
    """
    # The longest first: one key may begin with another.
    hidden = sorted({s for s in map(str.strip, secrets) if len(s) >= MIN_SECRET}, key=len)[::-1]

    def rewrite(text: str) -> str:
        for secret in hidden:
            text = text.replace(secret, "***")
        return text

    return tuple(finding.rewritten(rewrite) for finding in findings)


MIN_SECRET: Final = 8
"""Shorter keys are placeholders, such as `none` or `ollama`, which are words of messages too."""

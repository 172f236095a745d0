"""Every error that Inference Forge raises on purpose.

::

    ForgeError                      exit 1
    ├── UsageError                  exit 2   flags, settings, taxonomy, unreadable input
    │   ├── SettingsError
    │   ├── TaxonomyError
    │   └── InputError              names file, line and column
    ├── ProviderError               what one try at a provider ended in
    │   ├── TransientError          worth another try (connect, reset, timeout, 5xx)
    │   ├── ThrottleError           the provider asks for less (429, 529)
    │   ├── TicketError             this request is refused, others may pass (400, 413, 422)
    │   ├── WayRefused              how it is asked is refused, not what: ask again at once
    │   └── FatalError              no request can succeed (key, quota, model)
    ├── AnswerError                 the model answered, but not with a valid label
    ├── CacheError          exit 5  the cache cannot be read or written
    └── RunStopped                  the run ended early; finished answers are kept
        ├── Interrupted             exit 128+N  a signal
        ├── ProviderRefused         exit 4
        ├── OutputError             exit 5   the local disk or pipe refuses
        ├── LimitReached            exit 6   budget or deadline
        └── TryLater                exit 75  outage, or another run holds the lock

A message says what happened, where, and what to do next. Third-party errors are translated
into these once, in the adapter that meets them, with ``raise ... from exc``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference_forge.models import RateLimitHints


class ForgeError(Exception):
    """Base of all deliberate errors; `exit_code` is what the shell sees."""

    exit_code: int = 1


class UsageError(ForgeError):
    """The caller must change something: a flag, a setting, a file."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, malformed or contradicts another."""


class TaxonomyError(UsageError):
    """The taxonomy file cannot be used."""


class InputError(UsageError):
    """The input as a whole cannot be read.

    Arguments:
        message: what was found and what to do.
        path: the file as the user named it; None for an unnamed stream.
        line: 1-based line in the file; None when no line is at fault.
        column: 1-based byte column in the line; None when unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        self.path = path
        self.line = line
        self.column = column
        place = ", ".join(
            part
            for part in (
                path,
                f"line {line}" if line is not None else None,
                f"column {column}" if column is not None else None,
            )
            if part
        )
        super().__init__(f"{place}: {message}" if place else message)


class ProviderError(ForgeError):
    """One try at a provider failed.

    Arguments:
        detail: one line for people, free of keys and ticket text.
        code: stable machine code, lower case with underscores.
        status: HTTP status, None when there was no response.
        wait_s: seconds the server asked to wait, None when it did not ask.

    Attributes:
        hints: what the response said about the provider's limits; set by the provider.
    """

    def __init__(
        self, detail: str, *, code: str, status: int | None = None, wait_s: float | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.wait_s = wait_s
        self.hints: RateLimitHints | None = None


class TransientError(ProviderError):
    """The same request may well succeed later."""


class ThrottleError(ProviderError):
    """The provider is healthy and asks for less load."""


class TicketError(ProviderError):
    """The provider refuses this request; other requests may pass."""


class WayRefused(ProviderError):
    """The provider refuses how it is asked; the same request may pass, asked in another way.

    It is to be sent again at once, as any other request: paid for, paced and counted.

    Arguments:
        way: for `ports.Provider.ask`; it is worth asking so, and never leads back here for ever.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int | None = None,
        wait_s: float | None = None,
        way: object = None,
    ) -> None:
        super().__init__(detail, code=code, status=status, wait_s=wait_s)
        self.way = way


class FatalError(ProviderError):
    """No request can succeed until somebody acts; the run must stop."""


class AnswerError(ForgeError):
    """A model's answer holds no valid label.

    Arguments:
        code: `invalid_json`, `invalid_label`, `truncated`, `refused`, `filtered` or `empty`.
        detail: what was wrong, in words that can be shown to the model again.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class CacheError(ForgeError):
    """The cache cannot be read or written; the run can go on without it."""

    exit_code = 5


class RunStopped(ForgeError):
    """The run ended before every row had an outcome; the same command resumes it."""


class Interrupted(RunStopped):
    """A signal ended the run.

    Arguments:
        signal_number: for example 2 for SIGINT; the exit code is 128 more.
        signal_name: for example `SIGINT`.
    """

    def __init__(self, signal_number: int, signal_name: str) -> None:
        super().__init__(f"stopped by {signal_name}")
        self.exit_code = 128 + signal_number


class ProviderRefused(RunStopped):
    """The provider refuses every request: key, quota, model, or all rejected."""

    exit_code = 4


class OutputError(RunStopped):
    """Results cannot be written."""

    exit_code = 5


class LimitReached(RunStopped):
    """A budget or a deadline that the user set is used up."""

    exit_code = 6


class TryLater(RunStopped):
    """Nothing is wrong with the request; the time is (outage, lock held)."""

    exit_code = 75

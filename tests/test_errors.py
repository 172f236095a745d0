"""The exception tree."""

from __future__ import annotations

import inspect
import re

import pytest

from inference_forge import errors
from inference_forge.errors import (
    AnswerError,
    ForgeError,
    InputError,
    Interrupted,
    LimitReached,
    OutputError,
    ProviderError,
    ProviderRefused,
    RunStopped,
    ThrottleError,
    TryLater,
    UsageError,
)

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, ForgeError)
}


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """Every class is drawn, at the depth that its bases give it."""
    assert errors.__doc__ is not None
    drawn = {
        match[2]: len(match[1]) // 4
        for match in re.finditer(
            r"^    ((?:│   |├── |└── |    )*)(\w+)", errors.__doc__, re.MULTILINE
        )
    }
    actual = {name: kind.__mro__.index(ForgeError) for name, kind in CLASSES.items()}
    assert drawn == actual


def test_exit_codes_are_the_documented_ones() -> None:
    """As the shell sees them."""
    codes: dict[type[ForgeError], int] = {
        ForgeError: 1,
        UsageError: 2,
        InputError: 2,
        ProviderRefused: 4,
        OutputError: 5,
        LimitReached: 6,
        TryLater: 75,
    }
    assert {kind: kind.exit_code for kind in codes} == codes
    assert Interrupted(2, "SIGINT").exit_code == 130
    assert str(Interrupted(15, "SIGTERM")) == "stopped by SIGTERM"
    assert issubclass(Interrupted, RunStopped)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({}, "bad"),
        ({"path": "a.csv"}, "a.csv: bad"),
        ({"path": "a.csv", "line": 3}, "a.csv, line 3: bad"),
        ({"line": 3, "column": 0}, "line 3, column 0: bad"),
        ({"path": "a.csv", "line": 3, "column": 7}, "a.csv, line 3, column 7: bad"),
    ],
)
def test_input_errors_name_the_place(place: dict[str, object], message: str) -> None:
    """File, line and column as far as they are known."""
    error = InputError("bad", **place)  # type: ignore[arg-type]
    assert str(error) == message
    assert (error.path, error.line, error.column) == tuple(
        place.get(key) for key in ("path", "line", "column")
    )


def test_provider_errors_carry_what_the_engine_decides_by() -> None:
    """Code, status and the server's wait."""
    error = ThrottleError("slow down", code="rate_limited", status=429, wait_s=2.5)
    assert isinstance(error, ProviderError)
    assert (str(error), error.detail) == ("slow down", "slow down")
    assert (error.code, error.status, error.wait_s) == ("rate_limited", 429, 2.5)
    bare = ProviderError("reset", code="connection_reset")
    assert (bare.status, bare.wait_s) == (None, None)


def test_answer_errors_carry_code_and_detail() -> None:
    """The detail is the message, to be shown to the model."""
    error = AnswerError("invalid_json", "That was not JSON.")
    assert (error.code, error.detail, str(error)) == ("invalid_json", *["That was not JSON."] * 2)

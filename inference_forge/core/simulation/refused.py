"""Requests that get an error instead of an answer."""

from __future__ import annotations


class Refused(Exception):
    """The request is answered with an error in OpenAI's shape.

    Arguments:
        status: HTTP status.
        message: for people.
        kind: the error's `type`.
        code: the error's machine code, None when it has none.
        param: the field of the request at fault, None when it is none.
        wait_s: seconds the client is told to wait, None when it is not told.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.wait_s = wait_s

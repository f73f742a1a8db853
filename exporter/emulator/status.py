"""Errors as the API answers them: google.rpc.Status as JSON (`sources/cloud/README.md`, Errors)."""

from __future__ import annotations

import orjson

OK = 200
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 429: 8, 500: 13, 501: 12, 503: 14, 504: 4}
"""gRPC codes of the API's HTTP statuses; answers of gateways have no code."""


class StatusError(Exception):
    """An error, as the answer to a call.

    Attributes:
        http: The HTTP status.
        message: The message in the body.
        retry_after: Value of the `Retry-After` header, if there is one.
        code: The gRPC code, if it is not the one of the HTTP status.

    """

    def __init__(
        self, http: int, message: str, retry_after: str | None = None, *, code: int | None = None
    ) -> None:
        super().__init__(message)
        self.http = http
        self.code = CODES.get(http, 2) if code is None else code
        self.message = message
        self.retry_after = retry_after

    def body(self) -> bytes:
        """The JSON of the google.rpc.Status."""
        return orjson.dumps({"code": self.code, "message": self.message, "details": []})


def invalid(message: str) -> StatusError:
    """400 INVALID_ARGUMENT."""
    return StatusError(400, message)


def unauthenticated(message: str) -> StatusError:
    """401 UNAUTHENTICATED."""
    return StatusError(401, message)


def denied(scope_id: str) -> StatusError:
    """403 PERMISSION_DENIED."""
    return StatusError(403, f"Permission denied to {scope_id}")


def not_found(what: str) -> StatusError:
    """404 NOT_FOUND."""
    return StatusError(404, f"{what} not found")

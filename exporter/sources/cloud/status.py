"""The errors of the list API: a google.rpc.Status in JSON (`README.md`, Errors)."""

from __future__ import annotations

import orjson

from exporter.http.status import ErrorAnswer, ErrorText

_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""The names of google.rpc.Code, by number."""

_LONGEST_MESSAGE = 300


_NONE = ErrorText("", "")


def read_status(answer: ErrorAnswer) -> ErrorText:
    """Return the code's name and the message of a google.rpc.Status; empty for anything else.

    The code may be a number, the number as a text, as proto3's JSON allows, or the code's name. A
    code that google.rpc.Code does not have is a gateway's, which often put the HTTP status there.
    """
    try:
        status = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return _NONE
    if not isinstance(status, dict):
        return _NONE
    message = status.get("message")
    return ErrorText(
        _code_name(status.get("code")),
        " ".join(message.split())[:_LONGEST_MESSAGE] if isinstance(message, str) else "",
    )


def _code_name(code: object) -> str:
    if isinstance(code, str) and code in _CODES[1:]:
        return code
    if isinstance(code, bool) or not isinstance(code, int | float | str):
        return ""
    try:
        number = float(code)
    except ValueError:
        return ""
    return _CODES[int(number)] if number in range(1, len(_CODES)) else ""

"""What went wrong with one request: which faults pass by themselves, and what the API says.

The statuses and their meaning are those of `API.md`, Errors.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

import orjson

from exporter.api.transport import NoReplyError, Reply
from exporter.errors import AnswerError, ApiError, StatusError, UnreachableError

LONGEST_RETRY_AFTER = 300.0
"""Seconds that a `Retry-After` can hold a host at most; servers have sent days by mistake."""

PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
THROTTLED_STATUSES = frozenset({429, 503})

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


@dataclass(frozen=True)
class Fault:
    """One request's failure.

    `reason` is a short name for logs, such as `http_503` or `timeout`; `message` a clause for
    people; `kind` the error it becomes once it cannot be mended, and `passing` whether asking
    again may mend it, after `retry_after` seconds if the host said so. `http_status` and `code`
    are 0 and empty unless an answer with an error status came.
    """

    reason: str
    message: str
    kind: Literal["answer", "status", "unreachable"]
    passing: bool
    http_status: int = 0
    code: str = ""
    request_id: str | None = None
    retry_after: float | None = None

    def error(self, *, call: str, scope: str, calls: int) -> ApiError:
        """Return the fault as the error to raise; `calls` is how many requests were sent."""
        tried = f", and asking {calls} times did not help" if self.passing and calls > 1 else ""
        message = self.message + tried
        if self.kind == "status":
            return StatusError(
                message,
                call=call,
                scope=scope,
                http_status=self.http_status,
                code=self.code,
                request_id=self.request_id,
                calls=calls,
            )
        kind = AnswerError if self.kind == "answer" else UnreachableError
        return kind(message, call=call, scope=scope, request_id=self.request_id, calls=calls)


class FaultError(Exception):
    """Carries a fault to where it is decided whether to ask again."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def fault_of_silence(error: NoReplyError) -> Fault:
    """Name the fault behind an answer that did not come whole.

    An oversize answer passes too: gateways and storage have been seen to answer garbage once.
    """
    return Fault(
        reason=error.trouble,
        message=error.message,
        kind="answer" if error.trouble in ("oversize", "garbled") else "unreachable",
        passing=error.trouble not in ("certificate", "unusable"),
        request_id=error.request_id,
    )


def fault_of_reply(reply: Reply) -> Fault | None:
    """Name the fault behind an answer; None for a 200 that may be a JSON object."""
    if reply.status == 200:
        if reply.body.lstrip(b" \t\r\n")[:1] == b"{":
            return None
        what = "nothing" if not reply.body.strip() else "something other than a JSON object"
        return Fault(
            "not_json",
            f"the API answered 200 with {what}",
            kind="answer",
            passing=True,
            request_id=reply.request_id,
        )
    if reply.status < 400:
        pointing = f", pointing to {reply.location[:_LONGEST_MESSAGE]}" if reply.location else ""
        return Fault(
            f"http_{reply.status}",
            f"the API answered {reply.status}{pointing}; redirects are not followed, name the "
            "right address in `endpoints`",
            kind="answer",
            passing=False,
            request_id=reply.request_id,
        )
    code, text = _read_status(reply.body)
    said = f" ({text})" if text else ""
    return Fault(
        f"http_{reply.status}",
        f"the API answered {reply.status}{f' {code}' if code else ''}{said}",
        kind="status",
        passing=reply.status in PASSING_STATUSES,
        http_status=reply.status,
        code=code,
        request_id=reply.request_id,
        retry_after=parse_retry_after(reply.retry_after),
    )


def _read_status(body: bytes) -> tuple[str, str]:
    """Return the code's name and the message of a google.rpc.Status; empty for anything else."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(status, dict):
        return "", ""
    code, message = status.get("code"), status.get("message")
    return (
        _CODES[code] if isinstance(code, int) and 0 <= code < len(_CODES) else "",
        " ".join(message.split())[:_LONGEST_MESSAGE] if isinstance(message, str) else "",
    )


def parse_retry_after(text: str | None, *, now: float | None = None) -> float | None:
    """Return how many seconds a `Retry-After` asks to wait, at most `LONGEST_RETRY_AFTER`.

    Both forms of RFC 9110, 10.2.3 are read: seconds (a fraction is let pass) and an HTTP date.
    `now` is the moment a date is compared with, in seconds since 1970. None for no header, and
    for one that says nothing.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = moment.timestamp() - (time.time() if now is None else now)
        except (ValueError, OverflowError):
            return None
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)

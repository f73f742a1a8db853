"""What went wrong with one request: which faults are temporary, and what the API says.

`status` tells the API's own errors from a gateway's, and knows the temporary codes.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Any, Literal

from exporter.errors import (
    AnswerError,
    CredentialsError,
    ExporterError,
    FlawedPageError,
    PageError,
    StatusError,
    UnreachableError,
)
from exporter.http.dates import parse_http_date
from exporter.http.reply import Reply
from exporter.http.status import is_passing, is_success, name_status
from exporter.http.trouble import LASTING_TROUBLES, NoReplyError
from exporter.http.types import Answer

LONGEST_RETRY_AFTER = 300.0
"""The longest `Retry-After` that counts, in seconds; servers have sent days by mistake."""

THROTTLED_STATUSES = frozenset({429, 503})

FLAWED = "flawed_page"
"""The reason of a fault whose page can be used without its unreadable values."""

_CHECK_THE_WAY = "check the address, and what is on the way there"
_LONGEST_LOCATION = 300
_PLAIN_ON_TLS = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS (port|server)", re.IGNORECASE)
"""What nginx, Apache and Go's servers answer to plain HTTP on a port that speaks TLS."""


@dataclass(frozen=True)
class Fault:
    """One request's failure.

    `reason` is a short name for logs, such as `http_503` or `timeout`. `message` is a clause for
    people, and `advice` a clause that says what to do, if there is something to do. `kind` is the
    error to raise if it stays. `passing` says whether another attempt may help, after `retry_after`
    seconds if the host said so. `http_status` and `code` are 0 and empty unless an answer with an
    error status came. `refusal` is a clause about the credentials, if they are refused.
    """

    reason: str
    message: str
    kind: Literal["answer", "status", "unreachable"]
    passing: bool
    http_status: int = 0
    code: str = ""
    request_id: str | None = None
    retry_after: float | None = None
    advice: str = ""
    refusal: str = ""

    def error(self, *, call: str, scope: str, calls: int) -> ExporterError:
        """Return the fault as the error to raise; `calls` is how many requests were sent."""
        if self.refusal:
            return CredentialsError(self.refusal)
        message = self.told(calls)
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

    def told(self, calls: int = 1) -> str:
        """Return what happened, after how many requests, and what to do, as one clause."""
        tried = f", and asking {calls} times did not help" if self.passing and calls > 1 else ""
        return self.message + tried + (f"; {self.advice}" if self.advice else "")


class FaultError(Exception):
    """Carries a fault to the place that decides about another attempt.

    `answer` is the answer without its unreadable values, for a fault that leaves the rest usable.
    """

    def __init__(self, fault: Fault, answer: Answer[Any] | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.answer = answer


def fault_of_silence(error: NoReplyError) -> Fault:
    """Return the fault of an answer that did not come whole.

    Too large an answer is temporary too: gateways and storage have been seen to answer garbage
    once. A sign of a wrong address, setting or proxy is temporary if the host has answered well
    before: then only one of its machines, or one in between, is wrong.
    """
    return Fault(
        reason=error.trouble,
        message=error.message,
        kind="answer" if error.trouble in ("oversize", "garbled") else "unreachable",
        passing=error.proven or error.trouble not in LASTING_TROUBLES,
        request_id=error.request_id,
        advice=error.advice,
    )


def fault_of_reply(reply: Reply) -> Fault | None:
    """Return the fault of an answer; None for a success that may be a JSON object."""
    if is_success(reply.status, posted=reply.posted):
        if reply.any_body or reply.body.lstrip(b" \t\r\n")[:1] == b"{":
            return None
        what = "nothing" if not reply.body.strip() else "something other than a JSON object"
        return _wrong_answer("not_json", f"the API answered {reply.status} with {what}", reply)
    if reply.status < 300:
        what = f"the API answered {name_status(reply.status)}, which promises no page"
        return _wrong_answer(f"http_{reply.status}", what, reply, _CHECK_THE_WAY)
    if reply.status < 400:
        # A query may hold the signature of a link.
        where = (reply.location or "").partition("?")[0][:_LONGEST_LOCATION]
        pointing = f", pointing to {where}" if where else ""
        return _wrong_answer(
            f"http_{reply.status}",
            f"the API answered {reply.status}{pointing}; redirects are not followed",
            reply,
            advice=reply.remedies.moved,
        )
    code, text = reply.code, reply.message
    if code:
        message = f"the API answered {reply.status} {code}{f' ({text})' if text else ''}"
    elif text:
        message = f"the answer was {name_status(reply.status)}: {text}"
    else:
        message = f"the answer was {name_status(reply.status)}, with no error of the API's own"
    return Fault(
        f"http_{reply.status}",
        message,
        kind="status",
        passing=is_passing(code),
        http_status=reply.status,
        code=code,
        request_id=reply.request_id,
        retry_after=parse_retry_after(reply.retry_after),
        advice="" if code or text else _gateway_advice(reply),
    )


def fault_of_page(error: PageError, reply: Reply) -> Fault:
    """Return the fault of a page that could not be decoded, or not completely."""
    if isinstance(error, FlawedPageError):
        return _wrong_answer(FLAWED, f"the API answered with a flawed page: {error}", reply)
    reason = "bad_page" if reply.body.rstrip().endswith(b"}") else "cut_off"
    return _wrong_answer(
        reason, f"the API answered with a page that cannot be used: {error}", reply
    )


def is_unauthenticated(reply: Reply) -> bool:
    """Return whether an answer refuses the token: by its code, or by a 401 without a code."""
    if is_success(reply.status, posted=reply.posted):
        return False
    code = reply.code
    passing = bool(code) and is_passing(code)  # the checker of tokens may be down
    return code == "UNAUTHENTICATED" or (reply.status == 401 and not passing)


def _wrong_answer(reason: str, message: str, reply: Reply, advice: str = "") -> Fault:
    return Fault(
        reason, message, kind="answer", passing=True, request_id=reply.request_id, advice=advice
    )


def _gateway_advice(reply: Reply) -> str:
    if reply.status == 497 or _PLAIN_ON_TLS.search(reply.body):
        return f"that port speaks TLS, so {reply.remedies.tls}"
    return _CHECK_THE_WAY


def parse_retry_after(text: str | None, *, now: float | None = None) -> float | None:
    """Return how many seconds a `Retry-After` asks to wait, at most `LONGEST_RETRY_AFTER`.

    Both forms of RFC 9110, 10.2.3 are read: seconds (a fraction is allowed) and an HTTP date. `now`
    is the time to compare a date with, in seconds since 1970. None for a missing or unreadable
    header.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment = parse_http_date(text)
        if moment is None:
            return None
        seconds = moment - (time.time() if now is None else now)
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)

"""What went wrong with one request: which faults pass by themselves, and what the API says.

`status` says whose word an answer is, and which codes pass.
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
from exporter.http.status import is_passing, is_success, name_status
from exporter.http.transport import Reply
from exporter.http.trouble import LASTING_TROUBLES, NoReplyError
from exporter.http.types import Answer

LONGEST_RETRY_AFTER = 300.0
"""Seconds that a `Retry-After` can hold a host at most; servers have sent days by mistake."""

THROTTLED_STATUSES = frozenset({429, 503})

FLAWED = "flawed_page"
"""The reason of a fault that leaves a page, without what of it cannot be read."""

_CHECK_THE_WAY = "check the address, and what is on the way there"
_LONGEST_LOCATION = 300
_PLAIN_ON_TLS = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS (port|server)", re.IGNORECASE)
"""What nginx, Apache and Go's servers answer to plain HTTP on a port that speaks TLS."""


@dataclass(frozen=True)
class Fault:
    """One request's failure.

    `reason` is a short name for logs, such as `http_503` or `timeout`; `message` a clause for
    people, and `advice` one that says what to do, where there is something to do; `kind` the error
    it becomes once it cannot be mended, and `passing` whether asking again may mend it, after
    `retry_after` seconds if the host said so. `http_status` and `code` are 0 and empty unless an
    answer with an error status came. `refusal` is what there is to say about the credentials, if
    it is they who are refused as long as this fault lasts.
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
    """Carries a fault to where it is decided whether to ask again.

    `answer` is what there is without what is wrong, for a fault that leaves so much.
    """

    def __init__(self, fault: Fault, answer: Answer[Any] | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.answer = answer


def fault_of_silence(error: NoReplyError) -> Fault:
    """Name the fault behind an answer that did not come whole.

    An oversize answer passes too: gateways and storage have been seen to answer garbage once. What
    speaks of a wrong address, setting or proxy passes once the host has answered well: then one of
    its machines, or one in between, is not as the others are.
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
    """Name the fault behind an answer; None for a success that may be a JSON object."""
    if is_success(reply.status, posted=reply.posted):
        if reply.body.lstrip(b" \t\r\n")[:1] == b"{":
            return None
        what = "nothing" if not reply.body.strip() else "something other than a JSON object"
        return _wrong_answer("not_json", f"the API answered {reply.status} with {what}", reply)
    if reply.status < 300:
        what = f"the API answered {name_status(reply.status)}, which promises no page"
        return _wrong_answer(f"http_{reply.status}", what, reply, _CHECK_THE_WAY)
    if reply.status < 400:
        pointing = f", pointing to {reply.location[:_LONGEST_LOCATION]}" if reply.location else ""
        return _wrong_answer(
            f"http_{reply.status}",
            f"the API answered {reply.status}{pointing}; redirects are not followed",
            reply,
            advice="name the right address in `endpoints`",
        )
    code, text = reply.code, reply.message
    if code:
        message = f"the API answered {reply.status} {code}{f' ({text})' if text else ''}"
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
        advice="" if code else _gateway_advice(reply),
    )


def fault_of_page(error: PageError, reply: Reply) -> Fault:
    """Name the fault behind a page that could not be decoded as it should be."""
    if isinstance(error, FlawedPageError):
        return _wrong_answer(FLAWED, f"the API answered with a flawed page: {error}", reply)
    reason = "bad_page" if reply.body.rstrip().endswith(b"}") else "cut_off"
    return _wrong_answer(
        reason, f"the API answered with a page that cannot be used: {error}", reply
    )


def is_unauthenticated(reply: Reply) -> bool:
    """Say whether an answer refuses the token: by its code, or by 401 where that says no more."""
    if is_success(reply.status, posted=reply.posted):
        return False
    code = reply.code
    passing = bool(code) and is_passing(code)  # who checks tokens may be down, or overloaded
    return code == "UNAUTHENTICATED" or (reply.status == 401 and not passing)


def _wrong_answer(reason: str, message: str, reply: Reply, advice: str = "") -> Fault:
    return Fault(
        reason, message, kind="answer", passing=True, request_id=reply.request_id, advice=advice
    )


def _gateway_advice(reply: Reply) -> str:
    if reply.status == 497 or _PLAIN_ON_TLS.search(reply.body):
        return "that port speaks TLS, so write https:// in `endpoints`"
    return _CHECK_THE_WAY


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
        moment = parse_http_date(text)
        if moment is None:
            return None
        seconds = moment - (time.time() if now is None else now)
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)

"""The errors of registries (OCI distribution-spec 1.1, Error Codes), and of gateways."""

from __future__ import annotations

import re
import time
from typing import Any

import orjson

from exporter.http.status import ErrorAnswer, ErrorText

_BY_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    406: "INVALID_ARGUMENT",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
}
"""The code of google.rpc by the HTTP status, which all registries use alike. Others may pass."""
_TOKEN_IS_BAD = re.compile(r"authorization token (is invalid|has expired)", re.IGNORECASE)
"""What ECR Public says with a 400 (oras-go issue 1227)."""
_WAIT_IN_BODY = re.compile(r"retry-after:\s*([0-9.]+)\s*(ns|µs|us|ms|s|m)?")
_UNITS = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_LEAST_WAIT = 1.0
LONGEST_WAIT = 600.0
"""The longest wait in seconds that a registry is waited for."""
_LONGEST_MESSAGE = 300
_HTML = re.compile(rb"^\s*<", re.DOTALL)


def read_error(answer: ErrorAnswer) -> ErrorText:
    """Return the google.rpc code of a registry's error, and its own code and message as a text.

    An answer to HEAD has no body, so the status alone counts. A web page is a gateway's, unless it
    refuses the caller.
    """
    own, message = _read(answer.body)
    code = _BY_STATUS.get(answer.status, "")
    if _HTML.match(answer.body) and answer.status not in (401, 403, 404):
        code = ""
    if own in ("TOOMANYREQUESTS", "TOO_MANY_REQUESTS"):
        code = "RESOURCE_EXHAUSTED"
    if answer.status == 400 and _TOKEN_IS_BAD.search(message):
        code = "UNAUTHENTICATED"
    text = ": ".join(part for part in (own, message) if part)
    wait = _wait(answer)
    if wait is not None and float(wait) > LONGEST_WAIT:
        # A quota of hours is used up: asking again does not help, and other calls need not wait.
        return ErrorText("FAILED_PRECONDITION", text[:_LONGEST_MESSAGE], "0")
    return ErrorText(code, text[:_LONGEST_MESSAGE], wait)


def _read(body: bytes) -> tuple[str, str]:
    """Return the first error's code and message; empty where the body says neither."""
    try:
        content: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    errors = content.get("errors") if isinstance(content, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else content
    if not isinstance(first, dict):
        return "", ""
    own, message = first.get("code"), first.get("message")
    return (
        own if isinstance(own, str) else "",
        " ".join(message.split()) if isinstance(message, str) else "",
    )


def _wait(answer: ErrorAnswer) -> str | None:
    """Return how many seconds to wait, where the registry says so in a way of its own.

    Docker Hub's `X-Retry-After` is a unix time, and GHCR tells a duration in the body.
    """
    if answer.status not in (429, 503):
        return None
    hub = answer.headers.get("X-Retry-After", "")
    if hub.isdigit():
        return f"{max(float(hub) - time.time(), _LEAST_WAIT):.3f}"
    told = _WAIT_IN_BODY.search(answer.body.decode("utf-8", "replace"))
    if told is None:
        return None
    seconds = float(told[1]) * _UNITS[told[2] or "s"]
    return f"{max(seconds, _LEAST_WAIT):.6f}"

"""A call as text: the URL that is sent, and the line that errors show."""

from __future__ import annotations

from urllib.parse import urlencode

from exporter.http.types import Call

_LONGEST_VALUE = 60


def call_url(base: str, call: Call) -> str:
    """Return the URL of a call at a service's base URL, with its parameters percent-encoded."""
    query = urlencode(call.params)
    return f"{base}{call.path}?{query}" if query else f"{base}{call.path}"


def call_line(call: Call, base: str = "") -> str:
    """Return a call as `GET <base><path>?…` for a person: long values are cut.

    The page token is left out, because the API may put anything into it.
    """
    position = call.paging.position if call.paging else None
    query = "&".join(
        f"{name}={'…' if name == position else _shorten(value)}" for name, value in call.params
    )
    return f"{call.method} {base}{call.path}" + (f"?{query}" if query else "")


def _shorten(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"

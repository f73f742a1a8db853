"""An answer as it arrived, before anyone has looked for its meaning."""

from __future__ import annotations

from dataclasses import dataclass

from multidict import CIMultiDict

from exporter.http.dates import parse_http_date
from exporter.http.remedies import BY_DOMAIN, Remedies


@dataclass(frozen=True)
class Reply:
    """An answer that arrived whole; `wire_bytes` is its body's length as it was sent.

    A byte order mark before the body is removed. Names of `headers` know no case. For an error,
    `code` and `message` are those of the API, empty if there are none. `posted` is true for the
    answer to a POST, `any_body` if the body need not be a JSON object. `remedies` are the advice
    about its address.
    """

    status: int
    headers: CIMultiDict[str]
    body: bytes
    wire_bytes: int
    request_id: str | None
    retry_after: str | None
    location: str | None
    posted: bool
    any_body: bool = False
    code: str = ""
    message: str = ""
    remedies: Remedies = BY_DOMAIN

    @property
    def date(self) -> float | None:
        """The server's clock, in seconds since 1970; None if it has not told a date."""
        return parse_http_date(self.headers.get("Date", ""))

"""What is asked of the API and what comes back: one call, one answer, and how much was sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

PageT = TypeVar("PageT")


@dataclass(frozen=True)
class Paging:
    """The parameters by which a listing is paged.

    `size` is the one that says how many items a page has at most, `position` the one that says
    where it begins.
    """

    size: str
    position: str


@dataclass(frozen=True)
class Call:
    """One GET of an API.

    `service` is what the source calls the place that it goes to, `scope` says in a person's words
    what is being listed, for errors and the log: `images of registry crp1`. `paging` is None where
    the call has no pages.
    """

    service: str
    path: str
    params: tuple[tuple[str, str], ...]
    scope: str
    paging: Paging | None = None

    @property
    def is_long(self) -> bool:
        """Whether a page of fewer items can be asked for."""
        return self.paging is not None and int(dict(self.params).get(self.paging.size, 1)) > 1

    def least(self) -> Call:
        """Return the call for the listing's first page, with as little on it as can be."""
        if self.paging is None:
            return self
        return self.without_params(self.paging.position).with_params(**{self.paging.size: "1"})

    def with_params(self, **params: str) -> Call:
        """Return the same call with some parameters set anew."""
        merged = {**dict(self.params), **params}
        return replace(self, params=tuple(merged.items()))

    def without_params(self, *names: str) -> Call:
        """Return the same call without some parameters."""
        return replace(self, params=tuple(pair for pair in self.params if pair[0] not in names))


@dataclass
class Sent:
    """What was sent and received for one call so far, over all its attempts.

    `calls` counts the requests, `wire_bytes` the body bytes that travelled; `seconds` is how long
    the last request took that was answered, `began` when the last one was sent, in the event loop's
    seconds.
    """

    calls: int = 0
    wire_bytes: int = 0
    seconds: float = 0.0
    began: float = 0.0


@dataclass(frozen=True)
class Answer(Generic[PageT]):
    """A 200 whose whole body arrived and was decoded.

    `page` is what the caller's `decode` made of `body`, the unpacked bytes. `calls`, `wire_bytes`
    and `seconds` are those of `Sent`, once it was answered.
    """

    page: PageT
    body: bytes
    calls: int
    request_id: str | None
    wire_bytes: int
    seconds: float


@dataclass(frozen=True)
class Counts:
    """What a client has sent and received so far.

    `calls` are requests sent to list calls, `retries` those among them that repeat an earlier
    one; `throttled` were answered with 429 or 503. `wire_bytes` are body bytes received, packed
    as they travelled.
    """

    calls: int = 0
    retries: int = 0
    throttled: int = 0
    wire_bytes: int = 0

    def __add__(self, more: Counts) -> Counts:
        """Return the sum of both."""
        return Counts(
            self.calls + more.calls,
            self.retries + more.retries,
            self.throttled + more.throttled,
            self.wire_bytes + more.wire_bytes,
        )

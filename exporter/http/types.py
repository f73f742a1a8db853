"""A call, its answer, and the counts of requests and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, Literal, NamedTuple, TypeVar

from multidict import MultiMapping

PageT = TypeVar("PageT")


@dataclass(frozen=True)
class Paging:
    """The names of the parameters for paging.

    `size` is the most items of a page, `position` the place where it begins.
    """

    size: str
    position: str


@dataclass(frozen=True)
class Call:
    """One GET of an API, or one HEAD.

    `service` is the source's name for the service. `scope` names the listing in errors and the log:
    `images of registry crp1`. `paging` is None if the call has no pages. `token_scope` is the scope
    of the token to send, for an API with a token for each part of it. `headers` are sent with it.
    Calls of another `kind` to the same host have a limiter of their own. `redirects` is how many
    redirects may be followed, without the token. `any_body` says that the body need not be a JSON
    object, and `most_bytes` is the largest body, if it is not that of a page. Whatever
    `limits.request_timeout` says, it may take at least `patience` seconds.
    """

    service: str
    path: str
    params: tuple[tuple[str, str], ...]
    scope: str
    paging: Paging | None = None
    token_scope: str | None = None
    method: Literal["GET", "HEAD"] = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    redirects: int = 0
    any_body: bool = False
    most_bytes: int | None = None
    patience: float = 0.0

    @property
    def is_long(self) -> bool:
        """Whether a page of fewer items can be asked for."""
        return self.paging is not None and int(dict(self.params).get(self.paging.size, 1)) > 1

    def least(self) -> Call:
        """Return the call for the listing's first page, with as few items as possible."""
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
    """The requests of one call so far, over all its attempts.

    `calls` counts the requests, `wire_bytes` the body bytes as sent. `seconds` is the duration of
    the last answered request, `began` the time of the last one, in the event loop's seconds.
    """

    calls: int = 0
    wire_bytes: int = 0
    seconds: float = 0.0
    began: float = 0.0


class Received(NamedTuple):
    """The parts of a 200 that a page is decoded from: its unpacked body, and its headers.

    Names of headers know no case, and may come several times.
    """

    body: bytes
    headers: MultiMapping[str]


@dataclass(frozen=True)
class Answer(Generic[PageT]):
    """A 200 whose whole body arrived and was decoded.

    `page` is the result of the caller's `decode` for `body`, the unpacked bytes, and `headers`.
    `calls`, `wire_bytes` and `seconds` are as in `Sent`.
    """

    page: PageT
    body: bytes
    calls: int
    request_id: str | None
    wire_bytes: int
    seconds: float
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Counts:
    """The requests and bytes of a client so far.

    `calls` are the requests of list calls, `retries` those that repeat an earlier one, `throttled`
    those that were answered with 429 or 503. `wire_bytes` are received body bytes, before
    unpacking.
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

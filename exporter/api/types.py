"""What is asked of the API and what comes back: one call, one answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Service = Literal["container_registry", "resource_manager"]


@dataclass(frozen=True)
class Call:
    """One GET of the list API.

    `scope` says in a person's words what is being listed, for errors and the log:
    `images of registry crp1`.
    """

    service: Service
    path: str
    params: tuple[tuple[str, str], ...]
    scope: str

    def with_params(self, **params: str) -> Call:
        """Return the same call with some parameters set anew."""
        merged = {**dict(self.params), **params}
        return replace(self, params=tuple(merged.items()))


@dataclass(frozen=True)
class Answer:
    """A 200 with its whole body: unpacked bytes that nothing has looked into yet.

    `calls` counts the requests sent until this one was answered, retries among them;
    `wire_bytes` the body bytes that travelled for it.
    """

    body: bytes
    calls: int
    request_id: str | None
    wire_bytes: int

"""The log of the calls that the emulator answered, for tests and benchmarks."""

from __future__ import annotations

import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

FAULT = web.RequestKey("fault", str)
"""The kind of fault that hits a call."""
REQUEST_ID = web.RequestKey("request_id", str)
_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call and its answer.

    Attributes:
        method: The HTTP method.
        path: The path, without the query.
        query: The query's parameters.
        status: The HTTP status of the answer; 0 if the caller left, or none was sent.
        fault: The kind of fault that hit it, or None.
        started: When it arrived, in seconds since 1970.
        seconds: How long it took.
        bytes: Size of the answer's body as it was sent, whole or not.
        request_id: The answer's `x-request-id`.

    """

    method: str
    path: str
    query: Mapping[str, str]
    status: int
    fault: str | None
    started: float
    seconds: float
    bytes: int
    request_id: str


class CallLog:
    """Counts every call; keeps the last 100,000 of them. Iterates over them, oldest first.

    `group` gives the path that a call is counted under.
    """

    def __init__(self, group: Callable[[LoggedCall], str] = lambda call: call.path) -> None:
        self._group = group
        self._kept: deque[LoggedCall] = deque(maxlen=_KEPT)
        self._paths: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._faults: Counter[str] = Counter()
        self._bytes = 0
        self.in_flight = 0
        self.max_in_flight = 0

    def __len__(self) -> int:
        return self._paths.total()

    def __iter__(self) -> Iterator[LoggedCall]:
        return iter(tuple(self._kept))

    def enter(self) -> None:
        """Count a call that has arrived."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self, call: LoggedCall) -> None:
        """Count a call that was answered or given up."""
        self.in_flight -= 1
        self._kept.append(call)
        self._paths[self._group(call)] += 1
        self._statuses[call.status] += 1
        self._bytes += call.bytes
        if call.fault:
            self._faults[call.fault] += 1

    def of(self, table: str) -> list[LoggedCall]:
        """The calls whose path ends in this word, such as `images` or `tokens`."""
        return [call for call in self._kept if call.path.rpartition("/")[2] == table]

    def clear(self) -> None:
        """Forget all calls but those in flight."""
        for counted in (self._kept, self._paths, self._statuses, self._faults):
            counted.clear()
        self._bytes = 0
        self.max_in_flight = self.in_flight

    def stats(self) -> dict[str, Any]:
        """Numbers as JSON: `calls`, `paths`, `statuses`, `faults`, `bytes`, `max_in_flight`."""
        return {
            "calls": len(self),
            "paths": dict(self._paths),
            "statuses": {str(status): count for status, count in self._statuses.items()},
            "faults": dict(self._faults),
            "bytes": self._bytes,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
        }


async def recorded(
    log: CallLog,
    request: web.Request,
    answer: Callable[[], Awaitable[web.StreamResponse]],
    *,
    clock: Callable[[], float] = time.time,
) -> web.StreamResponse:
    """Answer a call, and log how that went; `clock` gives seconds since 1970."""
    log.enter()
    started = clock()
    began = time.perf_counter()
    request[REQUEST_ID] = str(uuid.uuid4())
    given: web.StreamResponse | None = None
    try:
        given = await answer()
    finally:
        sent = given is not None and request.get(FAULT) != "reset"
        log.leave(
            LoggedCall(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                status=given.status if given is not None and sent else 0,
                fault=request.get(FAULT),
                started=started,
                seconds=time.perf_counter() - began,
                bytes=_size(given),
                request_id=request[REQUEST_ID],
            )
        )
    return given


def _size(answer: web.StreamResponse | None) -> int:
    body = answer.body if isinstance(answer, web.Response) else None
    return len(body) if isinstance(body, bytes) else 0

"""While a host answers no call: its calls wait, and a probe at a time asks whether it is back.

A host is in one of three states:

1. *Up*: calls are sent. A failure that may belong to an outage (`silence`) counts as an attempt of
   its call, like any other.
2. *In doubt*: a call has failed, the host has answered no call since that call was sent, and it was
   the third failure in a row, or the call's last attempt. A 429 counts only as a last attempt, or
   after nothing else has come for `LONGEST_PUT_OFF`. Now only a probe is sent, at once, or when
   `Retry-After` is over. It asks for a first page of one item, from a listing that was answered
   before, or else from the one that failed. Any answer of the API itself, to the probe or to a call
   under way, ends the doubt. If no probe has failed, the failure was the call's own, and counts.
3. *Down*: probes have failed, and nothing was answered for some seconds. Probes follow each other
   after growing pauses, and not while `Retry-After` holds. Once one is answered, all calls
   continue. Failures during the outage use up no attempt, and the limiter starts again from fewer
   slots.

Once the time is up, every call of the host raises `OutageError`, which ends the run. A call that is
cancelled while it waits leaves nothing behind, and the probes continue for the others.

So a single failing listing never looks like an outage, not even if it is the last one: the probe
asks for another listing. Only a bounded number of outages in a row spares a call's attempts, so no
call fails for ever.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from exporter.errors import CredentialsError, UnansweredError
from exporter.http.faults import Fault
from exporter.http.silence import OutageStatistics, Silence

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds between two probes: the first pause, and the longest."""
FIRST_PROBE_SECONDS = 10.0
"""Seconds that the first probe may take, so that a person is told soon."""
MOST_LET_OFF = 20
"""Outages in a row that do not count as attempts of one call."""
_REMEMBERED = 2

T = TypeVar("T")

Probe = Callable[[float | None], Awaitable[Fault | None]]
"""Asks the host for one item, within some seconds; returns the fault, or None."""


class HostClosedError(Exception):
    """A call may not be sent now, because its host does not answer."""


@dataclass
class Attempts:
    """How often one call was tried, and how often it may be; outages do not count."""

    most: int
    used: int = 0
    let_off: int = 0
    flawed: int = 0
    """Answers with an unreadable value."""

    @property
    def given_up(self) -> bool:
        """Whether none is left."""
        return self.used >= self.most

    def let_off_once(self) -> bool:
        """Forget the attempts so far, because the host was down; False if that was too often."""
        self.let_off += 1
        if self.let_off > MOST_LET_OFF:
            return False
        self.used = 0
        return True


class HostWatch:
    """Knows whether calls to one host may be sent, and waits while they may not.

    `held_until` returns the end of the host's `Retry-After`, and `back` is called when an outage
    has ended.
    """

    def __init__(
        self,
        host: str,
        limit: float,
        *,
        held_until: Callable[[], float | None] = lambda: None,
        back: Callable[[], None] = lambda: None,
    ) -> None:
        self._silence = Silence(host, limit)
        self._held_until = held_until
        self._back = back
        self._probes: deque[Probe] = deque(maxlen=_REMEMBERED)
        self._prober: asyncio.Task[None] | None = None
        self._answered_at = float("-inf")
        self._back_at = float("-inf")

    @property
    def closed(self) -> bool:
        """Whether no call may be sent for now."""
        return self._prober is not None

    @property
    def has_answered(self) -> bool:
        """Whether the host has ever answered in this run."""
        return self._silence.has_answered

    def statistics(self) -> OutageStatistics | None:
        """Return the current figures; None if there is no outage."""
        return self._silence.statistics()

    def proves(self, probe: Probe) -> None:
        """Remember a call that was answered with a page: the first one, and the latest."""
        if len(self._probes) == _REMEMBERED:
            self._probes.pop()
        self._probes.append(probe)

    async def ready(self, attempts: Attempts) -> None:
        """Wait until calls may be sent; raises `OutageError` once that has taken too long."""
        before = self._back_at
        while (prober := self._prober) is not None:
            await asyncio.wait([prober])
            if self._prober is prober:
                prober.result()  # No answer has ended the outage, so this raises.
        if self._back_at > before:
            attempts.let_off_once()

    def answered(self) -> None:
        """Note that the host gave an answer of the API itself, to any call."""
        self._answered_at = asyncio.get_running_loop().time()
        if self._silence.probes:
            self._back_at = self._answered_at
        if self._silence.end():
            self._back()
        self._open()

    async def failed(self, attempts: Attempts, began: float, fault: Fault, probe: Probe) -> bool:
        """Note that a call, sent at `began`, has failed; wait if its host is in doubt.

        `probe` asks for the same listing. Returns whether the failed call does not count; otherwise
        it has used up one of its `attempts`. Raises `OutageError`.
        """
        if not self._silence.counts(fault):
            attempts.used += 1
            return False
        if began >= self._answered_at:
            last = attempts.used + 1 >= attempts.most or not fault.passing
            if self._silence.doubts(fault, began=began, last=last) and not self.closed:
                self._prober = asyncio.create_task(self._watch(probe))
                self._prober.add_done_callback(_look)
            if self.closed:
                await self.ready(Attempts(0))
        if began <= self._back_at and attempts.let_off_once():
            return True
        attempts.used += 1
        return False

    async def close(self) -> None:
        """Stop probing."""
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    def _open(self) -> None:
        prober, self._prober = self._prober, None
        if prober is not None and prober is not asyncio.current_task():
            prober.cancel()

    async def _watch(self, of_failed: Probe) -> None:
        """Probe until the host answers; raises `OutageError` when the time is up."""
        loop = asyncio.get_running_loop()
        turn, pause = 0, FIRST_PAUSE
        await self._sleep(0.0)
        while True:
            probes = [*self._probes, of_failed]
            began = loop.time()
            fault = await self._ask(probes[turn % len(probes)], first=turn == 0)
            if fault is None:
                self.answered()
                return
            if not self._silence.counts(fault):
                self._open()  # Something answers there, though it is not the API.
                return
            self._silence.note_fault(fault, began=began)
            self._silence.probed()
            await self._sleep(jittered(pause))
            pause = min(pause * 2, LONGEST_PAUSE)
            turn += 1

    async def _sleep(self, pause: float) -> None:
        """Wait for so long, and while `Retry-After` holds, but not past the end of the limit."""
        now = asyncio.get_running_loop().time()
        held = (self._held_until() or now) - now
        await asyncio.sleep(max(min(max(pause, held), self._silence.deadline - now), 0.0))

    async def _ask(self, probe: Probe, *, first: bool) -> Fault | None:
        """Send a probe, and wait for it only as long as time is left."""
        left = self._silence.deadline - asyncio.get_running_loop().time()
        try:
            # Even without any time left, one probe must be sent.
            async with asyncio.timeout(max(left, FIRST_PROBE_SECONDS)):
                return await probe(FIRST_PROBE_SECONDS if first else None)
        except TimeoutError:
            raise self._silence.error() from None


class Outages:
    """The watches of all hosts of a run; each outage may last for `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._watches: list[HostWatch] = []
        self._silences: dict[str, Silence] = {}

    def watch(
        self, host: str, *, held_until: Callable[[], float | None], back: Callable[[], None]
    ) -> HostWatch:
        """Return the watch of a host of list calls."""
        watch = HostWatch(host, self._limit, held_until=held_until, back=back)
        self._watches.append(watch)
        return watch

    @property
    def statistics(self) -> tuple[OutageStatistics, ...]:
        """The outages at the moment."""
        moments = [watch.statistics() for watch in self._watches]
        moments += [silence.statistics() for silence in self._silences.values()]
        return tuple(moment for moment in moments if moment is not None)

    async def persist(self, fetch: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `fetch`, which gets a token.

        `fetch` is called again, after growing pauses, while it raises `UnansweredError`. Raises
        `OutageError` once that has taken too long.
        """
        loop = asyncio.get_running_loop()
        silence: Silence | None = None
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            try:
                left = None if silence is None else max(silence.deadline - began, 0.1)
                async with asyncio.timeout(left):
                    token = await fetch()
            except UnansweredError as error:
                silence = self._silences.setdefault(error.host, Silence(error.host, self._limit))
                silence.note(
                    error.message, began=began, connected=error.connected, put_off=error.put_off
                )
                silence.probed()
                least = max(jittered(pause), error.retry_after or 0.0)
            except CredentialsError:
                if silence is not None:
                    silence.end()
                raise
            except TimeoutError:
                if silence is None:
                    raise
                raise silence.error() from None
            else:
                if silence is not None:
                    silence.end()
                return token
            await asyncio.sleep(min(least, max(silence.deadline - loop.time(), 0.0)))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def close(self) -> None:
        """Stop all probes."""
        for watch in self._watches:
            await watch.close()


def jittered(seconds: float) -> float:
    """Return about so many seconds, so that many programs do not ask at the same time."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - not for secrets


def _look(task: asyncio.Task[None]) -> None:
    """Mark a failure as seen: every waiting call raises it, but there may be none."""
    if not task.cancelled():
        task.exception()

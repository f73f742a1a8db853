"""How long a host has been silent: which failures count for that, since when, and until when.

Invariants:

- A host is silent from the sending of the first failed call until any answer of the API itself: a
  page, or an error about the call. Failures that count are those of a broken network or a service
  that is down: no answer, no answer in time, an answer cut short, a 5xx.
- An answer that only puts a call off, such as a 429, does not end a silence. It begins one if a
  call was put off at its last attempt, or every call for `LONGEST_PUT_OFF`. Until then, the limiter
  finds out how fast the host takes calls.
- An answer from a proxy or a web page (HTML, a redirect, an untrusted certificate) counts only if
  the host has answered well before. Until then, the address is more likely wrong.
- Waiting is bounded by `limits.outage` from the beginning of the silence, and by `FIRST_CONTACT` if
  no connection was made since the run began, as with a mistyped name.
- A person is told at once, and once: the host, the reason, and how long the program will try.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from exporter.errors import OutageError
from exporter.http.faults import Fault
from exporter.http.too_large import says_too_large
from exporter.http.trouble import NO_CONNECTION

QUIET = 2.0
"""Seconds after which a silence is an outage, and not a burst of failures."""
IN_A_ROW = 3
"""Failures without an answer in between that put a host in doubt."""
LONGEST_PUT_OFF = 20.0
"""Seconds for which every call may be put off before the host counts as silent. The limiter sends
at least one call every ten seconds, so in that time one is answered if calls are only too fast."""
FIRST_CONTACT = 60.0
"""Seconds to try a host to which this run has never had a connection."""

_ONCE_ANSWERED = frozenset({"certificate", "tls", "proxy", "not_json", "garbled"})
"""Reasons that blame something between this machine and the host, if the host is right."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OutageStatistics:
    """The current state of a host that does not answer, frozen.

    `since` is when the first failed call was sent, `until` when the run gives up, both by the wall
    clock. `reason` is a clause about the last failure, `probes` is the number of probes since.
    `refuses` is true if the host answers, but puts every call off (429).
    """

    host: str
    since: datetime
    until: datetime
    reason: str
    probes: int
    refuses: bool = False


def is_silence(fault: Fault, *, answered_before: bool) -> bool:
    """Return whether a failure is one of the host or the network, and not of the call.

    A 429 is not (`puts_off`), nor is an error of the API about one call.
    """
    if fault.reason in _ONCE_ANSWERED or fault.reason.startswith(("http_2", "http_3")):
        return answered_before
    if fault.kind == "unreachable":
        return fault.reason != "unusable"
    if fault.kind != "status" or not fault.passing or fault.http_status == 429:
        return False
    return fault.http_status >= 500 or (answered_before and not fault.code)


def puts_off(fault: Fault) -> bool:
    """Return whether an answer only says "not now", whatever the call.

    A 429 does, and so do a conflict, and a refusal because the service that checks permissions is
    down. An error about the size of an answer does not: it is about one call.
    """
    own = bool(fault.code) or fault.http_status == 429
    if fault.kind != "status" or not fault.passing or fault.http_status >= 500:
        return False
    return own and not says_too_large(fault)


def is_answer(fault: Fault | None) -> bool:
    """Return whether an answer is from the API itself, about the call; None is a page."""
    if fault is None:
        return True
    passes = is_silence(fault, answered_before=True) or puts_off(fault)
    return fault.kind == "status" and not passes


class Silence:
    """The silence of one host; belongs to one event loop, and all times are in its seconds.

    `limit` is how many seconds to wait for the host.
    """

    def __init__(self, host: str, limit: float) -> None:
        self.limit = limit
        self.has_answered = False
        """Whether the host has ever answered in this run."""
        self.is_outage = False
        """Whether the silence has lasted too long for a burst of failures."""
        self._host = host
        self._since: float | None = None
        self._began_at = datetime.now(UTC)
        self._reason = ""
        self._put_off = False
        self._failures = 0
        self._put_off_since: float | None = None
        self._connected = False
        self.probes = 0
        """The failed probes since it began."""

    def counts(self, fault: Fault) -> bool:
        """Return whether a failure may be one of the host, and not of the call."""
        return puts_off(fault) or is_silence(fault, answered_before=self.has_answered)

    def doubts(self, fault: Fault, *, began: float, last: bool) -> bool:
        """Note a failure that `counts`; return whether to probe the host.

        The call was sent at `began`; `last` is true if it was the call's last attempt.
        """
        if puts_off(fault):
            if self._put_off_since is None:
                self._put_off_since = began
            many = began - self._put_off_since >= LONGEST_PUT_OFF
        else:
            self._failures += 1
            many = self._failures >= IN_A_ROW
        doubtful = last or (many and self.limit > 0)
        if doubtful or not puts_off(fault):
            self.note_fault(fault, began=began)
        return doubtful

    def note_fault(self, fault: Fault, *, began: float) -> None:
        """Note a failure that `counts`, of a call sent at `began`."""
        connected = fault.reason not in NO_CONNECTION
        self.note(fault.told(), began=began, connected=connected, put_off=puts_off(fault))

    def note(self, message: str, *, began: float, connected: bool, put_off: bool) -> None:
        """Note the failure of a call sent at `began`; `message` is a clause about it.

        `put_off` is true if the answer `puts_off` the call.
        """
        if self._since is None:
            now = asyncio.get_running_loop().time()
            self._since = began
            self._began_at = datetime.now(UTC) - timedelta(seconds=now - began)
        self._reason = message
        self._put_off = put_off
        self._connected = self._connected or connected

    def probed(self) -> None:
        """Note a failed probe.

        Raises `OutageError` if it was the last one; otherwise logs once that there is an outage.
        """
        now = asyncio.get_running_loop().time()
        self.probes += 1
        silent = now - self._started
        if now >= self.deadline:
            raise self.error()
        if not self.is_outage and (silent >= QUIET or not self.has_answered):
            self.is_outage = True
            _log.warning(
                "host_does_not_answer",
                host=self._host,
                reason=self._reason,
                since=_text(self._began_at),
                trying_until=_text(self._until),
            )

    def end(self) -> bool:
        """Note an answer; return whether it has ended an outage."""
        was, self.is_outage = self.is_outage, False
        self.has_answered = True
        if was:
            seconds = asyncio.get_running_loop().time() - self._started
            _log.warning("host_answers_again", host=self._host, seconds=round(seconds, 1))
        self._since = self._put_off_since = None
        self._failures = self.probes = 0
        return was

    @property
    def deadline(self) -> float:
        """The end of waiting."""
        return self._started + self._patience

    def error(self) -> OutageError:
        """Return the error that ends the run."""
        seconds = asyncio.get_running_loop().time() - self._started
        return OutageError(
            host=self._host,
            seconds=seconds,
            since=_text(self._began_at),
            reason=self._reason,
            # If the run waited for less than the setting allows, raising it would not help.
            setting=self._patience == self.limit,
            refused=self._put_off,
        )

    def statistics(self) -> OutageStatistics | None:
        """Return the current figures; None if there is no outage."""
        if not self.is_outage:
            return None
        return OutageStatistics(
            host=self._host,
            since=self._began_at,
            until=self._until,
            reason=self._reason,
            probes=self.probes,
            refuses=self._put_off,
        )

    @property
    def _started(self) -> float:
        return asyncio.get_running_loop().time() if self._since is None else self._since

    @property
    def _patience(self) -> float:
        if self.has_answered or self._connected:
            return self.limit
        return min(self.limit, FIRST_CONTACT)

    @property
    def _until(self) -> datetime:
        return self._began_at + timedelta(seconds=self._patience)


def had_connection(fault: Fault) -> bool:
    """Return whether a fault came after a connection was made."""
    return fault.reason not in NO_CONNECTION


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

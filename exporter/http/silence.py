"""How long a host has been silent: which failures count for that, since when, and until when.

Invariants:

- A host is silent from the sending of the first call that failed until any answer of the API's own:
  a page, or a refusal of what was asked. What counts as failing is what a broken network or a
  service that is down does: no answer, no answer in time, an answer cut short, a 5xx.
- An answer that only puts a call off, such as a 429, ends no silence. It begins one where a call
  was put off as often as it may be tried, or every call for `LONGEST_PUT_OFF`: before that, the
  limiter finds how fast the host takes calls.
- What only a proxy or a web page answers (HTML, a redirect, a certificate that is not trusted)
  counts once the host has answered as it should: before that, the address is more likely wrong.
- Waiting is bounded: by `limits.outage` from the moment the silence began, and by `FIRST_CONTACT`
  where no connection could be made since the run began, as it is with a mistyped name.
- A person is told at once, and once: with the host, the reason, and until when it is tried.
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
"""Seconds of silence from which on it is an outage, and no burst of failures."""
IN_A_ROW = 3
"""Failures with no answer in between that put a host in doubt."""
LONGEST_PUT_OFF = 20.0
"""Seconds for which every call may be put off before that is silence. The limiter sends a call each
ten seconds at the least, so one is answered in that time where calls are only too fast."""
FIRST_CONTACT = 60.0
"""Seconds that a host is tried at most to which no connection was ever made in this run."""

_ONCE_ANSWERED = frozenset({"certificate", "tls", "proxy", "not_json", "garbled"})
"""Reasons that speak of something between here and the host, if it is the right host."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class OutageStatistics:
    """A host that does not answer, at this moment, frozen.

    `since` is when the first call was sent that failed, `until` when the run gives up, both by the
    wall clock; `reason` is a clause about the last failure, `probes` how often it was asked since,
    `refuses` whether answers come, which put every call off (429).
    """

    host: str
    since: datetime
    until: datetime
    reason: str
    probes: int
    refuses: bool = False


def is_silence(fault: Fault, *, answered_before: bool) -> bool:
    """Say whether a failure is one of the host or of the way there, whatever was asked.

    A 429 is not (`puts_off`), nor is what the API itself says about one call.
    """
    if fault.reason in _ONCE_ANSWERED or fault.reason.startswith(("http_2", "http_3")):
        return answered_before
    if fault.kind == "unreachable":
        return fault.reason != "unusable"
    if fault.kind != "status" or not fault.passing or fault.http_status == 429:
        return False
    return fault.http_status >= 500 or (answered_before and not fault.code)


def puts_off(fault: Fault) -> bool:
    """Say whether an answer only says that this is not the time to ask, whatever was asked.

    A 429 does, and so do a conflict, and a refusal because who checks permissions is down. What
    names the size of the answer is about one call.
    """
    own = bool(fault.code) or fault.http_status == 429
    if fault.kind != "status" or not fault.passing or fault.http_status >= 500:
        return False
    return own and not says_too_large(fault)


def is_answer(fault: Fault | None) -> bool:
    """Say whether what came is an answer of the API's own to what was asked; None is a page."""
    if fault is None:
        return True
    passes = is_silence(fault, answered_before=True) or puts_off(fault)
    return fault.kind == "status" and not passes


class Silence:
    """The silence of one host; belongs to one event loop, in whose seconds all times are.

    `limit` is for how many seconds it is waited for.
    """

    def __init__(self, host: str, limit: float) -> None:
        self.limit = limit
        self.has_answered = False
        """Whether the host has ever answered in this run."""
        self.is_outage = False
        """Whether it has lasted too long for a burst of failures."""
        self._host = host
        self._since: float | None = None
        self._began_at = datetime.now(UTC)
        self._reason = ""
        self._put_off = False
        self._failures = 0
        self._put_off_since: float | None = None
        self._connected = False
        self.probes = 0
        """Calls that were sent since only to see whether the host answers, and failed."""

    def counts(self, fault: Fault) -> bool:
        """Say whether a failure may be one of the host, and not of what was asked."""
        return puts_off(fault) or is_silence(fault, answered_before=self.has_answered)

    def doubts(self, fault: Fault, *, began: float, last: bool) -> bool:
        """Take note of a failure that `counts`; say whether it is to be asked if the host answers.

        The call was sent at `began`; `last` says whether it may be sent no more.
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
        """Take note of a failure that `counts`, of a call sent at `began`."""
        connected = fault.reason not in NO_CONNECTION
        self.note(fault.told(), began=began, connected=connected, put_off=puts_off(fault))

    def note(self, message: str, *, began: float, connected: bool, put_off: bool) -> None:
        """Take note of a failure of a call sent at `began`; `message` is a clause about it.

        `put_off` says whether it was one that `puts_off` a call.
        """
        if self._since is None:
            now = asyncio.get_running_loop().time()
            self._since = began
            self._began_at = datetime.now(UTC) - timedelta(seconds=now - began)
        self._reason = message
        self._put_off = put_off
        self._connected = self._connected or connected

    def probed(self) -> None:
        """Take note of a call that was sent only to see whether the host answers, and failed.

        Raises `OutageError` where that was the last one; else logs once that there is an outage.
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
        """Take note of an answer; return whether it has ended an outage."""
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
        """When waiting ends."""
        return self._started + self._patience

    def error(self) -> OutageError:
        """Return the error that ends the run."""
        seconds = asyncio.get_running_loop().time() - self._started
        return OutageError(
            host=self._host,
            seconds=seconds,
            since=_text(self._began_at),
            reason=self._reason,
            # Who waited for less than the setting allows should not be told to raise it.
            setting=self._patience == self.limit,
            refused=self._put_off,
        )

    def statistics(self) -> OutageStatistics | None:
        """Return this moment's figures; None where there is no outage."""
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
    """Say whether a fault came after there was a connection."""
    return fault.reason not in NO_CONNECTION


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

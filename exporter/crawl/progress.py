"""The progress of a run: counters that the crawl writes, and the terminal and the log read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from exporter.clock import Clock
from exporter.http.limiter import LimiterStatistics
from exporter.http.silence import OutageStatistics
from exporter.http.types import Counts

Phase = Literal["starting", "listing", "deriving", "publishing", "done"]


@dataclass(frozen=True)
class Statistics:
    """The figures of a run at one moment.

    `listings_known` grows as long as listings find others, so the time left (`seconds_left`) is
    known only once discovery has ended. `calls` are the requests sent, `retries` those that repeat
    another, `throttled` those answered with 429 or 503. `slots_in_use` of `slots` calls are under
    way, where `slots` is the limiter's current level. `wire_bytes` are received body bytes.
    `recalled_pages` came from an earlier attempt's staging. `outages` are the hosts that answer no
    call at the moment.
    """

    phase: Phase
    seconds: float
    listings_done: int
    listings_known: int
    pages: int
    recalled_pages: int
    images: int
    layers: int
    calls: int
    retries: int
    throttled: int
    wire_bytes: int
    slots_in_use: int
    slots: int
    seconds_left: float | None
    outages: tuple[OutageStatistics, ...] = ()

    @property
    def calls_per_second(self) -> float:
        """Calls sent per second since the run began."""
        return self.calls / self.seconds if self.seconds > 0 else 0.0


class ClientState(Protocol):
    """The part of `http.Client` that progress reads."""

    @property
    def counts(self) -> Counts:
        """The requests and bytes so far."""
        ...

    @property
    def limiters(self) -> tuple[LimiterStatistics, ...]:
        """The state of each host's limiter."""
        ...

    @property
    def outages(self) -> tuple[OutageStatistics, ...]:
        """The hosts that do not answer."""
        ...


@dataclass(frozen=True)
class _NothingSent:
    counts: Counts = field(default_factory=Counts)
    limiters: tuple[LimiterStatistics, ...] = ()
    outages: tuple[OutageStatistics, ...] = ()


@dataclass
class Progress:
    """The live counters of one run; only the run itself writes to them.

    `statistics()` returns a frozen copy that is safe to keep and to show.
    """

    phase: Phase = "starting"
    listings_done: int = 0
    listings_known: int = 0
    discovered: bool = False
    """Whether every listing of the run is known, so that the time left can be estimated."""
    pages: int = 0
    recalled_pages: int = 0
    images: int = 0
    layers: int = 0
    client: ClientState = field(default_factory=_NothingSent)
    """The client, for its counts and the levels of its limiters."""
    calls_before: int = 0
    """Requests that earlier attempts at this snapshot sent for pages that were recalled."""
    retries_before: int = 0
    throttled_before: int = 0
    wire_bytes_before: int = 0
    clock: Clock = field(default_factory=Clock)

    def start_over(self) -> None:
        """Forget the pages so far, because they are listed again; the time runs on."""
        self.listings_done = self.listings_known = self.pages = self.recalled_pages = 0
        self.images = self.layers = 0
        self.calls_before = self.retries_before = 0
        self.throttled_before = self.wire_bytes_before = 0
        self.discovered = False

    def statistics(self) -> Statistics:
        """Return this moment's figures."""
        counts, limiters = self.client.counts, self.client.limiters
        seconds = self.clock.seconds
        left = None
        if self.phase == "listing" and self.discovered and self.listings_done:
            open_listings = self.listings_known - self.listings_done
            left = seconds / self.listings_done * open_listings
        return Statistics(
            phase=self.phase,
            seconds=seconds,
            listings_done=self.listings_done,
            listings_known=self.listings_known,
            pages=self.pages,
            recalled_pages=self.recalled_pages,
            images=self.images,
            layers=self.layers,
            calls=counts.calls,
            retries=counts.retries,
            throttled=counts.throttled,
            wire_bytes=counts.wire_bytes,
            slots_in_use=sum(limiter.in_use for limiter in limiters),
            slots=max((limiter.level for limiter in limiters), default=0),
            seconds_left=left,
            outages=self.client.outages,
        )

"""How far a run has come: counters that the crawl keeps and that the terminal and the log read."""

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
    """A moment of a run, frozen.

    `listings_known` grows as long as listings find others, so time left is known (`seconds_left`)
    only once discovery has ended. `calls` are requests sent, `retries` among
    them; `throttled` those answered with 429 or 503. `slots_in_use` of `slots` calls are under
    way, `slots` being the limiter's level of the moment. `wire_bytes` are body bytes received.
    `recalled_pages` were taken from an earlier attempt's staging instead of being asked for.
    `outages` are the hosts that answer no call at this moment.
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
    """The part of `api.Client` that progress reads."""

    @property
    def counts(self) -> Counts:
        """What was sent and received so far."""
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
    """Whether every listing of the run is known, so that time left can be told."""
    pages: int = 0
    recalled_pages: int = 0
    images: int = 0
    layers: int = 0
    client: ClientState = field(default_factory=_NothingSent)
    """Where the client's counts and its limiters' levels are read from."""
    calls_before: int = 0
    """Requests that earlier attempts at this snapshot sent for pages that were recalled."""
    retries_before: int = 0
    throttled_before: int = 0
    wire_bytes_before: int = 0
    clock: Clock = field(default_factory=Clock)

    def start_over(self) -> None:
        """Forget what was listed, for it is listed again; time goes on."""
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

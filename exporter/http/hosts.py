"""The hosts that a client calls: a limiter for each kind of calls, and one watch for all kinds."""

from __future__ import annotations

from urllib.parse import urlsplit

from exporter.http.limiter import Limiter, LimiterStatistics
from exporter.http.outage import HostWatch, Outages
from exporter.http.queueing import Known
from exporter.http.sending import Host
from exporter.http.types import Call
from exporter.settings import Limits


class Hosts:
    """Those of one client. With `watches_queues`, none gets more calls at once than it works on."""

    def __init__(self, limits: Limits, outages: Outages, *, watches_queues: bool) -> None:
        self._limits = limits
        self._outages = outages
        self._watches_queues = watches_queues
        self._hosts: dict[tuple[str, str], Host] = {}
        self._by_service: dict[str, Host] = {}
        self._known: dict[str, Known] = {}

    @property
    def limiters(self) -> tuple[LimiterStatistics, ...]:
        """The state of each limiter, in the order in which the hosts were first asked."""
        return tuple(host.limiter.statistics() for host in self._hosts.values())

    def find(self, call: Call, base: str) -> Host:
        """Return the host of a call, for calls of its kind; `base` is the URL of its service."""
        netloc = urlsplit(base).netloc
        host = self._hosts.get((netloc, call.kind))
        if host is None:
            host = self._hosts[netloc, call.kind] = self._new(base, netloc)
        self._by_service[call.service] = host
        return host

    def spare(self, service: str) -> bool:
        """Return whether one more call to a service could start now without waiting.

        False for a service that was not called yet.
        """
        host = self._by_service.get(service)
        return host is not None and host.limiter.spare and not host.watch.closed

    def paced(self, service: str) -> bool:
        """Return whether a service's host limits the calls a second, so each call costs time."""
        host = self._by_service.get(service)
        return host is not None and host.limiter.paced

    def _new(self, base: str, netloc: str) -> Host:
        limiter = Limiter(
            netloc,
            concurrency=self._limits.concurrency,
            requests_per_second=self._limits.requests_per_second,
            watches_queue=self._watches_queues,
            known=self._known.setdefault(netloc, Known()),
        )
        others = self._of(netloc)
        return Host(limiter, others[0].watch if others else self._new_watch(base, netloc))

    def _of(self, netloc: str) -> list[Host]:
        return [host for (name, _), host in self._hosts.items() if name == netloc]

    def _new_watch(self, base: str, netloc: str) -> HostWatch:
        """Return the watch of a host, which all kinds of calls to it share."""

        def held_until() -> float | None:
            holds = [host.limiter.statistics().held_until for host in self._of(netloc)]
            return max((hold for hold in holds if hold is not None), default=None)

        def back() -> None:
            for host in self._of(netloc):
                host.limiter.begin_anew()

        return self._outages.watch(base, held_until=held_until, back=back)

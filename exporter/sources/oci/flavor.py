"""The flavor of a registry, found out by its first answer."""

from __future__ import annotations

from collections.abc import Callable

from exporter.crawl.task import Priority, Rank
from exporter.http.faults import FaultError
from exporter.sources.oci.endpoint import Endpoint
from exporter.sources.oci.harbor import is_harbor


class FlavorTask:
    """Asks a registry what it is (`crawl.task.Task`); `found` is told whether it is Harbor."""

    has_prefetched = False
    priority = Priority(Rank.DISCOVERY)

    def __init__(self, endpoint: Endpoint, found: Callable[[bool], None]) -> None:
        self._endpoint = endpoint
        self._found = found

    async def run_one(self) -> bool:
        """Ask; see `crawl.task.Task`."""
        try:
            challenges = await self._endpoint.challenges()
        except FaultError:
            challenges = ()  # The next call meets the same, and can wait for an outage to end.
        self._found(is_harbor(challenges))
        return False

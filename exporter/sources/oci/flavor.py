"""The flavor of a registry, found out by its first answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from exporter.crawl.task import Priority, Rank
from exporter.errors import ApiError
from exporter.http.client import Client
from exporter.http.faults import FaultError
from exporter.http.types import Received
from exporter.sources.oci.calls import Calls
from exporter.sources.oci.endpoint import Endpoint
from exporter.sources.oci.harbor import is_harbor


class FlavorTask:
    """Asks a registry what it is (`crawl.task.Task`); `found` is told whether it is Harbor."""

    has_prefetched = False
    priority = Priority(Rank.DISCOVERY)

    def __init__(
        self, endpoint: Endpoint, client: Client, calls: Calls, found: Callable[[bool], None]
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._calls = calls
        self._found = found

    async def run_one(self) -> bool:
        """Ask; see `crawl.task.Task`."""
        challenges = await self._challenges()
        if challenges is None:
            # A call of the client asks the endpoint again, until an outage ends.
            with suppress(ApiError):
                await self._client.get(self._calls.version(), _nothing)
            challenges = await self._challenges()
        self._found(is_harbor(challenges or ()))
        return False

    async def _challenges(self) -> Sequence[str] | None:
        try:
            return await self._endpoint.challenges()
        except FaultError:
            return None


async def _nothing(_received: Received) -> None:
    """Any answer will do."""

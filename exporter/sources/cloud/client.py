"""The client of the list API: `http.Client` with this cloud's endpoints, tokens and errors."""

from __future__ import annotations

import asyncio
from functools import partial

from exporter.http.client import Client
from exporter.http.outage import Outages
from exporter.http.retry import Sleep
from exporter.http.transport import Transport
from exporter.settings import Settings
from exporter.sources.cloud.credentials.choose import choose_source
from exporter.sources.cloud.credentials.exchange import Exchange
from exporter.sources.cloud.credentials.tokens import Tokens
from exporter.sources.cloud.endpoints import Directory
from exporter.sources.cloud.status import read_status

_TOKEN_ATTEMPTS = 5


def open_client(settings: Settings, *, sleep: Sleep = asyncio.sleep) -> Client:
    """Return a client of the API that the settings name; nothing is sent yet."""
    return Client(
        partial(_CloudApi, settings),
        settings.limits,
        read_error=read_status,
        ca_file=settings.network.ca_file,
        sleep=sleep,
    )


class _CloudApi:
    """The API of one cloud (`http.api.Api`)."""

    def __init__(self, settings: Settings, transport: Transport, sleep: Sleep) -> None:
        self._credentials = settings.credentials
        self._sleep = sleep
        self._directory = Directory(settings, transport, sleep=sleep)
        self._exchange = Exchange(self._directory, transport, attempts=_TOKEN_ATTEMPTS, sleep=sleep)

    def authenticator(self, outages: Outages) -> Tokens:
        source = choose_source(self._credentials, self._exchange, sleep=self._sleep)
        return Tokens(source, persist=outages.persist)

    async def base(self, service: str) -> str:
        return await self._directory.base(service)

"""The client of the registries: `http.Client` with their addresses, credentials and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType

from yarl import URL

from exporter.http.auth import TokenHeader
from exporter.http.client import Client
from exporter.http.outage import Outages
from exporter.http.remedies import Remedies
from exporter.http.retry import Sleep
from exporter.http.transport import Transport
from exporter.settings import Settings
from exporter.sources.oci.credentials.authenticator import OciAuthenticator, RegistryAuth
from exporter.sources.oci.credentials.find import CredentialFinder
from exporter.sources.oci.credentials.token_service import TokenService
from exporter.sources.oci.endpoint import Endpoint
from exporter.sources.oci.errors import read_error

HEADER = TokenHeader("Authorization")
"""Its value has the scheme in it, for a registry may want Basic or a token."""
REMEDIES = Remedies(
    moved="name the right host, and its base path if it has one, in oci.registries",
    tls="leave plain_http out of that registry in oci.registries",
    plain="check its port in oci.registries, or set plain_http: true beside it",
    name="check the host's name in oci.registries",
    address="check the host's address in oci.registries",
    unresolved="check the host in oci.registries",
    authority=(
        "name the authority's certificates as that registry's ca_file in oci.registries if it is "
        "a private one"
    ),
)


class OciApi:
    """The registries of one run (`http.api.Api`)."""

    def __init__(self, settings: Settings, transport: Transport, _sleep: Sleep) -> None:
        self._settings = settings.oci.registries
        self._transport = transport
        self.endpoints = {one.host: Endpoint(one, transport) for one in self._settings}

    def authenticator(self, outages: Outages) -> OciAuthenticator:
        """Return what gives each call its header."""
        registries: dict[str, RegistryAuth] = {}
        for one in self._settings:
            endpoint = self.endpoints[one.host]
            tokens = TokenService(self._transport, endpoint)
            registries[one.host] = RegistryAuth(endpoint, CredentialFinder(one), tokens)
        return OciAuthenticator(registries)

    async def base(self, service: str) -> str:
        """Return the base URL of a registry, by its id."""
        return await self.endpoints[service].base()


class OciClient(Client):
    """A client of several registries; `endpoints` are their addresses, by id.

    `on_close` is called once no call is under way any more, however the run ends.
    """

    def __init__(
        self,
        settings: Settings,
        sleep: Sleep = asyncio.sleep,
        *,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_close = on_close
        ca_files = {
            URL(f"https://{one.host}").host_port_subcomponent or "": one.ca_file
            for one in settings.oci.registries
            if one.ca_file is not None
        }
        self.endpoints: dict[str, Endpoint] = {}
        super().__init__(
            partial(self._open, settings),
            settings.limits,
            read_error=read_error,
            token_header=HEADER,
            ca_file=settings.network.ca_file,
            ca_files=ca_files,
            remedies=REMEDIES,
            watches_queues=True,  # A registry of one's own never says that it is overloaded.
            sleep=sleep,
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(kind, error, traceback)
        finally:
            self._on_close()

    def _open(self, settings: Settings, transport: Transport, sleep: Sleep) -> OciApi:
        api = OciApi(settings, transport, sleep)
        self.endpoints = api.endpoints
        return api

"""A source's description of its API for the client: its address and its credentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from exporter.http.auth import Authenticator
from exporter.http.outage import Outages
from exporter.http.retry import Sleep
from exporter.http.transport import Transport


class Api(Protocol):
    """The API of a source."""

    def authenticator(self, outages: Outages) -> Authenticator:
        """Return the authenticator; it uses `outages` to wait for a token service that is down.

        Raises `CredentialsError` for unusable credentials.
        """

    async def base(self, service: str) -> str:
        """Return the base URL of a service that calls name, without a slash at its end."""


OpenApi = Callable[[Transport, Sleep], Api]
"""Makes an API, which sends requests of its own, such as for tokens, over the transport."""

"""What a source tells the client of its API: where it is, and what proves who is asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from exporter.http.auth import Authenticator
from exporter.http.outage import Outages
from exporter.http.retry import Sleep
from exporter.http.transport import Transport


class Api(Protocol):
    """One API, as a source knows it."""

    def authenticator(self, outages: Outages) -> Authenticator:
        """Return what gives the tokens; `outages` waits for who hands them out.

        Raises `CredentialsError` for credentials that can be none.
        """

    async def base(self, service: str) -> str:
        """Return the base URL of a service that calls name, without a slash at its end."""


OpenApi = Callable[[Transport, Sleep], Api]
"""Makes an API that sends its own requests, for tokens say, by the client's transport."""

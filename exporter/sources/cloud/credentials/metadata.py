"""A virtual machine's metadata service, which gives tokens to its programs (`README.md`)."""

from __future__ import annotations

import math

from exporter.errors import CredentialsError, UnansweredError
from exporter.http.retry import Sleep
from exporter.http.transport import Transport
from exporter.sources.cloud.credentials.exchange import MOST_BYTES, ask_for_token
from exporter.sources.cloud.credentials.token import Token, clean, read_field
from exporter.sources.cloud.status import read_status

ADDRESS = "http://169.254.169.254"
_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_CONNECT_TIMEOUT = 2.0
"""Seconds to wait for a connection: on a machine without the service, nothing answers."""
_TIMEOUT = 10.0
_ATTEMPTS = 3


class MetadataService:
    """Tokens of the virtual machine's own service account."""

    def __init__(self, address: str | None, *, sleep: Sleep) -> None:
        self.name = "the metadata service of this machine (credentials.metadata)"
        self._url = f"{address or ADDRESS}{_PATH}"
        self._sleep = sleep
        self._has_answered = False

    def changed(self) -> bool:
        """Return False: only the token's age calls for another one."""
        return False

    async def fetch(self) -> Token:
        """Return a token; raises `CredentialsError`."""
        try:
            return await self._fetch()
        except UnansweredError as error:
            # It runs on this very machine, or this machine has none.
            if self._has_answered or error.http_status:
                raise
            text = error.clause
        raise CredentialsError(text)

    async def _fetch(self) -> Token:
        # It is asked once an hour: with a session of its own, no connection stays open in between.
        async with Transport(connections=1, ca_file=None, read_error=read_status) as transport:
            answer = await ask_for_token(
                lambda: transport.send(
                    self._url,
                    timeout=_TIMEOUT,
                    connect_timeout=_CONNECT_TIMEOUT,
                    max_bytes=MOST_BYTES,
                    headers={"Metadata-Flavor": "Google"},
                ),
                call=f"GET {self._url}",
                source=self.name,
                advice="check that this is a machine of the cloud and has a service account",
                attempts=_ATTEMPTS,
                sleep=self._sleep,
            )
        self._has_answered = True
        return Token(
            clean(str(read_field(answer, "accessToken") or ""), self.name),
            _seconds(read_field(answer, "expiresIn")),
        )


def _seconds(value: object) -> float | None:
    """Return a number of seconds, which may be sent as a text; None for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None

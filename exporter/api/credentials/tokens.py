"""The token of the moment: kept while it is good, renewed in time, once for all who wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from pydantic import SecretStr

from exporter.api.credentials.token import Source, Token
from exporter.errors import ApiError

RENEW_AFTER = 3600.0
"""Seconds of use after which a new token is asked for (`API.md`: hourly)."""
MARGIN = 120.0
"""Seconds before its end at which a token is renewed at the latest; a tenth of a shorter life."""
_TRY_AGAIN_AFTER = 60.0

_log = structlog.get_logger(__name__)


class Tokens:
    """Gives the token to send. `clock` is in seconds since 1970."""

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self._token: Token | None = None
        self._renew_at: float | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def source_name(self) -> str:
        """Where the tokens come from, in a person's words."""
        return self._source.name

    async def get(self) -> SecretStr:
        """Return a token that is good now.

        Everyone who needs a new one waits for the same exchange. Raises `CredentialsError`, or
        `ApiError` where the source does not answer and no token is left to use.
        """
        if self._token is None or self._due():
            await self._renew("due")
        return self._current()

    async def renew(self, refused: SecretStr) -> SecretStr:
        """Return a token after the API refused one; a newer one than `refused` is given as it is.

        Raises as `get` does.
        """
        if self._current().get_secret_value() == refused.get_secret_value():
            await self._renew("refused")
        return self._current()

    async def close(self) -> None:
        """Stop an exchange that nobody waits for any more."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _current(self) -> SecretStr:
        if self._token is None:
            raise RuntimeError("no token has been fetched yet")
        return self._token.value

    def _due(self) -> bool:
        over = self._renew_at is not None and self._clock() >= self._renew_at
        return over or self._source.changed()

    async def _renew(self, reason: str) -> None:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._fetch(reason))
            self._renewal.add_done_callback(self._fetched)
        # Shielded: one caller that is cancelled does not take the token from the others.
        await asyncio.shield(self._renewal)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._renewal = None
        if not task.cancelled():
            task.exception()  # whoever waits gets it; if nobody does any more, it is no news

    async def _fetch(self, reason: str) -> None:
        began = self._clock()
        try:
            token = await self._source.fetch()
        except ApiError as error:
            left = self._token.expires_at if self._token else None
            if reason == "refused" or left is None or left <= self._clock():
                raise
            self._renew_at = min(self._clock() + _TRY_AGAIN_AFTER, left)
            _log.warning("token_not_renewed", source=self._source.name, error=str(error))
            return
        self._token = token
        if token.expires_at is None:
            self._renew_at = None
        else:
            life = token.expires_at - began
            self._renew_at = began + min(RENEW_AFTER, life - min(MARGIN, life / 10))
        _log.info(
            "token_renewed",
            source=self._source.name,
            reason=reason,
            expires_in=None if token.expires_at is None else round(token.expires_at - began),
        )

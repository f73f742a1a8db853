"""The current token: kept while it is valid, renewed in time, once for all waiting callers."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from pydantic import SecretStr

from exporter.errors import CredentialsError, UnansweredError
from exporter.sources.cloud.credentials.token import Token, TokenSource

RENEW_AFTER = 3600.0
"""Seconds of use after which a token is renewed (`README.md`: hourly)."""
MARGIN = 120.0
"""A token is renewed at least so many seconds before its end, or a tenth of a shorter life."""
_TRY_AGAIN_AFTER = 60.0

_log = structlog.get_logger(__name__)


Persist = Callable[[Callable[[], Awaitable[Token]]], Awaitable[Token]]
"""Repeats a call as long as it raises `UnansweredError`, and returns its token."""


async def _once(fetch: Callable[[], Awaitable[Token]]) -> Token:
    return await fetch()


class Tokens:
    """Gives the token to send; `clock` counts seconds, and is never set.

    `persist` repeats the call for a token while there is none to use.
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        clock: Callable[[], float] = time.monotonic,
        persist: Persist = _once,
    ) -> None:
        self._source = source
        self._persist = persist
        self._clock = clock
        self._token: SecretStr | None = None
        self._ends = math.inf
        """The end of the current token by the clock, as far as it is known."""
        self._renew_at: float | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._reason = ""

    @property
    def source_name(self) -> str:
        """The source of the tokens, for messages."""
        return self._source.name

    async def get(self, scope: str | None = None) -> SecretStr:
        """Return a token that is valid now.

        All callers that need a new one wait for the same exchange. If the source gives none, the
        old token is used until its end, or until the cloud refuses it. Raises `CredentialsError`
        once there is no token left to use, and `OutageError` if the token service does not answer.
        """
        if self._token is None or self._due():
            await self._renew("due")
        return self._current()

    async def renew(
        self, refused: SecretStr, scope: str | None = None, challenges: Sequence[str] = ()
    ) -> SecretStr:
        """Return a newer token than `refused`, which the API has refused.

        Raises `CredentialsError` if there is no newer one.
        """
        if self._current().get_secret_value() == refused.get_secret_value():
            await self._renew("refused")
        return self._current()

    async def close(self) -> None:
        """Stop an exchange that no caller waits for any more."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _current(self) -> SecretStr:
        if self._token is None:
            raise RuntimeError("no token has been fetched yet")
        return self._token

    def _due(self) -> bool:
        over = self._renew_at is not None and self._clock() >= self._renew_at
        return over or self._source.changed()

    async def _renew(self, reason: str) -> None:
        if self._renewal is None:
            self._reason = reason
            self._renewal = asyncio.create_task(self._fetch())
            self._renewal.add_done_callback(self._fetched)
        elif reason == "refused":
            self._reason = reason  # a renewal that was only due is now needed
        # Shielded, so that one cancelled caller does not cancel the renewal for the others.
        await asyncio.shield(self._renewal)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._renewal = None
        if not task.cancelled():
            task.exception()  # each waiting caller gets it; without one, it does not matter

    async def _fetch(self) -> None:
        try:
            token = await self._ask()
        except CredentialsError as error:
            if self._has_none():
                raise
            self._renew_at = self._clock() + min(_TRY_AGAIN_AFTER, self._left())
            _log.warning("token_not_renewed", source=self._source.name, error=error.clause)
            return
        self._take(token)

    def _take(self, token: Token) -> None:
        now = self._clock()
        life = token.expires_in
        self._ends = math.inf if life is None else now + life
        self._renew_at = (
            None if life is None else now + min(RENEW_AFTER, life - min(MARGIN, life / 10))
        )
        before, self._token = self._token, token.value
        if before is None and life is None:
            _log.debug("token_read", source=self._source.name)
        elif before is None or before.get_secret_value() != token.value.get_secret_value():
            _log.info(
                "token_renewed",
                source=self._source.name,
                reason=self._reason,
                expires_in=None if life is None else round(life),
            )

    async def _ask(self) -> Token:
        try:
            return await self._source.fetch()
        except UnansweredError:
            if not self._has_none():
                raise
        return await self._persist(self._source.fetch)

    def _has_none(self) -> bool:
        """Return whether there is no token to use: the last one has ended, or was refused."""
        return self._reason == "refused" or self._left() <= 0

    def _left(self) -> float:
        """Return for how many seconds the current token is valid, as far as it is known."""
        return 0.0 if self._token is None else self._ends - self._clock()

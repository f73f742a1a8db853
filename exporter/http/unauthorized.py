"""An answer that refuses the token: whether a new token helps, or one listing alone is refused."""

from __future__ import annotations

from dataclasses import replace

import structlog
from pydantic import SecretStr

from exporter.errors import CredentialsError
from exporter.http.auth import Authenticator
from exporter.http.faults import FaultError, fault_of_reply, is_unauthenticated
from exporter.http.reply import Reply
from exporter.http.sending import Sender, Target
from exporter.http.types import Sent

_log = structlog.get_logger(__name__)


class Unauthorized:
    """Repeats refused calls with a new token, and finds out what a second refusal is about.

    It does so with the proof, a call that was answered before (`note_answered`). If the API still
    answers the proof, the token is good, and only the listing is refused. For a token with a scope
    of its own (`Call.token_scope`) there is no proof: its refusal says nothing about other tokens.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._proof: Target | None = None
        self._refuses_listings = False

    def note_answered(self, target: Target) -> None:
        """Remember the first call that was answered, as the proof; it asks for one item."""
        if self._proof is None and target.call.token_scope is None:
            self._proof = target.least()

    async def ask_again(
        self, tokens: Authenticator, target: Target, reply: Reply, token: SecretStr, sent: Sent
    ) -> Reply:
        """Repeat a call with a new token after `reply` refused `token`, and return the answer.

        Returns a refusal only if it is about this listing alone. Otherwise raises
        `CredentialsError`, or `FaultError` for a gateway's refusal, which may be temporary.
        """
        scoped = target.call.token_scope is not None
        if not scoped and self._refuses_listings and await self._is_accepted(token, sent):
            return reply  # the API refuses listings: another token would not help
        try:
            challenges = reply.headers.getall("WWW-Authenticate", [])
            fresh = await tokens.renew(token, target.call.token_scope, challenges)
        except CredentialsError:
            if scoped or await self._is_accepted(token, sent):
                return reply  # there is no newer token, and this one is not the cause
            raise
        _log.info("token_refused", scope=target.call.scope, request_id=reply.request_id)
        reply = await self._sender.send(target, fresh, sent)
        if scoped or not is_unauthenticated(reply):
            return reply
        if await self._is_accepted(fresh, sent):
            self._refuses_listings = True
            return reply
        refusal = (
            f"the API does not accept the credentials from {tokens.source_name}: "
            f"{target.line} was answered {reply.status}, "
        )
        if fresh.get_secret_value() == token.get_secret_value():
            refusal += "asked twice; check that they are of this API, and put new ones there"
        else:
            refusal += (
                "with a renewed token too; check that they are of this API, not expired and "
                "not revoked"
            )
        fault = fault_of_reply(reply)
        if fault is not None and fault.passing:
            raise FaultError(replace(fault, refusal=refusal))
        raise CredentialsError(refusal)

    async def _is_accepted(self, token: SecretStr, sent: Sent) -> bool:
        """Return whether the API still answers the proof with a token."""
        if self._proof is None:
            return False
        reply = await self._sender.send(self._proof, token, sent)
        fault = fault_of_reply(reply)
        if fault is not None and fault.passing and not is_unauthenticated(reply):
            raise FaultError(fault)
        return fault is None

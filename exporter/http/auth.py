"""Authentication: the interface between the client and a source's credentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True)
class TokenHeader:
    """The header that a token is sent in: its name, and the scheme before the token, if any."""

    name: str
    scheme: str = ""

    def of(self, token: SecretStr) -> dict[str, str]:
        """Return the header with a token in it; none for an empty token."""
        if not token.get_secret_value():
            return {}
        return {self.name: f"{self.scheme} {token.get_secret_value()}".lstrip()}


BEARER = TokenHeader("Authorization", "Bearer")
"""How OAuth 2.0 sends a token (RFC 6750, 2.1)."""


class Authenticator(Protocol):
    """Gives the token that each request is sent with.

    `scope` is what the token must allow, for an API that issues a token for each part of it, such
    as a repository (`Call.token_scope`). It is None where one token is good for all calls.
    """

    @property
    def source_name(self) -> str:
        """The origin of the tokens, for messages."""

    async def get(self, scope: str | None = None) -> SecretStr:
        """Return a token that is valid now.

        Raises `CredentialsError` if there is none, and `OutageError` if the token service has not
        answered for too long.
        """

    async def renew(
        self, refused: SecretStr, scope: str | None = None, challenges: Sequence[str] = ()
    ) -> SecretStr:
        """Return a newer token than `refused`, which the API has refused.

        `challenges` are the values of the refusal's WWW-Authenticate headers. Raises
        `CredentialsError` if there is no newer one.
        """

    async def close(self) -> None:
        """Stop all work in the background."""

"""What proves to an API who is asking: between the client and a source's credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True)
class TokenHeader:
    """The header that a token is sent in: its name, and the scheme before the token, if any."""

    name: str
    scheme: str = ""

    def of(self, token: SecretStr) -> dict[str, str]:
        """Return the header with a token in it."""
        return {self.name: f"{self.scheme} {token.get_secret_value()}".lstrip()}


BEARER = TokenHeader("Authorization", "Bearer")
"""How OAuth 2.0 sends a token (RFC 6750, 2.1)."""


class Authenticator(Protocol):
    """Gives the token that each request is sent with."""

    @property
    def source_name(self) -> str:
        """Where the tokens come from, in a person's words."""

    async def get(self) -> SecretStr:
        """Return a token that is good now.

        Raises `CredentialsError` where there is none, and `OutageError` where who gives them has
        not answered for too long.
        """

    async def renew(self, refused: SecretStr) -> SecretStr:
        """Return a token after the API refused one; a newer one than `refused` is given as it is.

        Raises `CredentialsError` where there is no newer one.
        """

    async def close(self) -> None:
        """Stop what is under way."""

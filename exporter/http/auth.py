"""What proves to an API who is asking: between the client and a source's credentials."""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr


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

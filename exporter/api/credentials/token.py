"""A token, how it must look, and what a source of tokens is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from exporter.errors import CredentialsError

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Token:
    """An IAM token; `expires_at` is in seconds since 1970, or None where it is not known."""

    value: SecretStr
    expires_at: float | None = None


class Source(Protocol):
    """Somewhere tokens come from; `name` tells a person where, without any secret."""

    @property
    def name(self) -> str:
        """The source in a person's words."""

    def changed(self) -> bool:
        """Say whether the source has another token than the one it gave last; never blocks long."""

    async def fetch(self) -> Token:
        """Return a token that is good now.

        Raises `CredentialsError` where the source gives none, for whatever reason.
        """


def clean(text: str, source: str) -> SecretStr:
    """Return a token fit for a header, without the white space around it.

    Raises `CredentialsError`, which never quotes the text, for an empty one and for one with
    anything but visible ASCII: such a header would be refused, or cut in two.
    """
    stripped = text.strip()
    if not stripped:
        raise CredentialsError(f"the token from {source} is empty; put a token there")
    if not _HEADER_SAFE.fullmatch(stripped):
        raise CredentialsError(
            f"the token from {source} holds spaces, line breaks or characters that no token has; "
            "check what was put there"
        )
    return SecretStr(stripped)

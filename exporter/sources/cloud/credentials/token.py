"""A token, its form, and the interface of a source of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from exporter.errors import CredentialsError

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Token:
    """An IAM token; `expires_in` is for how many seconds from now it is valid, None if unknown.

    It is not a time of the wall clock, which may be set while the token is valid.
    """

    value: SecretStr
    expires_in: float | None = None


class TokenSource(Protocol):
    """A source of tokens; `name` names it in messages, without any secret."""

    @property
    def name(self) -> str:
        """The source, for messages."""

    def changed(self) -> bool:
        """Return whether the source has another token than the last one, without delay."""

    async def fetch(self) -> Token:
        """Return a token that is valid now.

        Raises `CredentialsError` if the source gives none, whatever the reason.
        """


def bare(text: str) -> str:
    """Return a text without a byte order mark before it and white space around it."""
    return text.strip().removeprefix("\ufeff").strip()


def read_field(answer: Mapping[str, object], name: str) -> object:
    """Return a field of an answer in either of proto3's spellings; None if it is absent.

    `name` is in camelCase; a parser must accept the original snake_case as well.
    """
    value = answer.get(name)
    if value is None:
        value = answer.get(re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower())
    return value


def clean(text: str, source: str) -> SecretStr:
    """Return a token that can be put into a header, cleaned by `bare`.

    Raises `CredentialsError`, which never quotes the text, if it is empty or has anything but
    visible ASCII: a server would refuse such a header, or read it as two.
    """
    stripped = bare(text)
    if not stripped:
        raise CredentialsError(f"the token from {source} is empty; put a token there")
    if not _HEADER_SAFE.fullmatch(stripped):
        raise CredentialsError(
            f"the token from {source} contains spaces, line breaks or other characters that no "
            "token has; check what was put there"
        )
    return SecretStr(stripped)

"""A token, how it must look, and what a source of tokens is."""

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
    """An IAM token; `expires_in` is for how many seconds from now it is good, None if not known.

    It is no moment of the wall clock, which may be put right while the token lives.
    """

    value: SecretStr
    expires_in: float | None = None


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


def bare(text: str) -> str:
    """Return a text without the white space around it and a byte order mark before it."""
    return text.strip().removeprefix("\ufeff").strip()


def read_field(answer: Mapping[str, object], name: str) -> object:
    """Return a field of an answer by its name in either of proto3's spellings; None for none.

    `name` is in camelCase; a parser has to take the original snake_case as well.
    """
    value = answer.get(name)
    if value is None:
        value = answer.get(re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower())
    return value


def clean(text: str, source: str) -> SecretStr:
    """Return a token fit for a header, without what `bare` takes away.

    Raises `CredentialsError`, which never quotes the text, for an empty one and for one with
    anything but visible ASCII: such a header would be refused, or cut in two.
    """
    stripped = bare(text)
    if not stripped:
        raise CredentialsError(f"the token from {source} is empty; put a token there")
    if not _HEADER_SAFE.fullmatch(stripped):
        raise CredentialsError(
            f"the token from {source} holds spaces, line breaks or characters that no token has; "
            "check what was put there"
        )
    return SecretStr(stripped)

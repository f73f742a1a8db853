"""Secrets that an answer quotes from its request: which to look for, and how to remove them."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from pydantic import SecretStr

_SHORTEST_SECRET = 16
"""A secret is searched for in answers if it has this many characters; a shorter one could be any
word of the data. (Tokens have some 200.)"""


def telling(secrets: Iterable[SecretStr]) -> list[str]:
    """Return the secrets that are long enough to differ from words, without a scheme before."""
    texts = (secret.get_secret_value().rpartition(" ")[2] for secret in secrets)
    return [text for text in texts if len(text) >= _SHORTEST_SECRET]


def passwords(token: SecretStr | None) -> list[str]:
    """Return the secrets in a header of the Basic scheme (RFC 7617), which an error may quote.

    They may be short, so answers that are data are not searched for them: they could be any word.
    """
    scheme, _, pair = (token.get_secret_value() if token else "").partition(" ")
    if scheme.lower() != "basic":
        return []
    decoded = base64.b64decode(pair).decode("utf-8", "replace")
    password = decoded.partition(":")[2]
    return [pair, password] if password else []


def unquoted(text: str, secrets: Iterable[str]) -> str:
    """Return a text with an ellipsis in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text


def unquoted_bytes(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return a body with an ellipsis in place of each secret."""
    for secret in secrets:
        body = body.replace(secret.encode(), "…".encode())
    return body

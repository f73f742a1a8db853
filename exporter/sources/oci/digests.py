"""Digests of content: which are well formed, and whether bytes have one."""

from __future__ import annotations

import hashlib
import re

_DIGEST = re.compile(r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")


def is_digest(text: str) -> bool:
    """Return whether a text is a digest of an algorithm that is known here."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(body: bytes, *, like: str = "") -> str:
    """Return the digest of bytes, with the algorithm of another digest, or else SHA-256."""
    algorithm = like.partition(":")[0] if is_digest(like) else "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"

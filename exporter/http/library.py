"""aiohttp, imported in less time than by itself: import it from here.

As a module, aiohttp makes a TLS context that checks certificates and one that checks none, and
reads the system's authorities into both. For the second it does so in vain, and that takes a fifth
of its import.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _reading_no_authorities_in_vain() -> Iterator[None]:
    """Let no context read authorities during the block if it checks no certificates."""
    read = ssl.SSLContext.set_default_verify_paths

    def read_if_checked(context: ssl.SSLContext) -> None:
        if context.verify_mode is not ssl.CERT_NONE:
            read(context)

    ssl.SSLContext.set_default_verify_paths = read_if_checked  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ssl.SSLContext.set_default_verify_paths = read  # type: ignore[method-assign]


with _reading_no_authorities_in_vain():
    import aiohttp

__all__ = ["aiohttp"]

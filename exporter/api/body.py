"""An answer's body: read and unpacked piece by piece, never past a limit in memory.

aiohttp's own unpacking is switched off: how far it lets a small answer swell differs between its
versions, and it hides how many bytes travelled. Here a gzip bomb is unpacked only up to the
limit, whatever it would become.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 1 << 18
"""Bytes unpacked at a time: about a millisecond, in which nothing else runs."""


class BodyTooLargeError(Exception):
    """The body is larger than the limit, unpacked."""


class BodyBrokenError(Exception):
    """The body ends too early (`cut_short`), or is not what its `Content-Encoding` says."""

    def __init__(self, message: str, *, cut_short: bool = False) -> None:
        super().__init__(message)
        self.cut_short = cut_short


class _Gunzip:
    """Unpacks a gzip stream, which may be several members one after the other (RFC 1952)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._fresh = True

    def feed(self, packed: bytes, room: int) -> bytes:
        """Unpack a piece; stops soon after `room` bytes, which tells that the limit is passed."""
        out = bytearray()
        while packed and len(out) <= room:
            if self._member.eof:
                packed = packed.lstrip(b"\0")  # padding after a member is legal
                if not packed:
                    break
                self._member = zlib.decompressobj(_GZIP)
            self._fresh = False
            try:
                out += self._member.decompress(packed, _PIECE)
            except zlib.error:
                raise BodyBrokenError("the body is not the gzip it claims to be") from None
            packed = self._member.unused_data or self._member.unconsumed_tail
        return bytes(out)

    def finish(self) -> None:
        """Raise `BodyBrokenError` if the stream is cut short; an empty one is whole."""
        if not (self._fresh or self._member.eof):
            raise BodyBrokenError("the answer was cut short", cut_short=True)


async def read_body(
    chunks: AsyncIterator[bytes], encoding: str, limit: int, wire: list[int]
) -> bytes:
    """Return a body's unpacked bytes.

    `encoding` is the answer's `Content-Encoding`, `limit` the most bytes allowed, unpacked.
    The length of every chunk is added to `wire`, so that a body given up counts as well.
    Raises `BodyTooLargeError` and `BodyBrokenError`.
    """
    if encoding not in ("", "identity", "gzip"):
        raise BodyBrokenError(f"the body came as {encoding!r}, which was not asked for")
    gunzip = _Gunzip() if encoding == "gzip" else None
    pieces: list[bytes] = []
    room = limit
    async for chunk in chunks:
        wire.append(len(chunk))
        pieces.append(gunzip.feed(chunk, room) if gunzip else chunk)
        room -= len(pieces[-1])
        if room < 0:
            raise BodyTooLargeError
    if gunzip:
        gunzip.finish()
    return b"".join(pieces)

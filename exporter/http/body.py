"""An answer's body: read and unpacked piece by piece, never past a limit in memory.

aiohttp's own unpacking is switched off: its limits differ between versions, and it hides how many
bytes were sent. This module unpacks a gzip bomb only up to the limit.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

_GZIP = 16 + zlib.MAX_WBITS
_MOST_CODINGS = 4
_OTHER_CODINGS = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi"})
"""Codings that an error may quote; any other text comes from the server and may be anything."""
_PIECE = 1 << 18
"""Bytes unpacked at a time; this blocks the event loop for about a millisecond."""


class BodyTooLargeError(Exception):
    """The body is larger than the limit, unpacked."""


class BodyBrokenError(Exception):
    """The body ends too early (`cut_short`), or does not match its `Content-Encoding`."""

    def __init__(self, message: str, *, cut_short: bool = False) -> None:
        super().__init__(message)
        self.cut_short = cut_short


class _Inflate:
    """Unpacks one coding: gzip, whose members may follow each other (RFC 1952), or deflate.

    `made` is how many bytes came out so far.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._member = zlib.decompressobj(_GZIP)
        self._fresh = True
        self.made = 0

    def feed(self, packed: bytes, limit: int) -> bytes:
        """Unpack a piece; raises `BodyTooLargeError` soon after `limit` bytes in all."""
        out = bytearray()
        if self._fresh and packed and self._coding == "deflate":
            # It is zlib's format (RFC 9110, 8.4.1.2); some servers send a raw deflate stream.
            bare = packed[0] & 15 != zlib.DEFLATED
            self._member = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)
        while packed:
            if self._member.eof:
                packed = packed.lstrip(b"\0")  # padding after a member is legal
                if not packed:
                    break
                if self._coding == "deflate":
                    raise self._broken()
                self._member = zlib.decompressobj(_GZIP)
            self._fresh = False
            try:
                out += self._member.decompress(packed, _PIECE)
            except zlib.error:
                raise self._broken() from None
            if self.made + len(out) > limit:
                raise BodyTooLargeError
            packed = self._member.unused_data or self._member.unconsumed_tail
        self.made += len(out)
        return bytes(out)

    def finish(self) -> None:
        """Raise `BodyBrokenError` if the stream is cut short; an empty one is whole."""
        if not (self._fresh or self._member.eof):
            raise BodyBrokenError("the answer was cut short", cut_short=True)

    def _broken(self) -> BodyBrokenError:
        return BodyBrokenError(f"the body is not the {self._coding} it claims to be")


async def read_body(
    chunks: AsyncIterator[bytes], codings: str, limit: int, wire: list[int]
) -> bytes:
    """Return a body's unpacked bytes.

    `codings` is the answer's `Content-Encoding`, in the order in which they were applied. `limit`
    is the most bytes allowed, unpacked. The length of every chunk is added to `wire`, so an
    abandoned body counts as well. Raises `BodyTooLargeError` and `BodyBrokenError`.
    """
    steps = [_Inflate(coding) for coding in reversed(_read_codings(codings))]
    pieces: list[bytes] = []
    room = limit
    async for chunk in chunks:
        wire.append(len(chunk))
        piece = chunk
        for step in steps:
            piece = step.feed(piece, limit)
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            raise BodyTooLargeError
    for step in steps:
        step.finish()
    return b"".join(pieces)


def _read_codings(text: str) -> list[str]:
    """Return the codings to undo (RFC 9110, 8.4.1): their names know no case, `x-gzip` is gzip."""
    names = [name for each in text.split(",") if (name := each.strip().lower())]
    codings = ["gzip" if name == "x-gzip" else name for name in names if name != "identity"]
    for coding in codings:
        if coding not in ("gzip", "deflate"):
            named = f" ({coding})" if coding in _OTHER_CODINGS else ""
            raise BodyBrokenError(f"the body is packed in a way that was not asked for{named}")
    if len(codings) > _MOST_CODINGS:
        raise BodyBrokenError(f"the body was packed {len(codings)} times over")
    return codings

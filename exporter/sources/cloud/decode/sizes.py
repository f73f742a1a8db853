"""The API's sizes, from texts to 64-bit integers."""

from __future__ import annotations

import struct

import pyarrow as pa
import pyarrow.compute as pc

from exporter.errors import PageError
from exporter.sources.cloud.decode.values import whole_of
from exporter.tables.constants import ZERO_BYTES

_DIGITS = b"0123456789"


def parse_sizes(texts: pa.StringArray) -> pa.Int64Array:
    """Return 64-bit integers that were sent as texts; one that was not sent is 0 (proto3).

    Raises `PageError`.
    """
    if not _characters(texts).translate(None, _DIGITS):
        try:
            return pc.fill_null(texts.cast(pa.int64()), ZERO_BYTES)
        except pa.ArrowInvalid:
            pass  # A text is empty or too large; the lines below find out which.
    # Arrow accepts `0x10` as a number, and refuses `1e3`.
    sizes = [0 if text is None else whole_of(text) for text in texts.to_pylist()]
    if None in sizes:
        raise PageError("a size is not a 64-bit integer")
    return pa.array(sizes, pa.int64())


def _characters(texts: pa.StringArray) -> bytes:
    """Return all characters of the texts, joined."""
    _, offsets, values = texts.buffers()
    if not len(texts) or values is None:
        return b""
    start, end = (
        struct.unpack_from("<i", offsets, 4 * (texts.offset + place))[0]
        for place in (0, len(texts))
    )
    characters: bytes = values[start:end].to_pybytes()
    return characters

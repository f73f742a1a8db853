"""Values from a seed and a key alone: bytes, numbers, ids, timestamps, shares."""

from __future__ import annotations

import time
from functools import lru_cache
from hashlib import blake2b, shake_128
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALPHABET = b"0123456789abcdefghijklmnopqrstuv"
"""The characters of the vendor's ids (base32hex)."""

ID_TABLE = bytes(_ALPHABET[byte & 31] for byte in range(256))
"""For `bytes.translate`: maps any bytes to characters of an id."""

DAY = 86_400
"""Seconds in a day."""


def seeded_bytes(seed: int, key: str, size: int) -> bytes:
    """`size` bytes that look random and are always the same for this seed and key."""
    return shake_128(f"{seed}|{key}".encode()).digest(size)


def seeded_int(seed: int, key: str) -> int:
    """A number from 0 to 2^64-1 that is always the same for this seed and key."""
    return int.from_bytes(blake2b(f"{seed}|{key}".encode(), digest_size=8).digest())


def coin(seed: int, key: str) -> float:
    """A number from 0 (included) to 1 (excluded), the same for the same seed and key."""
    return seeded_int(seed, key) / (1 << 64)


def vendor_id(prefix: str, seed: int, key: str) -> str:
    """An id in the vendor's form: a three-letter prefix and 17 more characters."""
    return prefix + seeded_bytes(seed, key, 17).translate(ID_TABLE).decode("ascii")


_WITHIN_HOUR = tuple(f"{second // 60:02}:{second % 60:02}" for second in range(3600))


@lru_cache(maxsize=8192)
def _date(day: int) -> str:
    return time.strftime("%Y-%m-%dT", time.gmtime(day * DAY))


def timestamp(second: int, nanosecond: int = 0) -> str:
    """RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits, as few as suffice (proto3 JSON).

    `second` counts from 1970 and must lie in the years 1000 to 9999.
    """
    day, rest = divmod(second, DAY)
    clock = f"{_date(day)}{rest // 3600:02}:{_WITHIN_HOUR[rest % 3600]}"
    if not nanosecond:
        return clock + "Z"
    if nanosecond % 1000:
        return f"{clock}.{nanosecond:09}Z"
    if nanosecond % 1_000_000:
        return f"{clock}.{nanosecond // 1000:06}Z"
    return f"{clock}.{nanosecond // 1_000_000:03}Z"


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Divide `total` into integer shares by weight, at least 1 each if there are enough."""
    if not weights:
        return []
    floor = 1 if total >= len(weights) else 0
    rest = total - floor * len(weights)
    whole = sum(weights)
    shares = [floor + int(rest * weight / whole) for weight in weights]
    for index in range(total - sum(shares)):
        shares[index % len(shares)] += 1
    return shares


def zipf(count: int, exponent: float) -> list[float]:
    """Weights of the first `count` ranks; all equal for exponent 0."""
    return [1.0 / rank**exponent for rank in range(1, count + 1)]

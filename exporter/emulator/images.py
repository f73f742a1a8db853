"""What an image looks like: its JSON, computed when asked for from the seed and its place.

Nothing is kept per image, so an estate of a million images costs what its repositories cost.
The text is put together by formatting: a page of 1000 images has to take milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_128
from typing import TYPE_CHECKING

from .values import DAY, ID_TABLE, seeded_int, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from .shape import Shape

_EPOCH = 1_609_459_200
"""2021-01-01: when the first image of any estate was pushed, in seconds since 1970."""
_SPAN = 5 * 365 * DAY
"""The years over which an estate grew, in seconds."""
_UNIT = 32
"""Bytes of an image's randomness that each of its blobs gets: as many as a SHA-256 has."""
_FRACTIONS = (0, 1_000_000, 1_000, 1)
"""Resolutions of creation times, in nanoseconds: 0, 3, 6 or 9 fractional digits."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository: `first` is where its images begin in the order of the whole estate."""

    index: int
    id: str
    name: str
    first: int
    count: int
    listed: bool


@dataclass(frozen=True, slots=True)
class _Layers:
    """Some layers as JSON text, a comma between them, and the sum of their sizes in bytes."""

    text: str
    size: int


class ImageMaker:
    """Makes the images of one shape; holds bounded caches of layers that images share."""

    def __init__(self, shape: Shape) -> None:
        self._seed = shape.seed
        self._layer_bytes = shape.layer_bytes
        self._base_stacks = shape.base_stacks
        self._untagged = round(shape.untagged_share * 256)
        self._index = round(shape.index_share * 256)
        self._repeat = round(shape.repeat_share * 256)
        # Of ten layers, four come with the base image, three are the repository's own and
        # change from time to time, three are new with each image.
        self._fresh = max(1, round(shape.layers * 0.3))
        history = max(0, round(shape.layers * 0.3))
        self._base = max(0, shape.layers - self._fresh - history)
        self._periods = tuple(4 * 4**slot for slot in reversed(range(history)))
        self._raw_size = _UNIT * (2 * self._fresh + 2)
        self._stack: Callable[[int], _Layers] = lru_cache(maxsize=2048)(self._make_stack)
        self._own: Callable[[int, int, int], _Layers] = lru_cache(maxsize=32_768)(self._make_own)

    def raw(self, repository: Repository, index: int) -> bytes:
        """The randomness of one image; its first 32 bytes are the image's digest."""
        key = b"%d|image|%d|%d" % (self._seed, repository.index, index)
        return shake_128(key).digest(self._raw_size)

    def created(self, repository: Repository, index: int, raw: bytes) -> tuple[int, int]:
        """When the image was pushed: seconds since 1970, and nanoseconds. Later images later."""
        step = max(1, _SPAN // max(1, repository.count))
        second = _EPOCH + index * step + raw[33] * (step - 1) // 255
        unit = _FRACTIONS[raw[34] & 3]
        if not unit:
            return second, 0
        # The last digit is never 0, or the text would have fewer digits than its resolution.
        steps = 1_000_000_000 // unit
        value = int.from_bytes(raw[35:39]) % steps
        return second, (value - value % 10 + 1 + raw[39] % 9) * unit

    def modified(self, repository: Repository, index: int) -> int:
        """When the image last changed (`last_modified`, not shown), in nanoseconds since 1970."""
        raw = self.raw(repository, index)
        second, nanosecond = self.created(repository, index, raw)
        return (second + int.from_bytes(raw[40:43]) % (30 * DAY)) * 1_000_000_000 + nanosecond

    def tags(self, repository: Repository, index: int, raw: bytes) -> list[str]:
        """The image's tags, each of which is on no other image of the repository."""
        tags = ["latest"] if index == repository.count - 1 else []
        if raw[43] < self._untagged:
            return tags
        tags.append(f"v1.{index // 20}.{index % 20}")
        kind = raw[44] & 15
        if kind < 5:
            tags.append(f"sha-{raw[:4].hex()}-{index}")
        elif kind == 5:
            tags.append(f"_Feature.Branch__{'x' * (raw[45] & 63)}-{index}")
        return tags

    def text(self, repository: Repository, index: int) -> str:
        """The image as the API's compact JSON, oddities not counted."""
        raw = self.raw(repository, index)
        ids = raw.translate(ID_TABLE).decode("ascii")
        digests = raw.hex()
        head = f'{{"id":"crp{ids[:17]}","name":"{repository.name}","digest":"sha256:{digests[:64]}"'
        tags = self.tags(repository, index, raw)
        tail = ',"tags":["' + '","'.join(tags) + '"]' if tags else ""
        tail += f',"createdAt":"{timestamp(*self.created(repository, index, raw))}"}}'
        if raw[46] < self._index:
            return head + tail
        layers = self._layers(repository, index, raw, ids, digests)
        size = f',"compressedSize":"{layers.size}"' if layers.size else ""
        config = (
            f',"config":{{"id":"crp{ids[32:49]}","digest":"sha256:{digests[64:128]}",'
            f'"size":"{1024 + raw[47] * 37}"}}'
        )
        return f'{head}{size}{config},"layers":[{layers.text}]{tail}'

    def _layers(
        self, repository: Repository, index: int, raw: bytes, ids: str, digests: str
    ) -> _Layers:
        """All of the image's layers: the base's, the repository's, and its own."""
        # Every 256 images, the repository moves on to another base.
        base = self._stack((repository.index * 7 + index // 256) % self._base_stacks)
        parts = [base.text] if base.text else []
        size = base.size
        for slot, period in enumerate(self._periods):
            own = self._own(repository.index, slot, index // period)
            parts.append(own.text)
            size += own.size
        for unit in range(2, 2 + 1 + raw[48] % (2 * self._fresh - 1)):
            at = unit * _UNIT
            fresh = self._size(raw[at : at + 5])
            size += fresh
            parts.append(blob_text(ids[at : at + 17], digests[2 * at : 2 * at + 64], fresh))
        if raw[49] < self._repeat:
            parts.append(parts[-1])
            size += fresh
        return _Layers(",".join(parts), size)

    def _make_stack(self, stack: int) -> _Layers:
        spread = max(1, 2 * self._base - 1)
        depth = min(self._base, 1) + seeded_int(self._seed, f"depth|{stack}") % spread
        layers = [self._blob(f"base|{stack}|{level}") for level in range(depth)]
        return _Layers(",".join(each.text for each in layers), sum(each.size for each in layers))

    def _make_own(self, repository: int, slot: int, version: int) -> _Layers:
        return self._blob(f"own|{repository}|{slot}|{version}")

    def _blob(self, key: str) -> _Layers:
        raw = shake_128(f"{self._seed}|{key}".encode()).digest(_UNIT)
        size = self._size(raw[:5])
        return _Layers(
            blob_text(raw.translate(ID_TABLE).decode("ascii")[:17], raw.hex(), size), size
        )

    def _size(self, raw: bytes) -> int:
        """A layer's size in bytes: many small, few large, and now and then nothing at all."""
        if raw[4] == 255:
            return 0
        return (int.from_bytes(raw[:4]) * self._layer_bytes >> 32) >> (raw[4] & 15)


def blob_text(suffix: str, digest: str, size: int) -> str:
    """A Blob as the API's JSON; a size of 0 is left out, as proto3 does."""
    if not size:
        return f'{{"id":"crp{suffix}","digest":"sha256:{digest}"}}'
    return f'{{"id":"crp{suffix}","digest":"sha256:{digest}","size":"{size}"}}'

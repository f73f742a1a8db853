"""The JSON of an image, computed from the seed and the image's place when it is asked for.

Nothing is kept per image, so an estate of a million images needs only memory for its repositories.
The text is formatted, not encoded: a page of 1000 images must take only milliseconds.
"""

from __future__ import annotations

from binascii import hexlify
from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_128
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING

from .values import DAY, ID_TABLE, seeded_int, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from .lifelike import Habits
    from .shape import Shape

_EPOCH = 1_609_459_200
"""The time of the first image of any estate, 2021-01-01, in seconds since 1970."""
_SPAN = 5 * 365 * DAY
"""The time over which an estate grows, in seconds."""
_UNIT = 32
"""Random bytes of an image for each of its blobs: as many as a SHA-256 has."""
_FRACTIONS = (0, 1_000_000, 1_000, 1)
"""Resolutions of creation times, in nanoseconds: 0, 3, 6 or 9 fractional digits."""
_BLOCK = 16
"""The number of images in a row that share all layers but their own."""
_BASE_AGE = 256
"""The number of images after which a repository changes its base image."""

_LAYER = b'{"id":"crp%b","digest":"sha256:%b","size":"%d"}'
_EMPTY_LAYER = b'{"id":"crp%b","digest":"sha256:%b"}'
_IMAGE = (
    b'{"id":"crp%b","name":"%b","digest":"sha256:%b","compressedSize":"%d","config":'
    + _LAYER
    + b',"layers":[%b'
)
_INDEX = b'{"id":"crp%b","name":"%b","digest":"sha256:%b"%b,"createdAt":"%b"}'


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository: `first` is the number of its first image in the whole estate.

    Its `habits` are None in an estate that is not lifelike.
    """

    index: int
    id: str
    name: str
    first: int
    count: int
    listed: bool
    habits: Habits | None = None
    deleted: int = 0
    pushed: int = 0

    @property
    def end(self) -> int:
        """The index behind that of the newest image."""
        return self.deleted + self.count

    @property
    def settled(self) -> int:
        """How many images there were before the last days."""
        return self.end - self.pushed


@dataclass(frozen=True, slots=True)
class _Layers:
    """Some layers as JSON, a comma after each, and the sum of their sizes in bytes."""

    text: bytes
    size: int


class ImageMaker:
    """Makes the images of one shape; holds bounded caches of layers that images share."""

    def __init__(self, shape: Shape) -> None:
        self._seed = shape.seed
        self._layer_bytes = shape.layer_bytes
        self._same_times = shape.same_times
        self._newest, self._days = shape.newest, shape.days
        self._base_stacks = shape.base_stacks
        self._untagged = round(shape.untagged_share * 256)
        self._index = round(shape.index_share * 256)
        self._repeat = round(shape.repeat_share * 256)
        self._counts_once = shape.size_of.startswith("each-layer-once")
        self._counts_config = shape.size_of.endswith("config")
        # Of ten layers, five are from the base image, three are the repository's own and
        # change from time to time, two are new with each image.
        fresh = max(1, round(shape.layers * 0.2))
        history = max(0, round(shape.layers * 0.3))
        self._base = max(0, shape.layers - fresh - history)
        self._periods = tuple(_BLOCK * 4**slot for slot in reversed(range(history)))
        # An image's random bytes: a unit for itself, one for its config, one for each own layer.
        self._spread = 2 * fresh - 1
        units = 2 + self._spread
        self._raw_size = _UNIT * units
        self._ids = Struct("17s15x" * units)
        self._digests = Struct("64s" * units)
        self._sizes = Struct(">64x" + "I28x" * self._spread)
        self._templates = [
            _IMAGE + b",".join([_LAYER] * count) + b']%b,"createdAt":"%b"}'
            for count in range(units + 1)
        ]
        self._shared: Callable[[int, int], _Layers] = lru_cache(16_384)(self._make_shared)
        self._stack: Callable[[int], _Layers] = lru_cache(2048)(self._make_stack)
        self._own: Callable[[int, int, int], _Layers] = lru_cache(16_384)(self._make_own)

    def raw(self, repository: Repository, index: int) -> bytes:
        """The random bytes of one image; the first 32 are its digest."""
        key = b"%d|image|%d|%d" % (self._seed, repository.index, index)
        return shake_128(key).digest(self._raw_size)

    def times(self, repository: Repository, index: int) -> tuple[int, int]:
        """When the image was created and last modified, in nanoseconds since 1970."""
        raw = self.raw(repository, index)
        second, nanosecond = self._created(repository, index, raw)
        created = second * 1_000_000_000 + nanosecond
        return created, created + int.from_bytes(raw[40:43]) % (30 * DAY) * 1_000_000_000

    def text(self, repository: Repository, index: int) -> bytes:
        """The image as the API's compact JSON, without oddities."""
        raw = self.raw(repository, index)
        ids = self._ids.unpack(raw.translate(ID_TABLE))
        digests = self._digests.unpack(hexlify(raw))
        name = repository.name.encode()
        tags = _tags_text(self._tags(repository, index, raw))
        created = timestamp(*self._created(repository, index, raw)).encode()
        if raw[46] < self._index:
            return _INDEX % (ids[0], name, digests[0], tags, created)
        count = 1 + raw[48] % self._spread
        shared = self._shared(repository.index, index // _BLOCK)
        habits = repository.habits
        largest = (habits and habits.layer_bytes) or self._layer_bytes
        # As in _size, which is not called here for speed.
        sizes = [
            (value * largest >> 32) >> (value & 15) | 1 for value in self._sizes.unpack(raw)[:count]
        ]
        own = [*zip(ids[2:], digests[2:], sizes, strict=False)]
        total, config = shared.size + sum(sizes), 1024 + raw[47] * 37
        if raw[49] < self._repeat:
            own.append(own[-1])
            total += 0 if self._counts_once else sizes[-1]
        return self._templates[len(own)] % (
            ids[0], name, digests[0], total + config if self._counts_config else total,
            ids[1], digests[1], config,
            shared.text, *chain.from_iterable(own), tags, created,
        )  # fmt: skip

    def _created(self, repository: Repository, index: int, raw: bytes) -> tuple[int, int]:
        """The time of the push: seconds since 1970, and nanoseconds; it grows with the number."""
        if self._same_times > 1:
            index -= index % self._same_times
            raw = self.raw(repository, index)
        begin, span = _EPOCH, _SPAN
        if repository.habits is not None:
            begin, span = repository.habits.begin, repository.habits.span
        step = max(1, span // max(1, repository.settled))
        if index >= repository.settled:
            # After all that were there, however long it took for those to come.
            begin, index = self._newest, index - repository.settled
            step = self._days * DAY // max(1, repository.pushed)
        second = begin + index * step + raw[33] * (step - 1) // 255
        unit = _FRACTIONS[raw[34] & 3]
        if not unit:
            return second, 0
        # The last digit is never 0, or the text would have fewer digits than its resolution.
        value = int.from_bytes(raw[35:39]) % (1_000_000_000 // unit)
        return second, (value - value % 10 + 1 + raw[39] % 9) * unit

    def _tags(self, repository: Repository, index: int, raw: bytes) -> list[str]:
        """The image's tags; no other image of the repository has any of them."""
        tags = ["latest"] if index == repository.end - 1 else []
        habits = repository.habits
        untagged = self._untagged if habits is None else habits.untagged
        if raw[43] < (self._untagged if untagged is None else untagged):
            return tags
        tags.append(f"v1.{index // 20}.{index % 20}")
        kind = raw[44] & 15
        if kind < 5:
            tags.append(f"sha-{raw[:4].hex()}-{index}")
        elif kind == 5:
            tags.append(f"_Feature.Branch__{'x' * (raw[45] & 63)}-{index}")
        return tags

    def _make_shared(self, repository: int, block: int) -> _Layers:
        """The layers that a block of images of a repository share, lowest first."""
        index = block * _BLOCK
        at = seeded_int(self._seed, f"stack|{repository}|{index // _BASE_AGE}")
        # The product of two draws: a few base images are popular, most are not.
        draws = (at % self._base_stacks) * ((at >> 32) % self._base_stacks)
        layers = [self._stack(draws // self._base_stacks)]
        layers += [
            self._own(repository, slot, index // period)
            for slot, period in enumerate(self._periods)
        ]
        return _joined(layers)

    def _make_stack(self, stack: int) -> _Layers:
        """The layers of one base image."""
        spread = max(1, 2 * self._base - 1)
        depth = min(self._base, 1) + seeded_int(self._seed, f"depth|{stack}") % spread
        return _joined([self._blob(f"base|{stack}|{level}") for level in range(depth)])

    def _make_own(self, repository: int, slot: int, version: int) -> _Layers:
        return self._blob(f"own|{repository}|{slot}|{version}")

    def _blob(self, key: str) -> _Layers:
        raw = shake_128(f"{self._seed}|{key}".encode()).digest(_UNIT)
        suffix, digest = raw.translate(ID_TABLE)[:17], hexlify(raw)
        # Proto3 omits a size of 0.
        if raw[4] < 8:
            return _Layers(_EMPTY_LAYER % (suffix, digest) + b",", 0)
        size = self._size(int.from_bytes(raw[:4])) | 1
        return _Layers(_LAYER % (suffix, digest, size) + b",", size)

    def _size(self, value: int) -> int:
        """A layer's size in bytes from 32 random bits: most are small, few are large."""
        return (value * self._layer_bytes >> 32) >> (value & 15)


def _joined(layers: list[_Layers]) -> _Layers:
    return _Layers(b"".join(each.text for each in layers), sum(each.size for each in layers))


def _tags_text(tags: list[str]) -> bytes:
    return b',"tags":["%b"]' % '","'.join(tags).encode() if tags else b""

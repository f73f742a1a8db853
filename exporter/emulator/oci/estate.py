"""The registry's content: repositories, their tags, and what each tag and digest stands for.

Content is made when it is asked for and kept while there is room, so a million tags fit in memory.
For a repository there are kept: its tags, and of each digest, which push it is of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from exporter.emulator.values import apportion, zipf

from .manifests import Blob, Manifest
from .pushes import Push, Pushes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shape import Shape

PREPARED = 20_000
"""Content of registries with no more tags than this is prepared before the first call."""
_PUSHES_KEPT = 20_000
_DIGESTS_KEPT = 2_000_000
_TEAMS = (
    "analytics", "billing", "catalog", "checkout", "core", "data", "edge", "fraud", "growth",
    "identity", "infra", "logistics", "maps", "media", "ml", "mobile", "payments", "platform",
)  # fmt: skip
_SERVICES = (
    "api", "auth", "backend", "batch", "cache", "consumer", "cron", "exporter", "frontend",
    "gateway", "importer", "indexer", "ingest", "migrations", "notifier", "proxy", "queue",
)  # fmt: skip
_FAMILY = ("pg/a", "pg/a/b", "pg/a-b")
"""Names whose order by path differs from that by bytes."""


class Repository:
    """One repository: its tags in the order of the registry, and its content by digest."""

    def __init__(self, name: str, pushes: Pushes, estate: Estate) -> None:
        self.name = name
        self._pushes = pushes
        self._estate = estate
        self._by_tag: dict[str, tuple[int, int, int]] = {}
        self._by_digest: dict[int, tuple[int, int]] = {}
        for number, version, push in self._each():
            at = (number, version)
            for place, manifest in enumerate(push.manifests):
                self._by_digest[_short(manifest.digest)] = at
                for tag in manifest.tags:
                    self._by_tag[tag] = (*at, place)
                for blob in _blobs_read(manifest):
                    self._by_digest[_short(blob.digest)] = at

    def __len__(self) -> int:
        return len(self._by_digest) + len(self._by_tag)

    @cached_property
    def tags(self) -> list[str]:
        """All tags, sorted."""
        return sorted(self._by_tag)

    def tagged(self, tag: str) -> Manifest | None:
        """The manifest that a tag names."""
        at = self._by_tag.get(tag)
        if at is None:
            return None
        return self._push(at[0], at[1]).manifests[at[2]]

    def manifest(self, digest: str) -> Manifest | None:
        """The manifest of a digest."""
        at = self._by_digest.get(_short(digest))
        manifests = self._push(*at).manifests if at is not None else ()
        return next((one for one in manifests if one.digest == digest), None)

    def blob(self, digest: str) -> Blob | None:
        """The blob of a digest, if it is one that a reader may ask for: a config, an old layer."""
        at = self._by_digest.get(_short(digest))
        manifests = self._push(*at).manifests if at is not None else ()
        blobs = (blob for one in manifests for blob in _blobs_read(one))
        return next((blob for blob in blobs if blob.digest == digest), None)

    def manifests(self) -> Iterator[Manifest]:
        """Every manifest, each once, with and without tags."""
        return (manifest for _, _, push in self._each() for manifest in push.manifests)

    def _each(self) -> Iterator[tuple[int, int, Push]]:
        for number in range(self._pushes.count + self._pushes.passed):
            for version in range(self._pushes.versions(number)):
                yield number, version, self._push(number, version)

    def _push(self, number: int, version: int) -> Push:
        return self._estate.push(self.name, self._pushes, number, version)


class Estate:
    """Everything that a shape describes."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._pushes = dict(_laid_out(shape))
        self._open: OrderedDict[str, Repository] = OrderedDict()
        self._kept: OrderedDict[tuple[str, int, int], Push] = OrderedDict()
        self._size = 0

    @cached_property
    def names(self) -> list[str]:
        """The repositories in the order of distribution: by each part of their path."""
        return sorted(self._pushes, key=_by_path)

    def prepare(self) -> None:
        """Make what there is room for, so that the first calls are as fast as the others."""
        if self.shape.tags <= PREPARED:
            for name in self._pushes:
                self.repository(name)

    def repository(self, name: str) -> Repository | None:
        """The repository of a name."""
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        if name not in self._pushes:
            return None
        opened = self._open[name] = Repository(name, self._pushes[name], self)
        self._size += len(opened)
        while self._size > _DIGESTS_KEPT and len(self._open) > 1:
            self._size -= len(self._open.popitem(last=False)[1])
        return opened

    def push(self, name: str, pushes: Pushes, number: int, version: int) -> Push:
        """The content of a push, made now or kept from before."""
        key = (name, number, version)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = pushes.push(number, version)
            if len(self._kept) > _PUSHES_KEPT:
                self._kept.popitem(last=False)
        return kept


def after(names: list[str], last: str) -> int:
    """Where a sorted list goes on after a name, which need not be in it."""
    at = bisect_left(names, last)
    return at + 1 if at < len(names) and names[at] == last else at


def after_path(names: list[str], last: str) -> int:
    """The same for the list of repositories, whose order is by each part of a path."""
    at = bisect_left(names, _by_path(last), key=_by_path)
    return at + 1 if at < len(names) and names[at] == last else at


def _by_path(name: str) -> list[str]:
    return name.split("/")


def _laid_out(shape: Shape) -> Iterator[tuple[str, Pushes]]:
    """Each repository with its pushes; the empty ones have none."""
    names = _names(shape)
    chance = Random(f"{shape.seed}|layout")  # noqa: S311 - an estate is not a secret
    empty = set(chance.sample(names, round(shape.empty * len(names))))
    full = [name for name in names if name not in empty]
    chance.shuffle(full)
    weights = zipf(len(full), shape.skew)
    tags = apportion(shape.tags, weights)
    indexes = apportion(shape.indexes, [float(count) for count in tags] or weights)
    counts = dict(zip(full, zip(tags, indexes, strict=True), strict=True))
    for name in names:
        count, several = counts.get(name, (0, 0))
        second = round(count * min(shape.second_tags, 0.5))
        yield name, Pushes(shape, name, count - second, second, several)


def _names(shape: Shape) -> list[str]:
    names = list(_FAMILY) if shape.repositories > 2 * len(_FAMILY) else []
    chance = Random(f"{shape.seed}|names")  # noqa: S311 - an estate is not a secret
    for number in range(shape.repositories - len(names)):
        name = f"{chance.choice(_TEAMS)}/{chance.choice(_SERVICES)}"
        names.append(f"{name}-{number}" if number % 5 else f"{name}/v{number}")
    return names


def _blobs_read(manifest: Manifest) -> Iterator[Blob]:
    """The blobs of a manifest that a reader may ask for."""
    if manifest.config is not None and manifest.config.content is not None:
        yield manifest.config
    if manifest.facts["kind"] == "schema1":
        yield from manifest.layers


def _short(digest: str) -> int:
    """The first 64 bits of a digest, which suffice to find it; others are no key."""
    _, _, value = digest.partition(":")
    try:
        return int(value[:16], 16)
    except ValueError:
        return -1

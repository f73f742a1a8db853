"""The layout of an estate: its tree, and the numbers of its repositories and images.

Everything is numbered so that every scope is one range: the registries of a folder are together in
the order of their ids, a registry's repositories in the order of their names, and a repository's
images in the order of their creation. Only the number of an image is kept.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .images import Repository
from .lifelike import habits, passed, shared_out
from .naming import name_resource, repository_names
from .values import apportion, seeded_int, vendor_id, zipf

if TYPE_CHECKING:
    from .shape import Shape

Resource = dict[str, Any]
"""A cloud, a folder, a registry, a repository or an image as the API's JSON shows it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One node of the tree, with the numbers of everything below it.

    Attributes:
        id: Its id; for a repository, its full name.
        parents: The ids of the nodes above it, the nearest first.
        resource: The node as the API shows it.
        folders: Numbers of the folders in it.
        registries: Numbers of the registries in it.
        repositories: Numbers of the repositories in it, unlisted ones included.
        images: Numbers of the images in it.

    """

    id: str
    parents: tuple[str, ...]
    resource: Resource
    folders: range
    registries: range
    repositories: range
    images: range


class _Mark(NamedTuple):
    """The number of each kind so far."""

    folders: int
    registries: int
    repositories: int
    images: int


class Layout:
    """The tree of one shape, built from the top down."""

    def __init__(self, shape: Shape) -> None:
        self.clouds: list[Scope] = []
        self.folders: list[Scope] = []
        self.registries: list[Scope] = []
        self.repositories: list[Repository] = []
        self.scopes: dict[str, Scope] = {}
        self._shape = shape
        self.images = 0
        chosen = random.Random(shape.seed)  # noqa: S311 - an estate is not a secret
        images = _shares(shape.images, shape.registries, shape.registry_skew, shape, chosen)
        repositories = _larger_shares(shape.repositories, images, shape.registry_skew / 2)
        self._contents = list(zip(repositories, images, strict=True))
        registries = _shares(shape.registries, shape.folders, 0.3, shape, chosen)
        folders = apportion(shape.folders, [1.0] * shape.clouds)
        organization = vendor_id("bpf", shape.seed, "organization")
        for number, count in enumerate(folders):
            cloud_id = vendor_id("b1g", shape.seed, f"cloud|{number}")
            mark = self._mark()
            for _ in range(count):
                self._add_folder(cloud_id, registries[len(self.folders)])
            resource = name_resource("cloud", number, shape, cloud_id)
            resource["organizationId"] = organization
            self.clouds.append(self._scope((cloud_id,), resource, mark))

    def _mark(self) -> _Mark:
        return _Mark(len(self.folders), len(self.registries), len(self.repositories), self.images)

    def _scope(self, ids: tuple[str, ...], resource: Resource, mark: _Mark) -> Scope:
        """The scope with everything that was added since the mark; `ids` begins with its own."""
        now = self._mark()
        ranges = (range(start, stop) for start, stop in zip(mark, now, strict=True))
        folders, registries, repositories, images = ranges
        scope = Scope(ids[0], ids[1:], resource, folders, registries, repositories, images)
        self.scopes[scope.id] = scope
        return scope

    def _add_folder(self, cloud_id: str, registries: int) -> None:
        """Add the next folder, with this number of registries in it."""
        shape, mark, number = self._shape, self._mark(), len(self.folders)
        folder_id = vendor_id("b1g", shape.seed, f"folder|{number}")
        numbers = range(mark.registries, mark.registries + registries)
        ids = sorted(vendor_id("crp", shape.seed, f"registry|{each}") for each in numbers)
        for position, registry_id in enumerate(ids):
            self._add_registry((registry_id, folder_id, cloud_id), (number, position))
        resource = name_resource("folder", number, shape, folder_id) | {"cloudId": cloud_id}
        self.folders.append(self._scope((folder_id, cloud_id), resource, mark))

    def _add_registry(self, ids: tuple[str, str, str], place: tuple[int, int]) -> None:
        """Add the next registry with its repositories; `ids` are its own and those above.

        `place` is the number of its folder, and its own number in it.
        """
        shape, mark, number = self._shape, self._mark(), len(self.registries)
        count, images = self._contents[number]
        chosen = random.Random(seeded_int(shape.seed, ids[0]))  # noqa: S311 - no secret
        shares = _shares(images, count, shape.repository_skew, shape, chosen)
        names = repository_names(shape, ids[0], count)
        if shape.lifelike:
            shares = shared_out(names, shares)
        # The quirk hits a repository in the middle: scans start and end at the others.
        hidden = count // 2 if shape.quirks.unlisted_repository and count > 2 else -1
        for position, (name, share) in enumerate(zip(names, shares, strict=True)):
            deleted, pushed = passed(shape, name, share)
            repository = Repository(
                index=len(self.repositories),
                id=vendor_id("crp", shape.seed, f"repository|{name}"),
                name=name,
                first=self.images,
                count=share - deleted + pushed,
                listed=position != hidden or not share,
                habits=habits(shape, name) if shape.lifelike else None,
                deleted=deleted,
                pushed=pushed,
            )
            self.repositories.append(repository)
            self.images += repository.count
        resource = name_resource("registry", number, shape, ids[0], place) | {"folderId": ids[1]}
        self.registries.append(self._scope(ids, resource, mark))


def _shares(total: int, count: int, skew: float, shape: Shape, chosen: random.Random) -> list[int]:
    """Divide `total` over `count` places, unevenly and in no order; some stay empty."""
    empty = max(1, int(count * shape.empty_share)) if shape.empty_share and count > 2 else 0
    shares = apportion(total, zipf(count - empty, skew)) + [0] * empty
    chosen.shuffle(shares)
    return shares


def _larger_shares(total: int, sizes: list[int], skew: float) -> list[int]:
    """Divide `total` unevenly: more for places of larger size, 0 for a size of 0."""
    filled = sorted((at for at, size in enumerate(sizes) if size), key=lambda at: -sizes[at])
    # An estate without images may still have repositories.
    filled = filled or list(range(len(sizes)))
    shares = [0] * len(sizes)
    for place, share in zip(filled, apportion(total, zipf(len(filled), skew)), strict=True):
        shares[place] = share
    return shares

"""The estate: clouds, folders, registries, repositories and where each one's images are.

Everything is laid out so that every scope is one range of numbers: the registries of a folder stand
together in the order of their ids, a registry's repositories in the order of their names, and a
repository's images in the order of their creation. The image's number is all that is kept of it.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from .images import ImageMaker, Repository
from .naming import name_resource, repository_names
from .oddities import odd_image, odd_resource, odd_time
from .shape import Quirks
from .values import apportion, seeded_int, vendor_id, zipf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shape import Shape

Resource = dict[str, Any]
"""A cloud, a folder, a registry, a repository or an image as the API's JSON shows it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One node of the tree, with the numbers of what is below it.

    Attributes:
        id: Its id; for a repository, its full name.
        parents: The ids of the nodes above it, the nearest first.
        resource: The node as the API shows it.
        folders: Numbers of the folders in it; likewise the others.
        registries: Numbers of its registries.
        repositories: Numbers of its repositories.
        images: Numbers of its images.

    """

    id: str
    parents: tuple[str, ...]
    resource: Resource
    folders: range
    registries: range
    repositories: range
    images: range


class Estate:
    """All that a shape describes. Immutable; images are computed when asked for."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.scopes: dict[str, Scope] = {}
        self._maker = ImageMaker(shape)
        self._is_odd = shape.quirks != Quirks()
        self._repositories: list[Repository] = []
        self._by_name: dict[str, int] = {}
        self._clouds: list[Scope] = []
        self._folders: list[Scope] = []
        self._registries: list[Scope] = []
        self._build()
        self._starts = [repository.first for repository in self._repositories]

    def clouds(self) -> Iterator[Resource]:
        """Every cloud."""
        return (scope.resource for scope in self._clouds)

    def folders(self, cloud_id: str | None = None) -> Iterator[Resource]:
        """Every folder, or those of one cloud."""
        numbers = self.scopes[cloud_id].folders if cloud_id else range(len(self._folders))
        return (self._folders[number].resource for number in numbers)

    def registries(self, folder_id: str | None = None) -> Iterator[Resource]:
        """Every registry, or those of one folder."""
        numbers = self.scopes[folder_id].registries if folder_id else range(len(self._registries))
        return (self._registries[number].resource for number in numbers)

    def repositories(self, registry_id: str | None = None) -> Iterator[Resource]:
        """Every repository that a list names, or those of one registry, by name."""
        return (
            self.repository_resource(number)
            for number in self.repository_numbers(registry_id)
            if self._repositories[number].listed
        )

    def unlisted_repositories(self) -> Iterator[str]:
        """Full names of the repositories that no list names, though they have images."""
        return (each.name for each in self._repositories if not each.listed)

    def images(self, registry_id: str | None = None) -> Iterator[Resource]:
        """Every image, or those of one registry, by repository name and then as pushed."""
        return (orjson.loads(self.image_text(number)) for number in self.image_numbers(registry_id))

    def image_numbers(self, registry_id: str | None = None) -> range:
        """The numbers of all images, or of one registry's."""
        return self.scopes[registry_id].images if registry_id else range(self.shape.images)

    def repository_numbers(self, registry_id: str | None = None) -> range:
        """The numbers of all repositories, or of one registry's, unlisted ones included."""
        if registry_id:
            return self.scopes[registry_id].repositories
        return range(len(self._repositories))

    def image_text(self, number: int) -> bytes:
        """One image as the API's compact JSON."""
        repository, index = self.place(number)
        text = self._maker.text(repository, index)
        return odd_image(text, repository, index, self.shape) if self._is_odd else text

    def place(self, number: int) -> tuple[Repository, int]:
        """The image's repository, and its index there."""
        # Empty repositories begin where their successor does: the last one is the one meant.
        repository = self._repositories[bisect_right(self._starts, number) - 1]
        return repository, number - repository.first

    def image_times(self, number: int) -> tuple[int, int]:
        """When the image was created and last modified, in nanoseconds since 1970."""
        repository, index = self.place(number)
        created, modified = self._maker.times(repository, index)
        odd = odd_time(repository, index, self.shape)
        return (created if odd is None else odd), modified

    def image_digest(self, number: int) -> bytes:
        """The image's digest: 32 bytes."""
        return self._maker.raw(*self.place(number))[:32]

    def repository(self, number: int) -> Repository:
        """A repository by its number."""
        return self._repositories[number]

    def repository_resource(self, number: int) -> Resource:
        """A repository as the API shows it."""
        repository = self._repositories[number]
        return odd_resource("repository", repository.index, self.shape) | {
            "name": repository.name,
            "id": repository.id,
        }

    def find(self, scope_id: str) -> Scope | None:
        """The cloud, folder or registry of that id or the repository of that full name."""
        if scope_id in self.scopes:
            return self.scopes[scope_id]
        number = self._by_name.get(scope_id)
        if number is None:
            return None
        repository = self._repositories[number]
        registry = self.scopes[repository.name.partition("/")[0]]
        return Scope(
            id=repository.name,
            parents=(registry.id, *registry.parents),
            resource=self.repository_resource(number),
            folders=range(0),
            registries=range(0),
            repositories=range(number, number + 1),
            images=range(repository.first, repository.first + repository.count),
        )

    def _build(self) -> None:
        """Lay the estate out from the top down; see the module's first lines for the order."""
        shape = self.shape
        chosen = random.Random(shape.seed)  # noqa: S311 - an estate is not a secret
        images = _shares(shape.images, shape.registries, shape.registry_skew, shape, chosen)
        repositories = _shares(
            shape.repositories, shape.registries, 0.5, shape, chosen, wanted=images
        )
        registries = _shares(shape.registries, shape.folders, 0.3, shape, chosen)
        organization = vendor_id("bpf", shape.seed, "organization")
        folder_shares = apportion(shape.folders, [1.0] * shape.clouds)
        registry_number = 0
        for cloud_number, folder_count in enumerate(folder_shares):
            cloud_id = vendor_id("b1g", shape.seed, f"cloud|{cloud_number}")
            first = (len(self._folders), registry_number, *self._ends())
            for _ in range(folder_count):
                registry_number = self._add_folder(
                    cloud_id, registry_number, registries, images, repositories
                )
            resource = name_resource("cloud", cloud_number, shape, cloud_id) | {
                "organizationId": organization
            }
            scope = Scope(
                id=cloud_id,
                parents=(),
                resource=resource,
                folders=range(first[0], len(self._folders)),
                registries=range(first[1], registry_number),
                repositories=range(first[2], len(self._repositories)),
                images=range(first[3], self._ends()[1]),
            )
            self._clouds.append(scope)
            self.scopes[cloud_id] = scope

    def _ends(self) -> tuple[int, int]:
        """Where the next repository and the next image will be."""
        if not self._repositories:
            return 0, 0
        last = self._repositories[-1]
        return len(self._repositories), last.first + last.count

    def _add_folder(
        self,
        cloud_id: str,
        registry_number: int,
        registries: list[int],
        images: list[int],
        repositories: list[int],
    ) -> int:
        """Add the next folder with its registries; return the number of the next registry."""
        shape = self.shape
        number = len(self._folders)
        folder_id = vendor_id("b1g", shape.seed, f"folder|{number}")
        first = (registry_number, *self._ends())
        ids = sorted(
            vendor_id("crp", shape.seed, f"registry|{registry_number + each}")
            for each in range(registries[number])
        )
        for registry_id in ids:
            parents = (folder_id, cloud_id)
            start = self._ends()
            count = repositories[registry_number]
            self._add_repositories(registry_id, count, images[registry_number])
            resource = name_resource("registry", registry_number, shape, registry_id)
            scope = Scope(
                id=registry_id,
                parents=parents,
                resource=resource | {"folderId": folder_id},
                folders=range(0),
                registries=range(registry_number, registry_number + 1),
                repositories=range(start[0], self._ends()[0]),
                images=range(start[1], self._ends()[1]),
            )
            self._registries.append(scope)
            self.scopes[registry_id] = scope
            registry_number += 1
        resource = name_resource("folder", number, shape, folder_id) | {"cloudId": cloud_id}
        folder = Scope(
            id=folder_id,
            parents=(cloud_id,),
            resource=resource,
            folders=range(number, number + 1),
            registries=range(first[0], registry_number),
            repositories=range(first[1], self._ends()[0]),
            images=range(first[2], self._ends()[1]),
        )
        self._folders.append(folder)
        self.scopes[folder_id] = folder
        return registry_number

    def _add_repositories(self, registry_id: str, count: int, images: int) -> None:
        """Add one registry's repositories, by name."""
        shape = self.shape
        chosen = random.Random(seeded_int(shape.seed, registry_id))  # noqa: S311 - no secret
        shares = _shares(images, count, shape.repository_skew, shape, chosen)
        names = repository_names(shape.seed, registry_id, count)
        # The quirk takes a repository in the middle: the ends are where walks start and stop.
        hidden = count // 2 if shape.quirks.unlisted_repository and count > 2 else -1
        for position, (name, share) in enumerate(zip(names, shares, strict=True)):
            number, first = self._ends()
            self._by_name[name] = number
            self._repositories.append(
                Repository(
                    index=number,
                    id=vendor_id("crp", shape.seed, f"repository|{name}"),
                    name=name,
                    first=first,
                    count=share,
                    listed=position != hidden or not share,
                )
            )


def _shares(
    total: int,
    count: int,
    skew: float,
    shape: Shape,
    chosen: random.Random,
    *,
    wanted: list[int] | None = None,
) -> list[int]:
    """Divide `total` over `count` places, skewed, in no order, some left empty.

    With `wanted`, the places whose number there is 0 stay empty, the larger get the more.
    """
    if wanted is None:
        empty = max(1, int(count * shape.empty_share)) if shape.empty_share and count > 2 else 0
        shares = apportion(total, zipf(count - empty, skew)) + [0] * empty
        chosen.shuffle(shares)
        return shares
    filled = sorted((place for place in range(count) if wanted[place]), key=lambda at: -wanted[at])
    # An estate without images can have repositories all the same.
    filled = filled or list(range(count))
    shares = [0] * count
    for place, share in zip(filled, apportion(total, zipf(len(filled), skew)), strict=True):
        shares[place] = share
    return shares

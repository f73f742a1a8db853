"""The estate: all clouds, folders, registries, repositories and images of a shape, to look up."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import orjson

from .images import ImageMaker
from .layout import Layout, Resource, Scope
from .oddities import odd_image, odd_resource, odd_time
from .shape import Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .images import Repository
    from .shape import Shape


class Estate:
    """Everything that a shape describes. Immutable; images are computed when they are asked for."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._layout = Layout(shape)
        self._maker = ImageMaker(shape)
        self._is_odd = shape.quirks != Quirks()
        repositories = self._layout.repositories
        self._starts = [repository.first for repository in repositories]
        self._by_name = {repository.name: repository.index for repository in repositories}

    def clouds(self) -> Iterator[Resource]:
        """Every cloud."""
        return (scope.resource for scope in self._layout.clouds)

    def folders(self, cloud_id: str | None = None) -> Iterator[Resource]:
        """Every folder, or those of one cloud."""
        folders = self._layout.folders
        if cloud_id:
            folders = [folders[number] for number in self._layout.scopes[cloud_id].folders]
        return (scope.resource for scope in folders)

    def registries(self, folder_id: str | None = None) -> Iterator[Resource]:
        """Every registry, or those of one folder."""
        registries = self._layout.registries
        if folder_id:
            registries = [
                registries[number] for number in self._layout.scopes[folder_id].registries
            ]
        return (scope.resource for scope in registries)

    def repositories(self, registry_id: str | None = None) -> Iterator[Resource]:
        """Every repository on the lists, or those of one registry, by name."""
        return (
            self.repository_resource(number)
            for number in self.repository_numbers(registry_id)
            if self._layout.repositories[number].listed
        )

    def unlisted_repositories(self) -> Iterator[str]:
        """Full names of the repositories that are on no list, although they have images."""
        return (each.name for each in self._layout.repositories if not each.listed)

    def images(self, registry_id: str | None = None) -> Iterator[Resource]:
        """Every image, or those of one registry, by repository name and then as pushed."""
        return (orjson.loads(self.image_text(number)) for number in self.image_numbers(registry_id))

    def image_numbers(self, registry_id: str | None = None) -> range:
        """The numbers of all images, or of one registry's."""
        return (
            self._layout.scopes[registry_id].images if registry_id else range(self._layout.images)
        )

    def repository_numbers(self, registry_id: str | None = None) -> range:
        """The numbers of all repositories, or of one registry's, unlisted ones included."""
        if registry_id:
            return self._layout.scopes[registry_id].repositories
        return range(len(self._layout.repositories))

    def image_text(self, number: int) -> bytes:
        """One image as the API's compact JSON."""
        repository, index = self.place(number)
        text = self._maker.text(repository, index)
        return odd_image(text, repository, index, self.shape) if self._is_odd else text

    def place(self, number: int) -> tuple[Repository, int]:
        """The image's repository, and its index there."""
        # Empty repositories begin where the next one begins: the last of them has the image.
        repository = self._layout.repositories[bisect_right(self._starts, number) - 1]
        return repository, number - repository.first + repository.deleted

    def repository_images(self, number: int) -> range:
        """The numbers of all images of the image's repository."""
        repository, _ = self.place(number)
        return range(repository.first, repository.first + repository.count)

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
        return self._layout.repositories[number]

    def repository_resource(self, number: int) -> Resource:
        """A repository as the API shows it."""
        repository = self._layout.repositories[number]
        return odd_resource("repository", repository.index, self.shape) | {
            "name": repository.name,
            "id": repository.id,
        }

    def find(self, scope_id: str) -> Scope | None:
        """The cloud, folder or registry of that id or the repository of that full name."""
        if scope_id in self._layout.scopes:
            return self._layout.scopes[scope_id]
        number = self._by_name.get(scope_id)
        if number is None:
            return None
        repository = self._layout.repositories[number]
        registry = self._layout.scopes[repository.name.partition("/")[0]]
        return Scope(
            id=repository.name,
            parents=(registry.id, *registry.parents),
            resource=self.repository_resource(number),
            folders=range(0),
            registries=range(0),
            repositories=range(number, number + 1),
            images=range(repository.first, repository.first + repository.count),
        )

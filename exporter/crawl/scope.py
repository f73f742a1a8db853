"""The user's scope: which clouds, folders, registries and repositories a run is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

from exporter.settings import Scope

_MAGIC = re.compile(r"[*?\[]")


class Wanted:
    """Answers, for each thing that is met, whether the user's scope holds it."""

    def __init__(self, scope: Scope) -> None:
        self.organization_id = scope.organization_id
        self.clouds = frozenset(scope.clouds)
        self.folders = frozenset(scope.folders)
        self.registries = frozenset(scope.registries)
        self._include = _matcher(scope.repositories.include)
        self._exclude = _matcher(scope.repositories.exclude)
        self.all_repositories = scope.repositories.include == ["*"] and not (
            scope.repositories.exclude
        )
        patterns = scope.repositories.include
        self.exact_repositories = (
            None if any(_MAGIC.search(pattern) for pattern in patterns) else frozenset(patterns)
        )
        """The paths that are named without a wildcard, where all of them are."""

    def named_in(self, registry_id: str, listed: Iterable[str]) -> set[str] | None:
        """Return the full names to list one by one in a registry; None if a pattern chooses.

        They are those that its list names. In a registry that is named itself, what is named is
        asked for even where the list does not name it.
        """
        if self.exact_repositories is None:
            return None
        names = set(listed)
        if registry_id in self.registries:
            paths = (f"{registry_id}/{path}" for path in self.exact_repositories)
            names.update(filter(self.repository, paths))
        return names

    def cloud(self, cloud_id: str) -> bool:
        """Say whether a cloud may hold something that is wanted."""
        return not self.clouds or cloud_id in self.clouds

    def folder(self, folder_id: str) -> bool:
        """Say whether a folder may hold something that is wanted."""
        return not self.folders or folder_id in self.folders

    def registry(self, registry_id: str) -> bool:
        """Say whether a registry is wanted."""
        return not self.registries or registry_id in self.registries

    def repository(self, name: str) -> bool:
        """Say whether a repository is wanted, by its full name `<registry_id>/<path>`."""
        path = name.partition("/")[2]
        return self._include(path) and not self._exclude(path)


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    expressions = [re.compile(translate(pattern)) for pattern in patterns]
    return lambda path: any(expression.match(path) for expression in expressions)

"""The user's scope: the clouds, folders, registries and repositories of a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from exporter.settings import Scope
from exporter.sources.patterns import Patterns
from exporter.tables.listings import Listing

_MAGIC = re.compile(r"[*?\[]")


class ScopeFilter:
    """Decides for each resource whether it is in the user's scope."""

    def __init__(self, scope: Scope) -> None:
        self.organization_id = scope.organization_id
        self.clouds = frozenset(scope.clouds)
        self.folders = frozenset(scope.folders)
        self.registries = frozenset(scope.registries)
        self.excluded: Mapping[Listing, frozenset[str]] = {
            "clouds": frozenset(scope.exclude.clouds),
            "folders": frozenset(scope.exclude.folders),
            "registries": frozenset(scope.exclude.registries),
        }
        self.patterns = Patterns(scope.repositories)
        self.all_repositories = scope.repositories.include == ["*"] and not (
            scope.repositories.exclude
        )
        patterns = scope.repositories.include
        self.exact_repositories = (
            None if any(_MAGIC.search(pattern) for pattern in patterns) else frozenset(patterns)
        )
        """The paths, if all of them are named without a wildcard."""

    def named_in(self, registry_id: str, listed: Iterable[str]) -> set[str] | None:
        """Return the full names to list one by one in a registry; None if a pattern chooses.

        They are those in the registry's list. If the user named the registry itself, they also
        include the named ones that the list lacks.
        """
        if self.exact_repositories is None:
            return None
        names = set(listed)
        if registry_id in self.registries:
            paths = (f"{registry_id}/{path}" for path in self.exact_repositories)
            names.update(filter(self.repository, paths))
        return names

    @property
    def named(self) -> Mapping[Listing, frozenset[str]]:
        """The ids that the user named, by level."""
        return {
            "clouds": self.clouds,
            "folders": self.folders,
            "registries": self.registries,
        }

    def left_out_by(self, level: Listing, id_: str) -> str | None:
        """Return the setting that leaves out a cloud, a folder or a registry; None if none does."""
        if id_ in self.excluded[level]:
            return f"scope.exclude.{level}"
        named = self.named[level]
        return f"scope.{level}" if named and id_ not in named else None

    def repository(self, name: str) -> bool:
        """Return whether a repository is in scope, by its full name `<registry_id>/<path>`."""
        return self.patterns.wants(name)

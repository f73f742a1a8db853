"""The repositories of one registry, as the API lists them: the parts that a split lists alone.

A split lists all of them. A page of the registry's own scan says nothing about the other images of
a repository on it: an image out of its place may be where no scan reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LISTABLE = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*"
)  # The form of `repositoryName` (`README.md`, List calls).


def listable(name: str) -> bool:
    """Return whether the API accepts a repository's name as `repositoryName`."""
    return _LISTABLE.fullmatch(name) is not None


class RepositoryPartition:
    """The listed repositories of one registry; `names` are sorted."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = tuple(sorted(set(names)))
        self._known = frozenset(self.names)
        self.is_listable = bool(self.names) and all(map(listable, self.names))
        """Whether there are any, and the API accepts the name of each."""

    def unlisted(self, names: Iterable[str]) -> list[str]:
        """Return the names that were not listed at first, sorted."""
        return sorted(set(names) - self._known)

"""Glob patterns on a repository's path: which repositories a scope takes in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate


class PathPatterns:
    """The patterns of `scope.repositories`, on the path after the registry.

    A repository is in scope if a pattern includes its path, and none excludes it. `include` has the
    compiled patterns by their texts.
    """

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        self.include = {one: re.compile(translate(one)) for one in include}
        self._exclude = [re.compile(translate(one)) for one in exclude]

    def match(self, name: str) -> bool:
        """Return whether a repository is in scope, by its full name `<registry_id>/<path>`."""
        path = name.partition("/")[2]
        return any(one.match(path) for one in self.include.values()) and not any(
            one.match(path) for one in self._exclude
        )

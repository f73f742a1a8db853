"""Which of the user's repository patterns have matched, and examples of paths to match."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.patterns import PathPatterns
from exporter.settings import Repositories

MOST_EXAMPLES = 3
"""Paths that are remembered as examples for messages."""


@dataclass(frozen=True)
class PatternsSeen:
    """What a run has seen of the repositories: the three attributes of `Patterns`."""

    unmatched: tuple[str, ...]
    examples: tuple[str, ...]
    chosen: bool


class Patterns:
    """The patterns of `scope.repositories`; `unmatched` are those that nothing has matched yet.

    They match a repository's path, which is its name without the registry in front. `examples` are
    some paths of the run; `chosen` says whether any repository was in scope.
    """

    def __init__(self, repositories: Repositories) -> None:
        self._paths = PathPatterns(repositories.include, repositories.exclude)
        self._unmatched = dict(self._paths.include)
        self.chosen = False
        self.examples: list[str] = []

    @property
    def unmatched(self) -> list[str]:
        """The patterns to include that have matched no repository, excluded ones among them."""
        return list(self._unmatched)

    def wants(self, name: str) -> bool:
        """Return whether a repository is in scope, by its full name `<registry_id>/<path>`."""
        return self._paths.match(name)

    @property
    def seen(self) -> PatternsSeen:
        """What was seen so far, for another run that lists more of the same scope."""
        return PatternsSeen(tuple(self._unmatched), tuple(self.examples), self.chosen)

    def take(self, seen: PatternsSeen) -> None:
        """Add what another run has seen."""
        for pattern in set(self._unmatched).difference(seen.unmatched):
            del self._unmatched[pattern]
        for path in seen.examples:
            if len(self.examples) < MOST_EXAMPLES and path not in self.examples:
                self.examples.append(path)
        self.chosen = self.chosen or seen.chosen

    def see(self, names: Iterable[str]) -> None:
        """Note existing repositories, by their full names."""
        if self.chosen and not self._unmatched:
            return
        for name in names:
            path = name.partition("/")[2]
            if len(self.examples) < MOST_EXAMPLES and path not in self.examples:
                self.examples.append(path)
            for pattern, expression in list(self._unmatched.items()):
                if expression.match(path):
                    del self._unmatched[pattern]
            self.chosen = self.chosen or self.wants(name)

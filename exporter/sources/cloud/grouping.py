"""Which registries are listed together: the small ones of a folder, if that saves calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.folder_listing import is_small, worth_joining


class Opens(Protocol):
    """Begins to list registries, or notes that they are to be listed."""

    def open(self, registry_id: str, parents: Parents, *, known: bool) -> None:
        """List a registry by itself; `known` if a list named it, so a 404 may mean it is gone."""
        ...

    def open_together(self, folder_id: str, registry_ids: Sequence[str], parents: Parents) -> None:
        """List some registries of a folder together."""
        ...

    def look(self, registry_id: str, parents: Parents, *, known: bool) -> None:
        """List the repositories of a registry, and no images: that shows whether it exists."""
        ...


class Grouping:
    """Decides for each registry that is met in its folder, and tells `opens`.

    `expected` are the images per registry in an earlier snapshot. Registries of which only some
    repositories are in scope (`joins` is false) are listed by themselves. `was_joined` says whether
    an earlier attempt listed a registry of a folder with others.
    """

    def __init__(
        self,
        opens: Opens,
        expected: Mapping[str, int],
        page_size: int,
        *,
        joins: bool,
        was_joined: Callable[[str, str], bool] = lambda _registry, _folder: False,
    ) -> None:
        self._opens = opens
        self._expected = expected
        self._page_size = page_size
        self._joins = joins
        self._was_joined = was_joined
        self._waiting: dict[str, list[str]] = {}

    def add(self, registry_id: str, parents: Parents) -> None:
        """Take a registry that was met in its folder; a small one waits for the folder's others."""
        folder_id = parents.folder_id or ""
        small = is_small(self._expected.get(registry_id), self._page_size)
        if self._joins and (small or self._was_joined(registry_id, folder_id)):
            self._waiting.setdefault(folder_id, []).append(registry_id)
        else:
            self._opens.open(registry_id, parents, known=True)

    def folder_listed(self, parents: Parents) -> None:
        """List the waiting registries of a folder: together, if that saves calls."""
        folder_id = parents.folder_id or ""
        waiting = self._waiting.pop(folder_id, [])
        joined = [one for one in waiting if self._was_joined(one, folder_id)]
        images = sum(self._expected.get(one, 0) for one in waiting)
        if not joined and worth_joining(len(waiting), images, self._page_size):
            joined = waiting
        if joined:
            self._opens.open_together(folder_id, joined, parents)
        together = frozenset(joined)
        for registry_id in waiting:
            if registry_id not in together:
                self._opens.open(registry_id, parents, known=True)

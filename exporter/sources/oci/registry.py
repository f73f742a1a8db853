"""One registry: the list of its repositories, and which of them is listed next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Rank, Task
from exporter.errors import ApiError
from exporter.http.types import Call, Received
from exporter.settings import OciRegistry
from exporter.settings.oci import HUB
from exporter.sources.base import Crawl
from exporter.sources.oci import harbor
from exporter.sources.oci.calls import Calls, Query
from exporter.sources.oci.lists import NamesTask, PageSizes
from exporter.sources.oci.paging import NamesPage, decode_catalog, first_query
from exporter.sources.oci.repository import RepositoryListing
from exporter.sources.oci.state import Registry
from exporter.sources.patterns import Patterns
from exporter.tables.listed import REPOSITORIES

NAMED_ONLY = "only the repositories that oci.registries names are listed"
_HUB_LIBRARY = "library/"


class RegistryListing:
    """Lists one registry; `settings` say how, and `wanted` which repositories."""

    def __init__(
        self,
        settings: OciRegistry,
        registry: Registry,
        crawl: Crawl,
        wanted: Patterns,
        *,
        most_open: int,
    ) -> None:
        self.registry_id = settings.host
        self.left_out = False
        """Whether a filter of the user left a repository out."""
        self.settings = settings
        self._registry = registry
        self._crawl = crawl
        self._wanted = wanted
        self._most_open = most_open
        self._entry = crawl.coverage.open("repositories", self.registry_id, known=False)
        self._waiting: deque[str] = deque()
        self._open: set[RepositoryListing] = set()
        self._lists = 0  # Those under way.
        self._error: ApiError | None = None
        self._names: list[str] = []
        self.is_listed = False
        self.not_found: list[str] = []
        """Repositories that are named, and not there."""

    @property
    def calls(self) -> Calls:
        """What makes the calls to it."""
        return self._registry.calls

    @property
    def is_harbor(self) -> bool:
        """Whether it is Harbor."""
        return self._registry.is_harbor

    @property
    def names(self) -> Sequence[str]:
        """The full names of the repositories in scope, as far as they are known."""
        return self._names

    @property
    def open_count(self) -> int:
        """How many repositories are under way."""
        return len(self._open)

    def start(self) -> None:
        """Begin to list the repositories, or take the ones that are named."""
        named = self.settings.repositories
        if named:
            self._take([self._full_path(name) for name in dict.fromkeys(named)])
            self.left_out = True
            self._entry.skip(NAMED_ONLY)
            self._ended(None)
            return
        if self._registry.is_harbor:
            self._list_projects()
        else:
            self._list(self._registry.calls.catalog, decode_catalog, self._found)

    def list_given(self, paths: Sequence[str]) -> None:
        """List these repositories, which another run has found; it has the list's entry."""
        self._take(paths)
        self.is_listed = True

    def waiting(self) -> list[str]:
        """Take the repositories that were found and not begun, for other runs to list."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    @property
    def list_entry(self) -> ListingStatus:
        """The entry of the list of repositories."""
        return self._entry

    def _list_projects(self) -> None:
        """List the projects of Harbor, and the repositories of each."""
        calls = self._registry.calls

        def found(projects: Sequence[str], junk: Sequence[str]) -> None:
            self._entry.lose(f"project {name}" for name in junk)
            for project in projects:
                call = partial(harbor.repositories_call, calls, project)
                self._list(call, harbor.decode_names, self._found, harbor.first_query)

        call = partial(harbor.projects_call, calls)
        self._list(call, harbor.decode_names, found, harbor.first_query)

    def _list(
        self,
        call: Callable[[Query], Call],
        decode: Callable[[Received, Query], NamesPage],
        found: Callable[[Sequence[str], Sequence[str]], None],
        first: Callable[[int | None], Query] = first_query,
    ) -> None:
        self._lists += 1
        task = NamesTask(
            self._crawl.client,
            self._crawl.pipeline,
            self._entry,
            call,
            decode,
            PageSizes(),
            found=lambda names, junk, _page: found(names, junk),
            ended=self._list_ended,
            rank=Rank.DISCOVERY,
            first=first,
        )
        self._crawl.scheduler.add(task)

    def _list_ended(self, error: ApiError | None) -> None:
        self._lists -= 1
        self._error = self._error or error
        if not self._lists:
            self._ended(self._error)

    def next_task(self) -> Task | None:
        """Return the first task of another repository, unless enough of them are open."""
        under_way = len(self._open) - self._registry.stalls.count
        if not self._waiting or under_way >= self._most_open:
            return None
        listing = RepositoryListing(
            self._registry,
            self._waiting.popleft(),
            known=not self.settings.repositories,
            ended=self._repository_ended,
        )
        self._open.add(listing)
        return listing.first_task()

    @property
    def is_stalled(self) -> bool:
        """Whether nothing is left to do here but what waits (`stalls.py`)."""
        is_over = self.is_listed and not self._waiting
        return is_over and len(self._open) == self._registry.stalls.count

    def go_on(self) -> None:
        """Let the repositories that wait go on."""
        self._registry.stalls.end()

    def row(self) -> dict[str, Any]:
        """Return the registry's row."""
        return {
            "registry_id": self.registry_id,
            "name": self.registry_id,
            "source": "oci",
            "flavor": "harbor" if self._registry.is_harbor else "distribution",
            "untagged_visible": self._registry.is_harbor,
        }

    def repositories(self) -> pa.Table:
        """Return the rows of the repositories in scope."""
        missing = set(self.not_found)
        names = [name for name in self._names if name not in missing]
        own = {"repository_id": names, "repository_name": names}
        own["registry_id"] = [self.registry_id] * len(names)
        columns = [
            pa.array(own.get(field.name, [None] * len(names)), field.type)
            for field in REPOSITORIES.schema
        ]
        return pa.Table.from_arrays(columns, schema=REPOSITORIES.schema)

    def _repository_ended(self, listing: RepositoryListing) -> None:
        self._open.discard(listing)
        if listing.is_missing:
            self.not_found.append(listing.name)

    def _found(self, names: Sequence[str], junk: Sequence[str]) -> None:
        if junk:
            self._entry.lose(f"repository {name}" for name in junk)
        self._take(names)

    def _take(self, paths: Sequence[str]) -> None:
        full = [f"{self.registry_id}/{path}" for path in paths]
        self._wanted.see(full)
        for path, name in zip(paths, full, strict=True):
            if self._wanted.wants(name):
                self._waiting.append(path)
                self._names.append(name)
            else:
                self.left_out = True

    def _ended(self, error: ApiError | None) -> None:
        self.is_listed = True
        if error is not None:
            self._entry.fail(error)
        elif self.left_out and self._entry.status is None:
            self._entry.skip("scope.repositories leaves some out")
        elif self._entry.status is None:
            self._entry.complete()

    def _full_path(self, name: str) -> str:
        is_short = self.registry_id == HUB and "/" not in name
        return _HUB_LIBRARY + name if is_short else name

"""Listings of small resources: clouds, folders, registries and repositories, as tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from exporter.crawl.coverage import ListingStatus
from exporter.crawl.task import Priority, Rank
from exporter.errors import ApiError
from exporter.http.types import Call
from exporter.sources.cloud.decode.resources import Parents, Resource, ResourcesPage
from exporter.sources.cloud.pages import Pages
from exporter.sources.cloud.paging import PageCursor
from exporter.sources.cloud.restarts import Restarts
from exporter.tables.bad_values import BAD_VALUES
from exporter.tables.listings import Listing
from exporter.tables.schemas import TABLES

DISCOVERY = Priority(Rank.DISCOVERY)


@dataclass(frozen=True)
class Endpoint:
    """The path that lists one kind of resource, and the parameter for its parent."""

    service: str
    path: str
    parameter: str
    parent: str


ENDPOINTS: Mapping[Listing, Endpoint] = {
    "clouds": Endpoint(
        "resource_manager", "/resource-manager/v1/clouds", "organizationId", "organization"
    ),
    "folders": Endpoint("resource_manager", "/resource-manager/v1/folders", "cloudId", "cloud"),
    "registries": Endpoint(
        "container_registry", "/container-registry/v1/registries", "folderId", "folder"
    ),
    "repositories": Endpoint(
        "container_registry", "/container-registry/v1/repositories", "registryId", "registry"
    ),
}


def listing_call(listing: Listing, parent_id: str | None) -> Call:
    """Return the first call of a listing; no parent for all clouds the token can see."""
    endpoint = ENDPOINTS[listing]
    params = ((endpoint.parameter, parent_id),) if parent_id is not None else ()
    scope = f"{listing} of {endpoint.parent} {parent_id}" if parent_id else f"{listing}"
    return Call(endpoint.service, endpoint.path, params, scope)


class ResourcesTask:
    """Lists one parent's resources, a page a step.

    With `staged`, the rows of the resources whose ids it accepts go to the parts as pages come.
    Without it, the caller handles the rows. `found` is called with every resource once, and `ended`
    at the end with the error that stopped the listing, or None. `attempt` distinguishes the pages
    of a listing that is made again.
    """

    has_prefetched = False

    def __init__(
        self,
        pages: Pages,
        entry: ListingStatus,
        call: Call,
        parents: Parents,
        page_size: int,
        *,
        found: Callable[[Resource], None],
        ended: Callable[[ApiError | None], None],
        staged: Callable[[str], bool] | None = None,
        attempt: int = 0,
        priority: Priority = DISCOVERY,
    ) -> None:
        self.priority = priority
        self._pages = pages
        self._entry = entry
        self._parents = parents
        self._found = found
        self._ended = ended
        self._staged = staged
        self._attempt = attempt
        self._restarts = Restarts()
        self._table = TABLES[entry.listing]
        self._cursor = PageCursor(call, page_size=page_size)
        self._seen: set[str] = set()

    async def run_one(self) -> bool:
        """Ask for the next page; return True while there is more."""
        call = self._cursor.call
        if call is None:
            return False
        self._entry.begin()
        try:
            page, calls = await self._pages.resources(
                call, self._attempt, self._table, self._parents, self._rows, self._cursor.check
            )
            items = len(page.resources) + len(page.lost)
            self._entry.page(calls=calls, items=items)
            self._entry.lose(page.lost)
            for one in page.resources:
                if one.id not in self._seen:
                    self._seen.add(one.id)
                    self._found(one)
            self._cursor.advance(page.next_token, items=items, sketch=page.sketch)
        except ApiError as error:
            self._entry.spent(error.calls)
            if error.shorter_page_may_do and self._cursor.shorten(error.reason):
                return True
            if self._restarts.may_help(self._cursor, error):
                self._attempt += 1
                self._cursor.restart()
                return True
            self._ended(error)
            return False
        if self._cursor.call is not None:
            return True
        self._ended(None)
        return False

    def _rows(self, page: ResourcesPage) -> Mapping[str, pa.Table]:
        staged = {} if self._staged is None else {self._table.name: page.rows(self._staged)}
        return {**staged, BAD_VALUES.name: page.bad_values}

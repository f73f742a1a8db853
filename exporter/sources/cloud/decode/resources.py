"""Pages of clouds, folders, registries and repositories, from bytes to rows.

These pages are small, and the next calls need their ids, so they become Python objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from exporter.sources.cloud.decode.lost import lost_item
from exporter.sources.cloud.decode.pages import read_object
from exporter.sources.cloud.decode.sketch import sketch_of
from exporter.sources.cloud.decode.values import Item
from exporter.tables.bad_values import bad_value, bad_values
from exporter.tables.columns import Table
from exporter.tables.listed import CLOUDS, FOLDERS, REGISTRIES, REPOSITORIES


@dataclass(frozen=True)
class Parents:
    """The parents of a listing's items: the ids that the listing was asked for with."""

    cloud_id: str | None = None
    folder_id: str | None = None


@dataclass(frozen=True)
class Resource:
    """One listed item: its id (a repository's full name) and its row, keyed by column."""

    id: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class ResourcesPage:
    """The items of one page in the API's order; `next_token` is empty on the last page.

    `bad_values` has a row for each item with a value that could not be read. `lost` describes each
    item that has no row, because it has no id; none of these is in `resources`. `doubt` is the
    reason to ask for the page again, empty for a sound page.
    """

    table: Table
    resources: tuple[Resource, ...]
    bad_values: pa.Table
    next_token: str
    lost: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def sketch(self) -> tuple[str, ...]:
        """A sketch that identifies the items (`sketch_of`)."""
        return sketch_of(one.id for one in self.resources)

    def rows(self, wanted: Callable[[str], bool] = lambda _: True) -> pa.Table:
        """Return the rows whose id `wanted` accepts, in the table's schema."""
        rows = [resource.row for resource in self.resources if wanted(resource.id)]
        return rows_to_arrow(rows, self.table)


def decode_resources(body: bytes, table: Table, parents: Parents, scope: str = "") -> ResourcesPage:
    """Decode one page of clouds, folders, registries or repositories; raises `PageError`.

    `scope` names the listing, for messages.
    """
    page = read_object(body, table.name)
    make, key = _ROWS[table.name], table.key[0]
    kind, doubt = _KINDS[table.name], page.doubt
    resources, problems, lost = [], [], []
    for fields in page.items:
        item = Item(fields)
        row = make(item, parents)
        name, wrong = row[key], item.misread("id", "name")
        if name:
            resources.append(Resource(name, row))
            if item.problem is not None:
                problems.append(bad_value(table.name, name, item.problem, row))
        else:
            wrong = wrong or f"has no {'name' if table is REPOSITORIES else 'id'}"
            known = item.text("id" if table is REPOSITORIES else "name") or ""
            item_lost = lost_item(kind, known, wrong, item.problem, scope or table.name, row)
            lost.append(item_lost.said)
            problems.append(item_lost.problem)
        doubt = doubt or (wrong and f"a {kind} {wrong}")
    rows = bad_values(problems)
    return ResourcesPage(table, tuple(resources), rows, page.next_token, tuple(lost), doubt)


def rows_to_arrow(rows: list[Mapping[str, Any]], table: Table) -> pa.Table:
    """Return rows, keyed by column, as Arrow; absent values are null."""
    columns = [
        pa.array([row.get(field.name) for row in rows], field.type) for field in table.schema
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def registry_of(repository_name: str) -> str:
    """Return the registry of a repository: the part of its name before the first slash.

    It is empty if the name has no slash.
    """
    return repository_name.partition("/")[0] if "/" in repository_name else ""


def _cloud(item: Item, _: Parents) -> dict[str, Any]:
    return {
        "cloud_id": item.text("id"),
        "name": item.text("name"),
        "description": item.text("description"),
        "organization_id": item.text("organizationId"),
        "labels": item.labels("labels"),
        "created_at": item.time("createdAt"),
    }


def _folder(item: Item, parents: Parents) -> dict[str, Any]:
    return {
        "folder_id": item.text("id"),
        "cloud_id": item.text("cloudId") or parents.cloud_id,
        "name": item.text("name"),
        "description": item.text("description"),
        "status": item.enum("status"),
        "labels": item.labels("labels"),
        "created_at": item.time("createdAt"),
    }


def _registry(item: Item, parents: Parents) -> dict[str, Any]:
    return {
        "registry_id": item.text("id"),
        "folder_id": item.text("folderId") or parents.folder_id,
        "cloud_id": parents.cloud_id,
        "name": item.text("name"),
        "status": item.enum("status"),
        "labels": item.labels("labels"),
        "created_at": item.time("createdAt"),
    }


def _repository(item: Item, parents: Parents) -> dict[str, Any]:
    name = item.text("name")
    return {
        "repository_id": item.text("id"),
        "repository_name": name,
        "registry_id": registry_of(name or "") or None,
        "folder_id": parents.folder_id,
        "cloud_id": parents.cloud_id,
    }


_KINDS: Mapping[str, str] = {
    CLOUDS.name: "cloud",
    FOLDERS.name: "folder",
    REGISTRIES.name: "registry",
    REPOSITORIES.name: "repository",
}
_ROWS: Mapping[str, Callable[[Item, Parents], dict[str, Any]]] = {
    CLOUDS.name: _cloud,
    FOLDERS.name: _folder,
    REGISTRIES.name: _registry,
    REPOSITORIES.name: _repository,
}

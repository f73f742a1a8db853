"""Pages of clouds, folders, registries and repositories, from bytes to rows.

These pages are small and their ids are needed to go on, so they go through Python objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from exporter.errors import PageError
from exporter.tables.pages import read_object
from exporter.tables.schemas import CLOUDS, FOLDERS, REGISTRIES, REPOSITORIES, Table
from exporter.tables.times import parse_times


@dataclass(frozen=True)
class Parents:
    """What a listing's items are in: the ids its caller asked with."""

    cloud_id: str | None = None
    folder_id: str | None = None


@dataclass(frozen=True)
class Resource:
    """One listed item: its id (a repository's full name) and its row, keyed by column."""

    id: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class ResourcesPage:
    """The items of one page in the API's order; `next_token` is empty on the last page."""

    table: Table
    resources: tuple[Resource, ...]
    next_token: str

    def rows(self, wanted: Callable[[str], bool] = lambda _: True) -> pa.Table:
        """Return the rows whose id `wanted` accepts, in the table's schema; raises `PageError`."""
        rows = [resource.row for resource in self.resources if wanted(resource.id)]
        return rows_to_arrow(rows, self.table)


def decode_resources(body: bytes, table: Table, parents: Parents) -> ResourcesPage:
    """Decode one page of clouds, folders, registries or repositories; raises `PageError`."""
    page = read_object(body, table.name)
    make = _ROWS[table.name]
    resources = []
    for item in page[table.name]:
        row = make(item, parents)
        name = row[table.key[0]]
        if not isinstance(name, str) or not name:
            raise PageError(f"an item of `{table.name}` has no {table.key[0]}")
        resources.append(Resource(name, row))
    decoded = ResourcesPage(table, tuple(resources), page["nextPageToken"])
    decoded.rows()  # Types are checked here, where the page can still be asked for again.
    return decoded


def rows_to_arrow(rows: list[Mapping[str, Any]], table: Table) -> pa.Table:
    """Return rows keyed by column as Arrow; times may be RFC 3339 texts. Raises `PageError`."""
    columns = []
    for field in table.schema:
        values = [row.get(field.name) for row in rows]
        try:
            if field.name == "created_at":
                columns.append(parse_times(pa.array(values, pa.string())))
            else:
                columns.append(pa.array(values, field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
            raise PageError(
                f"`{field.name}` of `{table.name}` has a value of a wrong type"
            ) from None
    return pa.Table.from_arrays(columns, schema=table.schema)


def registry_of(repository_name: str) -> str:
    """Return the registry of a repository: the part of its name before the first slash."""
    return repository_name.partition("/")[0]


def _labels(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    labels = item.get("labels") or {}
    if not isinstance(labels, dict):
        raise PageError("`labels` is not an object")
    return list(labels.items())


def _cloud(item: Mapping[str, Any], _: Parents) -> dict[str, Any]:
    return {
        "cloud_id": item.get("id"),
        "name": item.get("name"),
        "description": item.get("description"),
        "organization_id": item.get("organizationId"),
        "labels": _labels(item),
        "created_at": item.get("createdAt"),
    }


def _folder(item: Mapping[str, Any], parents: Parents) -> dict[str, Any]:
    return {
        "folder_id": item.get("id"),
        "cloud_id": item.get("cloudId") or parents.cloud_id,
        "name": item.get("name"),
        "description": item.get("description"),
        "status": item.get("status"),
        "labels": _labels(item),
        "created_at": item.get("createdAt"),
    }


def _registry(item: Mapping[str, Any], parents: Parents) -> dict[str, Any]:
    return {
        "registry_id": item.get("id"),
        "folder_id": item.get("folderId") or parents.folder_id,
        "cloud_id": parents.cloud_id,
        "name": item.get("name"),
        "status": item.get("status"),
        "labels": _labels(item),
        "created_at": item.get("createdAt"),
    }


def _repository(item: Mapping[str, Any], parents: Parents) -> dict[str, Any]:
    name = item.get("name")
    return {
        "repository_id": item.get("id"),
        "repository_name": name,
        "registry_id": registry_of(name) if isinstance(name, str) else None,
        "folder_id": parents.folder_id,
        "cloud_id": parents.cloud_id,
    }


_ROWS: Mapping[str, Callable[[Mapping[str, Any], Parents], dict[str, Any]]] = {
    CLOUDS.name: _cloud,
    FOLDERS.name: _folder,
    REGISTRIES.name: _registry,
    REPOSITORIES.name: _repository,
}

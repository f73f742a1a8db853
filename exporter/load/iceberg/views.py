"""The views `latest_<table>` in a catalog that holds views: an Iceberg REST catalog.

An Iceberg view has its SQL in several dialects. Engines read the one that they know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchViewError
from pyiceberg.view import View
from pyiceberg.view.metadata import SQLViewRepresentation, ViewRepresentation, ViewVersion

from exporter.load.iceberg.schemas import iceberg_schema
from exporter.load.tables import SNAPSHOT_ID, SNAPSHOTS, WarehouseTable, is_ours

_QUOTES: Mapping[str, str] = {"spark": "`", "trino": '"'}
"""How each dialect quotes a name."""


def holds_views(catalog: Catalog, namespace: tuple[str, ...]) -> bool:
    """Return whether a catalog holds views, and pyiceberg can make them there."""
    try:
        catalog.view_exists((*namespace, f"latest_{SNAPSHOTS.name}"))
    except NotImplementedError:
        return False
    return type(catalog).create_view is not Catalog.create_view


def find_view(catalog: Catalog, namespace: tuple[str, ...], name: str) -> View | None:
    """Return a view, None if there is none."""
    try:
        return catalog.load_view((*namespace, name))
    except NoSuchViewError:
        return None


def is_our_view(view: View) -> bool:
    """Return whether a load made a view."""
    return is_ours(view.metadata.properties.get("comment"))


def make_view(catalog: Catalog, namespace: tuple[str, ...], table: WarehouseTable) -> None:
    """Make a table's view, or make it anew if it is another one than this program's."""
    representations = [
        ViewRepresentation(
            SQLViewRepresentation(type="sql", sql=latest_sql(table, quote), dialect=dialect)
        )
        for dialect, quote in _QUOTES.items()
    ]
    there = find_view(catalog, namespace, table.view)
    if there is not None:
        if there.current_version().representations == representations:
            return
        catalog.drop_view((*namespace, table.view))
    catalog.create_view(
        (*namespace, table.view),
        iceberg_schema(table.schema),
        ViewVersion.model_validate(
            {
                "version-id": 1,
                "schema-id": 0,
                "representations": representations,
                "default-namespace": namespace,
            }
        ),
        properties={"comment": table.view_comment},
    )


def latest_sql(table: WarehouseTable, quote: str) -> str:
    """Return the SELECT of the rows of the newest complete snapshot (`tables.SNAPSHOTS`)."""
    name: Callable[[str], str] = lambda one: f"{quote}{one}{quote}"  # noqa: E731
    columns = ", ".join(name(column) for column in table.schema.names)
    snapshot_id, source, coverage = name(SNAPSHOT_ID), name("source"), name("coverage")
    return (  # Names of the data model, and no values.
        f"SELECT {columns} FROM {name(table.name)} WHERE {snapshot_id} = ("  # noqa: S608
        f"SELECT {snapshot_id} FROM {name(SNAPSHOTS.name)} WHERE {name('status')} = 'complete' "
        f'AND ({source} LIKE \'%"kind":"oci"%\' '
        f"OR {coverage} NOT LIKE '%\"vanished\":%' OR {coverage} LIKE '%\"vanished\":0%') "
        f"ORDER BY {name('finished_at')} DESC, {snapshot_id} DESC LIMIT 1)"
    )

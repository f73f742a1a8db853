"""The tables of a namespace of an Iceberg catalog."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Self

from pyiceberg.exceptions import (
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import Table

from exporter.errors import LoadError
from exporter.load.iceberg.place import Place
from exporter.load.iceberg.schemas import iceberg_schema, partitioned
from exporter.load.iceberg.table import LoadedIceberg
from exporter.load.iceberg.views import find_view, holds_views, is_our_view, make_view
from exporter.load.tables import SNAPSHOTS, WarehouseTable, is_ours

_PROPERTIES = {
    # Each load makes versions of each table; without these, their metadata files stay for ever.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.parquet.compression-codec": "zstd",
}


class IcebergLake:
    """See `exporter.load.lake.Lake`; with `look_only`, nothing is locked or created."""

    def __init__(self, place: Place, *, look_only: bool) -> None:
        self.name = place.name
        self._place = place
        self._look_only = look_only

    def __enter__(self) -> Self:
        if not self._look_only:
            self._place.lock()
            try:
                self.find(SNAPSHOTS.name)
            except BaseException:
                self._place.unlock()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._place.unlock()
        self._place.catalog.close()

    def find(self, name: str) -> LoadedIceberg | None:
        """See `Lake`."""
        with self._place.errors(f"open the table {name} in"):
            try:
                table = self._place.catalog.load_table((*self._place.namespace, name))
            except (NoSuchTableError, NoSuchNamespaceError):
                return None
        fields = [field.name for field in table.spec().fields]
        if not is_ours(table.properties.get("comment")) or fields != ["snapshot_id"]:
            raise LoadError(
                f"The name {name} in {self.name} is taken by a table that no load made: rename "
                "it, or load into another namespace."
            )
        return self._opened(name, table)

    def names(self) -> list[str]:
        """See `Lake`."""
        with self._place.errors("list the tables of"):
            found = self._place.catalog.list_tables(self._place.namespace)
        return [name for *_, name in found if self._is_ours(name)]

    def create(self, table: WarehouseTable) -> LoadedIceberg:
        """See `Lake`; the namespace too, if it is missing."""
        catalog, namespace = self._place.catalog, self._place.namespace
        schema = iceberg_schema(table.schema)
        properties = {**_PROPERTIES, "comment": table.comment}
        if table.name == SNAPSHOTS.name:
            # A commit must not be repeated on top of another one; see `exporter.load.lake`.
            properties["commit.retry.num-retries"] = "0"
        with self._place.errors(f"create the table {table.name} in"):
            try:
                if not catalog.namespace_exists(namespace):
                    catalog.create_namespace(namespace)
            except NamespaceAlreadyExistsError:
                pass
            try:
                made = catalog.create_table(
                    (*namespace, table.name),
                    schema,
                    partition_spec=partitioned(schema),
                    properties=properties,
                )
            except TableAlreadyExistsError:
                made = None
        if made is not None:
            return self._opened(table.name, made)
        found = self.find(table.name)
        if found is None:
            raise LoadError(f"The table {table.name} of {self.name} went away: run again.")
        return found

    def check_views(self, tables: Collection[WarehouseTable]) -> None:
        """See `Lake`."""
        catalog, namespace = self._place.catalog, self._place.namespace
        with self._place.errors("list the views of"):
            if not holds_views(catalog, namespace):
                return
            for table in tables:
                view = find_view(catalog, namespace, table.view)
                is_table = view is None and catalog.table_exists((*namespace, table.view))
                if is_table or (view is not None and not is_our_view(view)):
                    raise LoadError(
                        f"The name {table.view} in {self.name} is taken by a table or a view that "
                        "no load made: rename it, or load into another namespace."
                    )

    def make_views(self, tables: Collection[WarehouseTable]) -> None:
        """See `Lake`."""
        catalog, namespace = self._place.catalog, self._place.namespace
        with self._place.errors("create the views of"):
            if holds_views(catalog, namespace):
                for table in tables:
                    make_view(catalog, namespace, table)

    def _opened(self, name: str, table: Table) -> LoadedIceberg:
        if name == SNAPSHOTS.name and not self._look_only:
            self._place.lock_files(table)
        return LoadedIceberg(self._place, name, table)

    def _is_ours(self, name: str) -> bool:
        try:
            return self.find(name) is not None
        except LoadError:
            return False

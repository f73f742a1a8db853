"""Iceberg and Delta tables as readers see them, in a folder or in a bucket.

A Delta table's log is read as the protocol says, its files by PyArrow. An Iceberg table's
metadata is read by pyiceberg, its files by polars. Both without the program's code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import NoSuchTableError

from tests.load.published import Row

SCHEMA = "registry_inventory"


class Lake(ABC):
    """Tables of a load below `folder`, empty when a test begins."""

    folder: Path

    @property
    @abstractmethod
    def load(self) -> dict[str, Any]:
        """The section `load` of the settings."""

    @abstractmethod
    def table(self, name: str) -> pa.Table | None:
        """Return all rows of a table, whether or not `snapshots` names them; None without one."""

    @abstractmethod
    def data_files(self, name: str) -> set[Path]:
        """Return the data files of a table that lie in its folder, used or not."""

    @abstractmethod
    def comments(self, name: str) -> dict[str, str]:
        """Return what columns mean, by column, and what the table holds, by ``""``."""

    @abstractmethod
    def function(self, name: str) -> str:
        """Return the function of ClickHouse that reads a table in a folder."""

    @abstractmethod
    def keep_nothing(self, name: str) -> None:
        """Let a table keep no old version, as its owner does."""

    @abstractmethod
    def make_foreign(self, name: str) -> None:
        """Make a table of this name with one column, as somebody else."""

    def ask_clickhouse(self, query: str) -> list[Any]:
        """Return the one row of a query; ClickHouse reads only below its own folder."""
        code = "import chdb, sys; print(chdb.query(sys.argv[1], 'JSONCompactEachRow'))"
        line = [sys.executable, "-c", code, query]
        done = subprocess.run(line, cwd=self.folder, check=True, capture_output=True, text=True)
        return list(json.loads(done.stdout))


@dataclass
class DeltaLake(Lake):
    """Delta tables in a folder."""

    folder: Path
    schema: str = SCHEMA

    @property
    def load(self) -> dict[str, Any]:
        return {"to": f"delta:{self.folder}"}

    def table(self, name: str) -> pa.Table | None:
        root = self.folder / self.schema / name
        log = sorted((root / "_delta_log").glob("*.json"))
        if not log:
            return None
        assert not [*(root / "_delta_log").glob("*.checkpoint*")]
        files: dict[str, dict[str, str]] = {}
        columns: pa.Schema = pa.schema([])
        for line in (line for path in log for line in path.read_text().splitlines()):
            action = json.loads(line)
            if "add" in action:
                files[action["add"]["path"]] = action["add"]["partitionValues"]
            if "remove" in action:
                del files[action["remove"]["path"]]
            if "metaData" in action:
                columns = _arrow(json.loads(action["metaData"]["schemaString"]))
        tables = [columns.empty_table()]
        for path, partition in files.items():
            part = pq.ParquetFile(root / path).read()
            assert "snapshot_id" not in part.column_names
            tables.append(_whole(part, partition, columns))
        return pa.concat_tables(tables)

    def data_files(self, name: str) -> set[Path]:
        return {*(self.folder / self.schema / name).rglob("*.parquet")}

    def comments(self, name: str) -> dict[str, str]:
        table = DeltaTable(self.folder / self.schema / name)
        columns = {one.name: str(one.metadata["comment"]) for one in table.schema().fields}
        return columns | {"": table.metadata().description}

    def function(self, name: str) -> str:
        return f"deltaLakeLocal('{self.folder / self.schema / name}')"

    def keep_nothing(self, name: str) -> None:
        DeltaTable(self.folder / self.schema / name).alter.set_table_properties(
            {"delta.deletedFileRetentionDuration": "interval 0 seconds"}
        )

    def make_foreign(self, name: str) -> None:
        DeltaTable.create(self.folder / self.schema / name, pa.schema([("x", pa.int64())]))


@dataclass
class IcebergLake(Lake):
    """Iceberg tables with files in a folder, in a catalog of SQLite."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return {
            "type": "sql",
            "uri": f"sqlite:///{self.folder}/catalog.db",
            "warehouse": f"file://{self.folder}/tables",
            **self.more,
        }

    @property
    def load(self) -> dict[str, Any]:
        return {"to": "iceberg:lake/inventory", "iceberg": self.options}

    @property
    def catalog(self) -> Catalog:
        return load_catalog("lake", **self.options)

    def table(self, name: str) -> pa.Table | None:
        with self.catalog as catalog:
            try:
                table = catalog.load_table(("inventory", name))
            except NoSuchTableError:
                return None
            content = pl.scan_iceberg(table, reader_override="native").collect().to_arrow()
            return content.cast(_small(content.schema))

    def data_files(self, name: str) -> set[Path]:
        return {*(self.folder / "tables" / "inventory" / name).rglob("*.parquet")}

    def comments(self, name: str) -> dict[str, str]:
        with self.catalog as catalog:
            table = catalog.load_table(("inventory", name))
        columns = {one.name: str(one.doc) for one in table.schema().fields}
        return columns | {"": table.properties["comment"]}

    def function(self, name: str) -> str:
        return f"icebergLocal('{self.folder}/tables/inventory/{name}')"

    def keep_nothing(self, name: str) -> None:
        with (
            self.catalog as catalog,
            catalog.load_table(("inventory", name)).transaction() as transaction,
        ):
            transaction.set_properties({"history.expire.max-snapshot-age-ms": "0"})

    def make_foreign(self, name: str) -> None:
        with self.catalog as catalog:
            catalog.create_namespace_if_not_exists("inventory")
            catalog.create_table(("inventory", name), pa.schema([("x", pa.int64())]))


def rows(lake: Lake, name: str, snapshot_id: str) -> list[Row]:
    """Return a table's rows of a snapshot as a reader finds them, who joins `snapshots`."""
    return joined(lake.table(name), lake.table("snapshots"), snapshot_id)


def joined(table: pa.Table | None, snapshots: pa.Table | None, snapshot_id: str) -> list[Row]:
    """Return the rows of a snapshot in a table, none if `snapshots` does not name it."""
    if table is None or snapshots is None:
        return []
    if snapshot_id not in snapshots.column("snapshot_id").to_pylist():
        return []
    maps = [one.name for one in table.schema if pa.types.is_map(one.type)]
    chosen = table.filter(pc.field("snapshot_id") == snapshot_id)
    return [
        row | {one: None if row[one] is None else dict(row[one]) for one in maps}
        for row in chosen.to_pylist()
    ]


def _whole(part: pa.Table, partition: Mapping[str, str], columns: pa.Schema) -> pa.Table:
    length = len(part)
    return pa.table(
        [
            pa.array([partition[one.name]] * length, one.type)
            if one.name in partition
            else part.column(one.name)
            if one.name in part.column_names
            else pa.nulls(length, one.type)
            for one in columns
        ],
        schema=columns,
    )


_DELTA: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def _arrow(struct: Mapping[str, Any]) -> pa.Schema:
    """Return a Delta schema in Arrow's words."""

    def type_of(one: Any) -> pa.DataType:
        if isinstance(one, str):
            return _DELTA[one]
        if one["type"] == "array":
            return pa.list_(type_of(one["elementType"]))
        return pa.map_(type_of(one["keyType"]), type_of(one["valueType"]))

    return pa.schema(
        [
            pa.field(one["name"], type_of(one["type"]), True, one["metadata"])
            for one in struct["fields"]
        ]
    )


def _small(schema: pa.Schema) -> pa.Schema:
    """Return a schema of polars without its large and its view types."""

    def small(type_: pa.DataType) -> pa.DataType:
        if pa.types.is_map(type_):
            return pa.map_(small(type_.key_type), small(type_.item_type))
        if pa.types.is_list(type_) or pa.types.is_large_list(type_):
            return pa.list_(small(type_.value_type))
        is_text = pa.types.is_large_string(type_) or pa.types.is_string_view(type_)
        return pa.string() if is_text else type_

    return pa.schema([one.with_type(small(one.type)) for one in schema])

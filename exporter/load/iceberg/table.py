"""One Iceberg table: its files are written here, and committed through pyiceberg.

Pyiceberg writes partitioned tables only from rows that are all in memory, so `parts` writes the
files, with the field ids that Iceberg reads columns by. A commit replaces the files of a partition:
its own files, not the rows that a filter finds in them, so that nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

import pyarrow as pa
from pyiceberg.expressions import In
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import Table

from exporter.errors import LoadError
from exporter.load.file_names import PartNames
from exporter.load.iceberg.place import Place
from exporter.load.iceberg.schemas import arrow_schema, iceberg_schema, with_field_ids
from exporter.load.iceberg.upkeep import expire, left_over
from exporter.load.lake import ChangedError
from exporter.load.parts import OpenPart, Part, write_parts
from exporter.load.tables import SNAPSHOT_ID

_ATTEMPTS = 10


class LoadedIceberg:
    """An Iceberg table of ours; see `exporter.load.lake.LakeTable`."""

    def __init__(self, place: Place, name: str, table: Table) -> None:
        self._place = place
        self._name = name
        self._table = table

    @property
    def schema(self) -> pa.Schema:
        """See `LakeTable`."""
        return arrow_schema(self._table.schema())

    def add_columns(self, columns: Sequence[pa.Field]) -> None:
        """See `LakeTable`."""

        def add() -> None:
            there = self._table.schema().column_names
            new = iceberg_schema(columns)
            with self._table.update_schema() as update:
                for field in new.fields:
                    if field.name not in there:
                        update.add_column(field.name, field.field_type, doc=field.doc)

        self._commit("add columns to", add)

    def write(
        self, snapshot_id: str, rows: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> list[Part]:
        """See `LakeTable`."""
        names, key = PartNames(), self._key(snapshot_id)
        locations = self._table.location_provider()

        @contextmanager
        def open_part(number: int) -> Iterator[OpenPart]:
            path = locations.new_data_location(names(number), key)
            with (
                self._place.os_errors(f"write {path} of"),
                self._table.io.new_output(path).create(overwrite=True) as file,
            ):
                yield OpenPart(path, cast("BinaryIO", file))

        columns = with_field_ids(schema, self._table.schema())
        return write_parts(rows, columns, open_part, self._table.io.delete)

    def discard(self, parts: Collection[Part]) -> None:
        """See `LakeTable`."""
        for part in parts:
            with suppress(Exception):
                self._table.io.delete(part.path)

    def replace(
        self, ids: Collection[str], parts: Sequence[Part], version: object = None
    ) -> object:
        """See `LakeTable`."""

        def commit() -> None:
            if version is not None and self._version() != version:
                raise ChangedError
            with (
                self._table.transaction() as transaction,
                transaction.update_snapshot().overwrite() as overwrite,
            ):
                if ids:
                    of_ids = In(SNAPSHOT_ID, set(ids))  # type: ignore[call-arg, arg-type]
                    overwrite.delete_by_predicate(of_ids)
                    for task in self._table.scan(row_filter=of_ids).plan_files():
                        overwrite.delete_data_file(task.file)
                for part in parts:
                    overwrite.append_data_file(self._data_file(part, *ids))

        self._commit("replace rows of", commit, again=version is None)
        return self._version()

    def read(self, columns: Sequence[str]) -> pa.Table:
        """See `LakeTable`."""
        with self._place.errors(f"read the table {self._name} in"):
            return self._table.scan(selected_fields=tuple(columns)).to_arrow()

    def snapshot_ids(self) -> set[str]:
        """See `LakeTable`."""
        with self._place.errors(f"read the table {self._name} in"):
            self._table.refresh()
            return {str(task.file.partition[0]) for task in self._table.scan().plan_files()}

    def tidy(self) -> None:
        """See `LakeTable`; the table's own properties say how long it keeps old versions."""
        exclusive, doing = self._place.is_exclusive, f"tidy the table {self._name} in"
        with self._place.errors(doing), suppress(ChangedError):
            files = self._place.data_files(self._table)
            gone = [one.path for one in left_over(self._table, files, is_exclusive=exclusive)]
            for path in (*gone, *expire(self._table)):
                with suppress(FileNotFoundError):
                    self._place.delete(self._table, path)

    def _version(self) -> int | None:
        current = self._table.current_snapshot()
        return None if current is None else current.snapshot_id

    def _key(self, snapshot_id: str) -> PartitionKey:
        spec, schema = self._table.spec(), self._table.schema()
        return PartitionKey([PartitionFieldValue(spec.fields[0], snapshot_id)], spec, schema)

    def _data_file(self, part: Part, snapshot_id: str) -> DataFile:
        schema, properties = self._table.schema(), self._table.properties
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=part.footer,
            stats_columns=compute_statistics_plan(schema, properties),
            parquet_column_mapping=parquet_path_to_id_mapping(schema),
        )
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=part.path,
            file_format=FileFormat.PARQUET,
            partition=self._key(snapshot_id).partition,
            file_size_in_bytes=part.bytes,
            sort_order_id=None,
            spec_id=self._table.spec().spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )

    def _commit(self, doing: str, commit: Callable[[], None], *, again: bool = True) -> None:
        """Commit to the newest version; `again`, as often as another commit comes first."""
        for _ in range(_ATTEMPTS if again else 1):
            try:
                with self._place.errors(f"{doing} the table {self._name} in"):
                    self._table.refresh()
                    commit()
                    self._table.refresh()
                    return
            except ChangedError:
                if not again:
                    raise
        raise LoadError(
            f"Cannot {doing} the table {self._name} in {self._place.name}: other programs change "
            "it all the time; run again when they have finished."
        )

"""The columns of an Iceberg table: from the data model's types, to them, and with field ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

import pyarrow as pa
from pyiceberg.io.pyarrow import pyarrow_to_schema, schema_to_pyarrow
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.transforms import IdentityTransform

from exporter.load.tables import SNAPSHOT_ID, meaning, plain_type

_FIELD_ID = b"PARQUET:field_id"


def iceberg_schema(columns: Iterable[pa.Field]) -> Schema:
    """Return columns as Iceberg has them, with new field ids and with their meanings."""
    numbers = count(1)
    fields = []
    for one in columns:
        field = _with_ids(one, one.name, lambda _path: next(numbers))
        doc = {"doc": meaning(one)} if meaning(one) else {}
        fields.append(field.with_metadata({**field.metadata, **doc}))
    return assign_fresh_schema_ids(pyarrow_to_schema(pa.schema(fields)))


def partitioned(schema: Schema) -> PartitionSpec:
    """Return the partitioning of a table: by its snapshot."""
    source = schema.find_field(SNAPSHOT_ID).field_id
    return PartitionSpec(
        PartitionField(
            source_id=source, field_id=1000, transform=IdentityTransform(), name=SNAPSHOT_ID
        )
    )


def arrow_schema(schema: Schema) -> pa.Schema:
    """Return a table's columns with the types of the data model."""
    return pa.schema(
        [pa.field(field.name, plain_type(field.type)) for field in schema_to_pyarrow(schema)]
    )


def with_field_ids(columns: pa.Schema, schema: Schema) -> pa.Schema:
    """Return columns with the ids that a table's schema gives them, for a Parquet file."""
    ids: Callable[[str], int] = lambda path: schema.find_field(path).field_id  # noqa: E731
    return pa.schema([_with_ids(one, one.name, ids) for one in columns])


def _with_ids(field: pa.Field, path: str, id_of: Callable[[str], int]) -> pa.Field:
    """Return a field with ids in its metadata; `path` is what Iceberg names it by."""
    number = {_FIELD_ID: str(id_of(path)).encode()}
    type_ = field.type

    def inner(one: pa.Field, name: str) -> pa.Field:
        return _with_ids(one.with_name(name), f"{path}.{name}", id_of)

    if pa.types.is_map(type_):
        type_ = pa.map_(inner(type_.key_field, "key"), inner(type_.item_field, "value"))
    elif pa.types.is_list(type_):
        type_ = pa.list_(inner(type_.value_field, "element"))
    elif pa.types.is_struct(type_):
        type_ = pa.struct([inner(one, one.name) for one in type_])
    return pa.field(field.name, type_, field.nullable, number)

"""Parents of rows that were written before their parents were known.

A registry that the user named may be listed before its folder and cloud are known, or without them.
A resumed run may find them later, while the pages of an earlier attempt come from staging.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.derive.dropping import rewrite
from exporter.staging.layout import staged_parts
from exporter.staging.parquet import output_errors

_PARENTS = ("folder_id", "cloud_id")
_BELOW = ("repositories", "images")


def fill_parents(staging: Path) -> None:
    """Fill in the parents of staged repositories and images from the staged registries.

    Only parts without some of them are read and written again. Raises `OutputError`.
    """
    with output_errors(staging):
        registries = pa.concat_tables(
            # A `key=value` in the output's path must not become a column.
            pq.read_table(path, columns=["registry_id", *_PARENTS], partitioning=None)
            for path in staged_parts(staging, "registries")
        ).combine_chunks()
        if not any(registries[name].null_count < len(registries) for name in _PARENTS):
            return
        for table in _BELOW:
            for path in staged_parts(staging, table):
                if _lacks_parents(path):
                    rewrite(staging, table, path, partial(_filled, registries))


def _lacks_parents(path: Path) -> bool:
    metadata = pq.read_metadata(path)
    columns = [metadata.schema.names.index(name) for name in _PARENTS]
    statistics = (
        metadata.row_group(group).column(column).statistics
        for group in range(metadata.num_row_groups)
        for column in columns
    )
    return any(each is None or each.null_count != 0 for each in statistics)


def _filled(registries: pa.Table, batch: pa.RecordBatch, _start: int) -> pa.RecordBatch:
    places = pc.index_in(batch["registry_id"], value_set=registries["registry_id"])
    for name in _PARENTS:
        learned = registries[name].take(places).combine_chunks()
        number = batch.schema.get_field_index(name)
        batch = batch.set_column(number, name, pc.coalesce(batch[name], learned))
    return batch

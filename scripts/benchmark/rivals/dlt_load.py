"""dlt into PostgreSQL, set up for speed: Arrow batches, loaded from CSV by COPY.

Its CSV has no lists, so they and the maps become JSON first. A resource for each table, as its
documentation shows for Arrow data ("Load Arrow tables or Pandas").
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.rivals.files import read_load_task


def main() -> None:
    """Run the pipeline: extract, normalize, load."""
    task = read_load_task()
    dlt.config["runtime.dlthub_telemetry"] = False
    dlt.config["runtime.log_level"] = "CRITICAL"
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            pipeline_name="registry",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(task.url),
            dataset_name="registry",
        )
        resources = [dlt.resource(_batches(files), name=name) for name, files in task.files.items()]
        pipeline.run(resources, loader_file_format="csv").raise_on_failed_jobs()


def _batches(files: list[Path]) -> Iterator[pa.Table]:
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(65_536):
            columns = [_flat(column) for column in batch.columns]
            yield pa.table(columns, names=batch.schema.names)


def _flat(column: pa.Array) -> Any:
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if not pa.types.is_nested(column.type):
        return column
    texts = [None if one is None else orjson.dumps(one).decode() for one in column.to_pylist()]
    return pa.array(texts, pa.string())


if __name__ == "__main__":
    main()

"""Tables and formats that tasks write, each part by the writers of one machine.

As for listed tables, an attempt writes into a folder of its own, and returns what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from exporter.spark.jobs import Jobs
from exporter.spark.listing import check_reached, new_attempt
from exporter.staging.layout import StagedFile
from exporter.staging.ndjson import write_ndjson
from exporter.staging.parquet import Parts, output_errors
from exporter.tables.schemas import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_WRITTEN = "place int, number int, path string, rows long"


def write_rows(rows: DataFrame, table: str, folder: Path) -> list[StagedFile]:
    """Write the rows of a derived table below `folder`, and return its parts in their order.

    A task writes the rows of one of Spark's partitions. Raises Spark's errors.
    """
    written = rows.mapInArrow(partial(_write, table, folder), _WRITTEN).collect()
    return [
        StagedFile(table, "parquet", Path(one.path), one.rows)
        for one in sorted(written, key=lambda one: (one.place, one.number))
    ]


def _write(table: str, folder: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write a partition's rows as parts, and yield their places; in an executor."""
    from pyspark import TaskContext  # noqa: PLC0415 - an extra

    context = TaskContext.get()
    place = 0 if context is None else context.partitionId()
    schema = TABLES[table].schema
    attempt = folder / new_attempt()
    finished: list[StagedFile] = []
    check_reached(folder)
    with output_errors(folder), Parts(attempt, {}) as parts:
        for batch in batches:
            parts.append({table: pa.Table.from_batches([batch]).cast(schema)})
            if parts.are_large:
                finished += parts.close()
        finished += parts.close()
    told = [
        {"place": place, "number": number, "path": str(part.path), "rows": part.rows}
        for number, part in enumerate(finished)
    ]
    yield pa.RecordBatch.from_pylist(
        told,
        pa.schema(
            [
                ("place", pa.int32()),
                ("number", pa.int32()),
                ("path", pa.string()),
                ("rows", pa.int64()),
            ]
        ),
    )


@dataclass(frozen=True)
class NdjsonTask:
    """Writes one Parquet part again, as NDJSON, below `folder`."""

    folder: Path

    def __call__(self, part: StagedFile) -> list[StagedFile]:
        """Return the parts of an attempt."""
        check_reached(self.folder)
        return write_ndjson([part.path], TABLES[part.table], self.folder / new_attempt())


def write_again(jobs: Jobs, parts: Sequence[StagedFile], folder: Path) -> list[StagedFile]:
    """Write Parquet parts as NDJSON, and return the files in the same order.

    Raises `OutputError`, and `ExporterError` if a task fails for good.
    """
    outcome = jobs.run(NdjsonTask(folder), parts)
    outcome.refuse_failed()
    return [file for number in range(len(parts)) for file in outcome.results[number]]

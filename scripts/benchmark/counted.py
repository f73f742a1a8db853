"""Counts a contender's rows: `python -m benchmark.counted IMAGES LAYERS ID_COLUMN`.

It is a program of its own, so that the measuring process does not load PyArrow. IMAGES and LAYERS
are Parquet files, or folders with such files.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def count(images: Path, layers: Path, id_column: str) -> dict[str, int | str]:
    """Count the rows of both tables, with a digest of all image ids.

    The result has the images of the largest repository too, if there is a column of repository
    names.
    """
    ids, names = [], []
    for path in files(images):
        columns = set(pq.read_schema(path).names) & {id_column, "repository_name"}
        table = pq.read_table(path, columns=sorted(columns), partitioning=None)
        ids += table.column(id_column).cast(pa.string()).chunks
        if "repository_name" in columns:
            names += table.column("repository_name").cast(pa.string()).chunks
    all_ids = pa.chunked_array(ids, pa.string())
    ordered = all_ids.take(pc.sort_indices(all_ids))
    digest = hashlib.sha256(b"\n".join(text.encode() for text in ordered.to_pylist()))
    repositories = pc.value_counts(pa.chunked_array(names, pa.string()))
    return {
        "images": len(all_ids),
        "layers": sum(pq.read_metadata(path).num_rows for path in files(layers)),
        "ids": digest.hexdigest(),
        "largest_repository": pc.max(repositories.field("counts")).as_py() or 0,
    }


def files(place: Path) -> list[Path]:
    """Return the Parquet files in a folder and below, or the file itself."""
    return [place] if place.is_file() else sorted(place.rglob("*.parquet"))


if __name__ == "__main__":
    counts = count(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    sys.stdout.write(orjson.dumps(counts).decode() + "\n")

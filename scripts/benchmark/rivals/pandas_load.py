"""What a person writes with pandas: read a table's Parquet, and `to_sql` it, table by table."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import JSONB

from benchmark.rivals.files import read_load_task


def main() -> None:
    """Load every table in one transaction."""
    task = read_load_task()
    engine = create_engine(task.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for name, files in task.files.items():
            rows = pq.read_table(files, partitioning=None).to_pylist()
            frame = pd.DataFrame(rows)
            nested = {
                column: JSONB
                for column in frame.columns
                if frame[column].map(lambda one: isinstance(one, list)).any()
            }
            frame.to_sql(name, connection, index=False, chunksize=10_000, dtype=nested)


if __name__ == "__main__":
    main()

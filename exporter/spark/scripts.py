"""The derivation's scripts in Spark: those below `sql/spark`, which are made from DuckDB's."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from pyspark.sql.pandas.types import to_arrow_schema

from exporter.spark.staged import few, to_read, to_write
from exporter.sql.engine import script

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_END = "\n;\n"
_TABLE = re.compile(r"^CREATE TABLE (\w+) AS$", re.MULTILINE)
_FIRST_ROWS = re.compile(r"^-- (\w+): the first rows$", re.MULTILINE)


class Scripts:
    """Runs scripts in one session, and keeps the tables that they make as files of a folder.

    A plan that had all of the steps in it would take Spark minutes to think about. If an executor
    is lost, the files are still there.
    """

    def __init__(self, session: SparkSession, folder: Path) -> None:
        self._session = session
        self._folder = folder

    def query(self, name: str) -> DataFrame:
        """Return the rows of a script that is one query."""
        return self._session.sql(script(f"spark/{name}"))

    def run(self, name: str) -> None:
        """Make the tables and views of a script, after those that it reads."""
        statements = iter(script(f"spark/{name}").split(_END))
        for statement in statements:
            table = _TABLE.search(statement)
            first = _FIRST_ROWS.search(statement)
            if table:
                rows = self._session.sql(statement[table.end() :])
                path = self._written(table[1], rows)
                self._read(rows, path).createOrReplaceTempView(table[1])
            elif first:
                self._repeat(first[1], statement, next(statements))
            else:
                self._session.sql(statement)

    def _repeat(self, name: str, first: str, following: str) -> None:
        """Make a view of a query's rows and of all that follow from them, each row once.

        `following` reads the rows that the last round added by the view's name, as the recursive
        part of SQL's `WITH RECURSIVE` does.
        """
        rounds: list[Path] = []
        new = self._session.sql(first).distinct()
        while True:
            rounds.append(self._written(f"{name}-{len(rounds)}", new))
            found = self._read(new, *rounds)
            if not _has_rows(rounds[-1]):
                found.createOrReplaceTempView(name)
                return
            self._read(new, rounds[-1]).createOrReplaceTempView(name)
            more = self._session.sql(following).toDF(*found.columns).distinct()
            new = more.join(found, on=found.columns, how="left_anti")

    def _written(self, name: str, rows: DataFrame) -> Path:
        path = self._folder / name
        rows.write.parquet(to_write(path))
        return path

    def _read(self, written: DataFrame, *paths: Path) -> DataFrame:
        """Return rows as they were written.

        A job would look for their schema, and Spark would plan for rows where there are none.
        """
        there = [to_read(path) for path in paths if _has_rows(path)]
        if not there:
            return few(self._session, to_arrow_schema(written.schema).empty_table())
        return self._session.read.schema(written.schema).parquet(*there)

    def close(self) -> None:
        """Remove the tables."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _has_rows(written: Path) -> bool:
    """Say whether Spark wrote any rows into a folder."""
    return any(pq.read_metadata(file).num_rows for file in written.glob("*.parquet"))

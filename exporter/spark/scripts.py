"""The derivation's scripts in Spark: those below `sql/spark`, which are made from DuckDB's."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.spark.staged import to_read, to_write
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
                path = self._written(table[1], self._session.sql(statement[table.end() :]))
                self._session.read.parquet(path).createOrReplaceTempView(table[1])
            elif first:
                self._repeat(first[1], statement, next(statements))
            else:
                self._session.sql(statement)

    def _repeat(self, name: str, first: str, following: str) -> None:
        """Make a view of a query's rows and of all that follow from them, each row once.

        `following` reads the rows that the last round added by the view's name, as the recursive
        part of SQL's `WITH RECURSIVE` does.
        """
        rounds: list[str] = []
        new = self._session.sql(first).distinct()
        while True:
            rounds.append(self._written(f"{name}-{len(rounds)}", new))
            rows = self._session.read.parquet(rounds[-1])
            found = self._session.read.parquet(*rounds)
            if rows.isEmpty():
                found.createOrReplaceTempView(name)
                return
            rows.createOrReplaceTempView(name)
            more = self._session.sql(following).toDF(*found.columns).distinct()
            new = more.join(found, on=found.columns, how="left_anti")

    def _written(self, name: str, rows: DataFrame) -> str:
        path = self._folder / name
        rows.write.parquet(to_write(path))
        return to_read(path)

    def close(self) -> None:
        """Remove the tables."""
        shutil.rmtree(self._folder, ignore_errors=True)

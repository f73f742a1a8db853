"""That a query that `scripts/transpile` has made gives Spark the rows that DuckDB has."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from sqlglot.errors import UnsupportedError
from transpiling.scripts import transpiled

from exporter.spark.staged import new_session

LARGEST = 2**63 - 1
NUMBERS = pa.table(
    {
        "n": pa.array([1, 2, 3], pa.int32()),
        "name": ["b", None, "a"],
        "size": [LARGEST, LARGEST, -7],
        "tags": [["x", None, "x", "y"], [], None],
    }
)
QUERIES = {
    "a sum past 64 bits": "SELECT sum(size)::VARCHAR AS a FROM numbers WHERE n < 3",
    "a sum of some": "SELECT sum(size) FILTER (n > 2)::VARCHAR AS a FROM numbers",
    "a sum of nothing": "SELECT sum(size)::VARCHAR AS a FROM numbers WHERE n > 9",
    "a text with what is null": "SELECT format('{}{} of {}%.', name, n, size) AS a FROM numbers",
    "texts beside what is null": "SELECT concat(name, '/', n) AS a, name || '/' AS b FROM numbers",
    "places in a list, and outside of it": "SELECT n, "
    "(SELECT list(name ORDER BY n) FROM numbers)[n - 1] AS a, "
    "(SELECT list(n ORDER BY name) FROM numbers WHERE name IS NOT NULL)[n] AS b FROM numbers",
    "a list's values": "SELECT n, unnest(list_distinct(tags)) AS tag FROM numbers",
    "any value that is not null": "SELECT any_value(name) AS a FROM numbers WHERE n > 1",
    "texts in an order": "SELECT string_agg(DISTINCT name, ', ' ORDER BY name) AS a, "
    "string_agg(n::VARCHAR, '' ORDER BY name) AS b FROM numbers",
    "nulls last": "SELECT n, row_number() OVER (ORDER BY name) AS a FROM numbers",
    "a named window": "SELECT n, count(*) OVER (sizes ROWS 1 PRECEDING) AS a FROM numbers "
    "WINDOW sizes AS (PARTITION BY size ORDER BY n)",
    "columns as rows": "FROM (UNPIVOT (SELECT n, name, n::VARCHAR AS text FROM numbers) "
    "ON name, text INTO NAME what VALUE a)",
    "a number of 128 bits": "SELECT n, (size::HUGEINT * 4 - 1)::VARCHAR AS a FROM numbers",
}
"""Queries over `numbers`, by what both engines do not do alike by themselves."""


@pytest.fixture(scope="module")
def session(spark: SparkSession) -> SparkSession:
    own = new_session(spark)
    own.createDataFrame(
        [tuple(row.values()) for row in NUMBERS.to_pylist()],
        "n int, name string, size bigint, tags array<string>",
    ).createOrReplaceTempView("numbers")
    return own


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_a_transpiled_query_has_the_same_rows(session: SparkSession, query: str) -> None:
    with duckdb.connect() as connection:
        connection.register("numbers", NUMBERS)
        wanted = connection.sql(query).fetchall()
    found = session.sql(transpiled({"query": query})["query"]).collect()
    assert in_order(map(tuple, found)) == in_order(wanted)


def in_order(rows: Any) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT format('{} of {}', 1)",
        "SELECT list(n ORDER BY n DESC) FROM numbers",
        "SELECT 1 AS n UNION BY NAME SELECT 2 AS n",
        "CREATE TABLE made AS FROM a_table_that_no_script_makes",
    ],
)
def test_what_no_rule_knows_is_refused(query: str) -> None:
    with pytest.raises(UnsupportedError):
        transpiled({"query": query})

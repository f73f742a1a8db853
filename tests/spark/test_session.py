"""The session that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

EXPORTER = Path(__file__).parents[2] / "exporter"


def test_python_workers_of_the_shared_session_find_the_program(spark: SparkSession) -> None:
    def home(_: int) -> str:
        import exporter.spark  # noqa: PLC0415 - in the worker

        return exporter.spark.__file__

    found = spark.sparkContext.parallelize(range(2), 2).map(home).collect()
    assert {Path(one) for one in found} == {EXPORTER / "spark" / "__init__.py"}


def test_only_the_room_of_spark_imports_it() -> None:
    importing = {
        path.relative_to(EXPORTER).parts[0]
        for path in EXPORTER.rglob("*.py")
        if "pyspark" in path.read_text(encoding="utf-8")
    }
    assert importing <= {"spark"}

"""The Spark session that all tests of this folder share: to start one takes seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.spark.sessions import JAVA, begin


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let PySpark leave its sockets to the garbage collector, as it does, in these tests alone."""
    leaves = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
    told = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(leaves)
            item.add_marker(told)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Return a session with two slots on this machine, `local[2]`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", os.environ.get("JDK_JAVA_OPTIONS", JAVA))
        session = begin("local[2]")
        try:
            yield session
        finally:
            session.stop()

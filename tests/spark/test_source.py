"""The data source: each listed table as a DataFrame, with the rows of one machine's export."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.errors import AnalysisException, PythonException
from pyspark.sql import SparkSession

from exporter.emulator import Shape
from exporter.emulator.shape import Quirks
from exporter.spark import RegistrySource
from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter
from tests.oracle.readers import read_parquet
from tests.oracle.snapshots import Snapshot
from tests.oracle.values import Rows
from tests.spark.parts import FEW_FAULTS, LISTED, check_rows

SHAPE = Shape(
    seed=11,
    clouds=2,
    folders=5,
    registries=12,
    repositories=40,
    images=600,
    layers=4,
    quirks=Quirks.all(),
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Serve an estate with everything odd that there may be."""
    with Cloud(SHAPE) as served:
        yield served


@pytest.fixture(autouse=True)
def mended(cloud: Cloud) -> Iterator[None]:
    """Let everything go well again after each test."""
    yield
    cloud.mend()


@pytest.fixture(scope="module")
def exporter(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Return the command for that estate, with the settings file written."""
    made = Exporter(tmp_path_factory.mktemp("one"), cloud)
    (made.folder / "token").write_text(Cloud.token)
    return made


@pytest.fixture(scope="module")
def snapshot(exporter: Exporter) -> Snapshot:
    """Return the snapshot of one machine, which knew an earlier one as its tasks will."""
    exporter.export()
    return exporter.export()


@pytest.fixture(scope="module")
def config(exporter: Exporter, snapshot: Snapshot) -> Path:
    """Return the settings file, which names the token's file."""
    return write_config(exporter)


def write_config(exporter: Exporter, **limits: object) -> Path:
    """Write settings that name the token's file, with these limits."""
    told = exporter.settings({"limits": limits})
    told["credentials"] = {"iam_token_file": str(exporter.folder / "token")}
    path = exporter.folder / f"settings{len(limits)}.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return path


def read(spark: SparkSession, config: Path, folder: Path, table: str, **options: str) -> Rows:
    """Read a table with Spark, through Arrow."""
    spark.dataSource.register(RegistrySource)
    reader = spark.read.format("registry_exporter").options(
        config=str(config), table=table, **options
    )
    found = reader.load().toArrow()
    path = folder / f"{table}.parquet"
    pq.write_table(found, path)
    return read_parquet(path, table)


def test_each_listed_table_has_the_rows_of_one_machine_where_a_twentieth_of_calls_fail(
    spark: SparkSession, config: Path, cloud: Cloud, snapshot: Snapshot, tmp_path: Path
) -> None:
    cloud.faults = FEW_FAULTS
    found = {table: read(spark, config, tmp_path, table, parallelism="2") for table in LISTED}
    check_rows(found, snapshot.tables)


@pytest.mark.parametrize("parallelism", ["1", "8"])
def test_the_rows_and_the_calls_are_those_of_one_machine_however_many_tasks_there_are(
    spark: SparkSession,
    config: Path,
    cloud: Cloud,
    snapshot: Snapshot,
    tmp_path: Path,
    parallelism: str,
) -> None:
    before = len(cloud.calls)
    found = {"images": read(spark, config, tmp_path, "images", parallelism=parallelism)}
    check_rows(found, snapshot.tables, ["images"])
    assert len(cloud.calls) - before <= 1.05 * snapshot.manifest["requests"]["calls"]


def test_all_tasks_together_keep_to_the_rate_and_to_the_calls_at_once(
    spark: SparkSession, exporter: Exporter, cloud: Cloud, tmp_path: Path
) -> None:
    rate, before = 25.0, len(cloud.calls)
    config = write_config(exporter, requests_per_second=rate, concurrency=3)
    cloud.calls.max_in_flight = 0
    assert len(read(spark, config, tmp_path, "images", parallelism="2")) == SHAPE.images
    starts = sorted(call.started for call in list(cloud.calls)[before:])
    assert cloud.calls.max_in_flight <= 3
    # Each of two tasks and the driver may begin one call at once, and catch up a call.
    for first, begin in enumerate(starts):
        for count, end in enumerate(starts[first:], start=1):
            assert count <= rate * (end - begin) + 6


def test_a_table_that_would_lack_something_is_refused_unless_it_may_be_partial(
    spark: SparkSession, config: Path, cloud: Cloud, snapshot: Snapshot, tmp_path: Path
) -> None:
    denied = snapshot.tables["registries"][0]["registry_id"]
    cloud.deny(denied)
    with pytest.raises(PythonException, match=f"of {denied} is denied: .*scope.exclude"):
        read(spark, config, tmp_path, "repositories", parallelism="2")
    found = read(spark, config, tmp_path, "repositories", parallelism="2", partial="allow")
    wanted = [row for row in snapshot.tables["repositories"] if row["registry_id"] != denied]
    check_rows({"repositories": found}, {"repositories": wanted}, ["repositories"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "tags"}, "name one of clouds"),
        ({"table": "images", "file": "x"}, "file is none of config, table"),
        ({"table": "images", "parallelism": "0"}, "number of tasks"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(
    spark: SparkSession, options: dict[str, str], said: str
) -> None:
    spark.dataSource.register(RegistrySource)
    with pytest.raises(AnalysisException, match=said):
        spark.read.format("registry_exporter").options(**options).load()


def test_without_spark_the_program_says_in_a_sentence_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pyspark'] = None\n"
        "from exporter.errors import ExporterError\n"
        "try: from exporter.spark import RegistrySource\n"
        "except ExporterError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], text=True, capture_output=True, check=True
    )
    assert done.stdout == (
        "Spark needs packages that are not installed (pyspark): install them with "
        "pip install 'registry-exporter[spark]'.\n"
    )

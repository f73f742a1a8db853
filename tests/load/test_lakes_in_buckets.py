"""Loads into Iceberg and Delta whose files are in a bucket."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import LoadError, LockedError
from exporter.load.loader import load
from exporter.load.targets import open_warehouse
from exporter.settings import Settings, settings_alone
from exporter.tables.schemas import TABLES
from tests import moto
from tests.load.lakes import DeltaLake, IcebergLake, rows
from tests.load.published import hostile_rows, in_order, publish_rows, true_rows
from tests.s3 import S3, Oddities

SOME = ["images", "tags"]
SECRET = "hush-hush-hush"
TO = "delta:s3://bucket/some/place"


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test is on a machine of its own, which has no keys."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto.serving() as url:
        urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT")).close()
        yield url


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


def delta(server: S3, output: Path, **how: Any) -> Settings:
    key = {"access_key_id": "key", "secret_access_key": SECRET}
    told = {"output": {"url": str(output), "s3": {"endpoint": server.url, **key}}}
    return settings_alone({**told, "load": {"to": TO, "tables": SOME, **how}})


def test_delta_tables_in_a_bucket_equal_the_snapshots_after_each_load(
    output: Path, tmp_path: Path
) -> None:
    for night in range(2):
        publish_rows(output, f"n{night}", hostile_rows(20, f"m{night}"), night=night)
    with S3() as server:
        told = delta(server, output, tables=[])
        assert len(load(told).loaded) == 2
        assert len(load(told, ["n0"]).loaded) == 1
        assert not [name for name in server.names() if name.endswith(".lock")]
        assert not [one for one in server.objects.values() if SECRET.encode() in one]
        copy = DeltaLake(server.copy_to(tmp_path / "copy", "some/place"))
    for name in TABLES:
        for night in range(2):
            found = in_order(rows(copy, name, f"n{night}"))
            assert found == in_order(true_rows(output, f"n{night}", name))


def test_a_loader_on_another_machine_is_kept_out_by_the_lease_in_the_bucket(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.storage.lease.RENEWAL", 0.05)
    monkeypatch.setattr("exporter.storage.lease._POLL", 0.05)
    publish_rows(output, "n0", hostile_rows(5))
    with S3() as server:
        with open_warehouse(delta(server, output), look_only=False):
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
            with pytest.raises(LockedError, match=r"Another load holds the warehouse .*run again"):
                load(delta(server, output))
            assert server.names() == ["some/place/registry_inventory/.lock"]
        assert len(load(delta(server, output)).loaded) == 1


@pytest.mark.parametrize(
    ("oddities", "said"),
    [
        (Oddities(conditions="ignored"), "takes no conditional writes"),
        (Oddities(conditions="refused"), "takes no conditional writes"),
        (Oddities(denied=frozenset({"PUT"})), "access is denied; give the key the right"),
    ],
)
def test_a_bucket_that_delta_cannot_use_is_refused_before_anything_is_written(
    output: Path, oddities: Oddities, said: str
) -> None:
    publish_rows(output, "n0", hostile_rows(5))
    with S3(oddities=oddities) as server:
        with pytest.raises(LoadError, match=said) as refused:
            load(delta(server, output))
        assert refused.value.exit_code == 7
        assert "output.url" not in str(refused.value)
        assert server.names() == []


def test_a_right_that_is_missing_in_the_middle_ends_in_a_sentence(output: Path) -> None:
    publish_rows(output, "n0", hostile_rows(5))
    with S3() as server:

        def deny_the_log(call: Any) -> None:
            is_log = "_delta_log" in call.path
            server.oddities.denied = frozenset({"PUT"} if is_log else ())

        server.before = deny_the_log
        with pytest.raises(LoadError, match="access is denied") as refused:
            load(delta(server, output))
        assert len(str(refused.value).splitlines()) == 1
        assert SECRET not in str(refused.value)


def test_iceberg_tables_with_files_in_a_bucket_equal_the_snapshots(
    output: Path, tmp_path: Path, endpoint: str
) -> None:
    lake = IcebergLake(
        tmp_path / "lake",
        {
            "warehouse": "s3://bucket/lake",
            "s3.endpoint": endpoint,
            "s3.region": "us-east-1",
            "s3.access-key-id": "key",
            "s3.secret-access-key": SECRET,
        },
    )
    told = settings_alone({"output": {"url": str(output)}, "load": {**lake.load, "tables": SOME}})
    for night in range(2):
        publish_rows(output, f"n{night}", hostile_rows(10, f"m{night}"), night=night)
    assert len(load(told).loaded) == 2
    assert len(load(told, ["n0"]).loaded) == 1
    with lake.catalog as catalog:
        for name in SOME:
            table = catalog.load_table(("inventory", name))
            for night in range(2):
                found = table.scan(f"snapshot_id == 'n{night}'").to_arrow()
                assert len(found) == 10
                assert {*found.column("snapshot_id").to_pylist()} == {f"n{night}"}
    assert SECRET.encode() not in (tmp_path / "lake" / "catalog.db").read_bytes()

"""Iceberg catalogs: a REST catalog with views, and what keeps a load from using one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from rich.console import Console

from exporter.cli.terminal.loading import show_dry_run
from exporter.errors import ExporterError, LoadError, SettingsError
from exporter.load.loader import load
from exporter.settings import Settings, settings_alone
from tests.load.lakes import IcebergLake
from tests.load.published import hostile_rows, publish_rows
from tests.load.rest_catalog import RestCatalog

SOME = ["images", "tags"]


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    publish_rows(tmp_path / "snapshots", "n0", hostile_rows(5, "first"))
    return tmp_path / "snapshots"


@pytest.fixture
def lake(tmp_path: Path) -> IcebergLake:
    return IcebergLake(tmp_path / "lake")


@pytest.fixture
def server(lake: IcebergLake) -> Iterator[RestCatalog]:
    behind = SqlCatalog("lake", **lake.options)
    with behind, RestCatalog(behind) as served:
        yield served


def settings(output: Path, catalog: RestCatalog, **options: str) -> Settings:
    told = {"type": "rest", "uri": catalog.url, "token": catalog.token, **options}
    return by(output, told)


def by(output: Path, options: dict[str, str], to: str = "iceberg:lake/inventory") -> Settings:
    told: dict[str, Any] = {"to": to, "tables": SOME, "iceberg": options}
    return settings_alone({"output": {"url": str(output)}, "load": told})


def test_a_catalog_that_holds_views_has_one_of_each_table_with_the_newest_snapshot(
    output: Path, lake: IcebergLake, server: RestCatalog
) -> None:
    publish_rows(output, "n1", hostile_rows(4, "second"), night=1)
    publish_rows(output, "n2", hostile_rows(3, "third"), night=2, status="partial")
    assert len(load(settings(output, server)).loaded) == 2
    told = settings(output, server).load.model_copy(update={"partial": True})
    load(settings(output, server).model_copy(update={"load": told}))
    assert {*server.views} == {"latest_images", "latest_tags"}
    sent = dict(server.views)
    load(settings(output, server), ["n0"])
    assert server.views == sent
    version = sent["latest_images"]["view-version"]
    assert version["default-namespace"] == ["inventory"]
    sql = {one["dialect"]: one["sql"] for one in version["representations"]}
    assert {*sql} == {"spark", "trino"}
    assert sql["spark"].replace("`", '"') == sql["trino"]
    found = _asked(lake, sql["trino"])
    assert found.column("snapshot_id").to_pylist() == ["n1"] * 4
    assert [one["name"] for one in sent["latest_images"]["schema"]["fields"]] == found.column_names
    publish_rows(output, "n3", hostile_rows(2, "fourth"), night=3, vanished=1)
    load(settings(output, server), ["n3"])
    assert _asked(lake, sql["trino"]) == found
    publish_rows(output, "n4", hostile_rows(2, "fifth"), night=4, kind="oci", vanished=1)
    load(settings(output, server), ["n4"])
    assert _asked(lake, sql["trino"]).column("snapshot_id").to_pylist() == ["n4"] * 2


def test_a_view_that_is_not_ours_is_refused_before_anything_is_written(
    output: Path, lake: IcebergLake, server: RestCatalog
) -> None:
    load(settings(output, server))
    theirs = {**server.views["latest_tags"], "properties": {"comment": "Mine"}}
    server.views["latest_tags"] = theirs
    before = lake.table("snapshots")
    with pytest.raises(LoadError, match=r"latest_tags .* is taken by a table or a view"):
        load(settings(output, server), ["n0"])
    assert server.views["latest_tags"] == theirs
    assert lake.table("snapshots") == before


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "Cannot open the table snapshots in iceberg:lake/inventory: the right is missing"),
        (503, "the catalog does not answer"),
    ],
)
def test_a_catalog_that_refuses_ends_in_a_sentence(
    output: Path, server: RestCatalog, status: int, said: str
) -> None:
    server.refuses = status
    failure = _failure(settings(output, server))
    assert said in str(failure)
    assert failure.exit_code == 7


def test_wrong_credentials_a_catalog_that_is_down_and_one_that_is_unknown_are_told_apart(
    output: Path, server: RestCatalog, tmp_path: Path
) -> None:
    wrong = _failure(settings(output, server, token="wrong-token"))
    assert "the catalog does not accept the credentials" in str(wrong)
    with socket.socket() as taken:  # Bound, and listening to nobody.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        down = _failure(settings(output, server, uri=url))
    assert "the catalog does not answer" in str(down)
    unknown = _failure(by(output, {}, "iceberg:nobody/inventory"))
    assert isinstance(unknown, SettingsError)
    assert "name its type and uri in load.iceberg" in str(unknown)
    missing = tmp_path / "missing" / "catalog.db"
    shut = _failure(by(output, {"type": "sql", "uri": f"sqlite:///{missing}", "warehouse": "x"}))
    assert "the catalog does not answer" in str(shut)
    for one in (wrong, down, unknown, shut):
        assert len(str(one).splitlines()) == 1
        assert "wrong-token" not in str(one)


def test_a_password_in_the_catalog_s_address_is_in_no_message(output: Path) -> None:
    uri = "postgresql+nothing://me:hush-hush@127.0.0.1:1/db"
    failure = _failure(by(output, {"type": "sql", "uri": uri, "warehouse": "file:///nowhere"}))
    assert "hush" not in str(failure)
    assert failure.__cause__ is None


def test_the_namespace_is_that_of_the_name_or_the_schema_and_not_two(
    output: Path, lake: IcebergLake
) -> None:
    load(by(output, lake.options, "iceberg:lake"))
    with lake.catalog as catalog:
        assert catalog.table_exists(("registry_inventory", "images"))
    told: dict[str, Any] = {"to": "iceberg:lake/one", "schema": "two", "iceberg": lake.options}
    with pytest.raises(SettingsError, match=r"the namespace one, and load\.schema two"):
        load(settings_alone({"output": {"url": str(output)}, "load": told}))


def test_the_end_of_a_load_names_the_namespace_alone(output: Path, lake: IcebergLake) -> None:
    for to, shown in (
        ("iceberg:lake/inventory", "would be loaded into iceberg:lake/inventory.\n"),
        ("iceberg:lake", "would be loaded into iceberg:lake, schema registry_inventory.\n"),
    ):
        told = by(output, lake.options, to)
        text = StringIO()
        show_dry_run(Console(file=text), load(told, dry_run=True), told)
        assert shown in text.getvalue()


def _asked(lake: IcebergLake, sql: str) -> pa.Table:
    with duckdb.connect() as engine:
        for name in (*SOME, "snapshots"):
            engine.register(name, lake.table(name))
        return engine.sql(sql).to_arrow_table()


def _failure(told: Settings) -> ExporterError:
    with pytest.raises(ExporterError) as failure:
        load(told)
    return failure.value

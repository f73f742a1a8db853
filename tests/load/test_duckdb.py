"""Loads into DuckDB alone: what stops one, what is then there, and what a person is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.errors import LoadError, SettingsError
from exporter.load import targets
from exporter.load.loader import load
from exporter.settings import settings_alone
from tests.e2e.commands import Exporter, Run
from tests.load.kinds import DuckDbKind
from tests.load.published import hostile_rows, in_order, publish_rows
from tests.s3 import S3

PASSWORD = "hunter2 & co"


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    """The command in an empty home; its output has the snapshot n1."""
    exporter = Exporter(tmp_path)
    publish_rows(exporter.output, "n1", hostile_rows(10))
    return exporter


@pytest.fixture
def warehouse(exporter: Exporter) -> DuckDbKind:
    """A warehouse that has n1, while the output has n2 too."""
    warehouse = DuckDbKind(exporter.folder)
    assert bring(exporter, warehouse.url).code == 0
    publish_rows(exporter.output, "n2", hostile_rows(3000, "b", ["images"]), night=1)
    return warehouse


def bring(exporter: Exporter, url: str, *flags: str, before: str = "") -> Run:
    line = ("load", "--to", url, "--output", str(exporter.output), "--quiet", *flags)
    return exporter.start_command(*line, before=before).wait()


def images(warehouse: DuckDbKind) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in warehouse.rows("images"):
        counted[row["snapshot_id"]] = counted.get(row["snapshot_id"], 0) + 1
    return counted


def test_a_full_disk_is_said_and_leaves_what_was_there(
    exporter: Exporter, warehouse: DuckDbKind
) -> None:
    most = warehouse.path.stat().st_size + 10_000
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))"
    run = bring(exporter, warehouse.url, before=limit)
    assert run.code == 7
    assert run.stderr == (
        f"registry-exporter: {warehouse.url} cannot be loaded: the disk is full; free some space "
        "and run again.\n"
    )
    assert images(warehouse) == {"n1": 10}
    assert bring(exporter, warehouse.url).code == 0
    assert images(warehouse) == {"n1": 10, "n2": 3000}


def test_a_file_that_another_process_has_open_is_a_lock(
    exporter: Exporter, warehouse: DuckDbKind
) -> None:
    with duckdb.connect(warehouse.path, read_only=True):
        run = bring(exporter, warehouse.url)
    assert run.code == 11
    assert "has " + warehouse.url + " open" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert images(warehouse) == {"n1": 10}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text.duckdb", "not a valid DuckDB database file"),
        ("missing/w.duckdb", "there is no folder {folder}/missing"),
        (".", "Is a directory"),
        ("/sys/w.duckdb", "cannot be opened"),
    ],
)
def test_a_file_that_cannot_be_a_warehouse_is_left_alone(
    exporter: Exporter, name: str, said: str
) -> None:
    text = exporter.folder / "text.duckdb"
    text.write_text("not a database")
    url = f"duckdb:{exporter.folder / name}"
    run = bring(exporter, url)
    assert run.code == 7
    assert url in run.stderr
    assert said.format(folder=exporter.folder) in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert text.read_text() == "not a database"
    assert not (exporter.folder / "missing").exists()


def test_a_signal_at_the_last_moment_ends_the_load_with_a_sentence(
    exporter: Exporter, warehouse: DuckDbKind
) -> None:
    publish_rows(exporter.output, "n3", hostile_rows(10, "c"), night=2)
    # Just before the second of two snapshots is committed.
    before = (
        "import os, signal; from exporter.load.duckdb.writer import DuckDbWriter as w; "
        "commit = w.commit; w.commit = lambda self: (self._load.snapshot_id == 'n3' and "
        "os.kill(os.getpid(), signal.SIGTERM), commit(self))"
    )
    summary = exporter.folder / "summary.json"
    run = bring(exporter, warehouse.url, "--summary-json", str(summary), before=before)
    assert run.code == 143
    assert run.stderr == (
        "registry-exporter: Stopped by SIGTERM. Loaded: 1 of 2 snapshots; to load the rest, run "
        "the same command again.\n"
    )
    content = json.loads(summary.read_text())
    assert (content["status"], content["exit_code"]) == ("interrupted", 143)
    assert [one["snapshot_id"] for one in content["loaded"]] == ["n2"]
    assert images(warehouse) == {"n1": 10, "n2": 3000}


def test_a_nul_in_a_text_is_kept(exporter: Exporter) -> None:
    rows = hostile_rows(3)
    rows["images"][0] |= {"digest": "a\0b", "tags": ["\0"], "labels": [("\0", "v\0")]}
    publish_rows(exporter.output, "n2", rows, night=1)
    warehouse = DuckDbKind(exporter.folder)
    assert bring(exporter, warehouse.url, "--snapshot", "latest").code == 0
    found = {row["image_id"]: row for row in warehouse.rows("images")}
    row = found[rows["images"][0]["image_id"]]
    assert (row["digest"], row["tags"], row["labels"]) == ("a\0b", ["\0"], {"\0": "v\0"})


def test_a_snapshot_in_a_bucket_is_loaded_as_from_a_folder(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with S3() as server:
        for path in exporter.output.rglob("*"):
            if path.is_file():
                name = f"/bucket/{path.relative_to(exporter.output)}"
                server.objects[name] = path.read_bytes()
        s3 = {
            "endpoint": server.url,
            "region": "us-east-1",
            "access_key_id": "id",
            "secret_access_key": "secret",
        }
        warehouse = DuckDbKind(exporter.folder)
        output = {"url": "s3://bucket", "s3": s3}
        told: dict[str, Any] = {"output": output, "load": {"to": warehouse.url}}
        before = dict(server.objects)
        load(settings_alone(told))
        assert server.objects == before
    other = DuckDbKind(exporter.home)
    assert bring(exporter, other.url).code == 0
    assert in_order(warehouse.rows("images")) == in_order(other.rows("images"))


def test_a_readers_attached_file_has_the_views(warehouse: DuckDbKind) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{warehouse.path}' AS w (READ_ONLY)")
        found = connection.execute("SELECT count(*) FROM w.registry_inventory.latest_images")
        assert found.fetchall() == [(10,)]


def test_missing_packages_are_named_with_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(targets._PACKAGES, "delta", ("a_package_of_nobody",))
    with pytest.raises(LoadError, match=r"a_package_of_nobody.*pip install .*\[delta\]"):
        load(settings_alone({"load": {"to": "delta:/tmp/x"}}))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://u:{PASSWORD}@h/db", "names no warehouse"),
        (f"postgresql:u:{PASSWORD}@h/db", "is the beginning of a URL"),
        ("duckdb:", "names no place"),
        ("duckdb::memory:", "the path of a file is needed"),
        ("duckdb:///w.db", "the path of a file is needed"),
        ("delta:s3://", "names no bucket"),
        ("delta:s3:///prefix", "names no bucket"),
        ("delta:s3:/bucket/prefix", "names no bucket"),
    ],
)
def test_a_wrong_warehouse_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        settings_alone({"load": {"to": url}})
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://u:{PASSWORD}@h:5432/db?sslmode=require", "postgresql://u@h:5432/db"),
        (f"postgresql://u:a/{PASSWORD}@@h/db", "postgresql://u@h/db"),
        (f"postgresql://u:a?{PASSWORD}@h/db", "postgresql://"),
        (f"postgresql://u:a#{PASSWORD}@h/db", "postgresql://"),
        (f"postgresql://u:{PASSWORD}", "postgresql://u"),
        (f"postgresql:///db?password={PASSWORD}", "postgresql:///db"),
        ("postgresql://u@[::1]:5432/db", "postgresql://u@[::1]:5432/db"),
        (f"delta:s3://id:{PASSWORD}@bucket/prefix", "delta:s3://id@bucket/prefix"),
        ("duckdb:/data/it's.db", "duckdb:/data/it's.db"),
    ],
)
def test_a_warehouse_s_name_has_no_password(url: str, shown: str) -> None:
    settings = settings_alone({"load": {"to": url, "iceberg": {"credential": PASSWORD}}})
    assert str(settings.load.to) == shown
    assert PASSWORD not in repr(settings)

"""Snapshots of the first format, alone and beside newer ones: read, verified, listed, pruned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter import list_snapshots, prune, verify
from exporter.analyze.diff import diff
from exporter.analyze.questions import ask_each, named_question, question_names
from exporter.snapshots.sandbox import open_query
from exporter.snapshots.selection import read_snapshot
from exporter.staging.layout import Format
from exporter.storage.opening import open_destination
from exporter.tables.schemas import TABLES
from tests.answers.estates import publish_estate
from tests.derive.estates import Blob, Image, World, digest
from tests.oracle.schema import OF_OCI
from tests.snapshot.first_format import NEW_TABLE, to_first_format
from tests.snapshot.world import data_files

WORLD = World(
    images=(
        Image("i1", "r1/a", (Blob(digest(1), 10),), Blob(digest(9), 3), tags=("v1",)),
        Image("i2", "r1/b", (Blob(digest(1), 10), Blob(digest(2), 20))),
    ),
    clouds=("c1",),
    folders=(("f1", "c1"),),
    registries=(("r1", "f1", "c1"),),
    repositories=("r1/a", "r1/b"),
)


REGISTRY = World(
    images=(
        Image(f"r1/a@{digest(5)}", "r1/a", digest=digest(5), kind="index", tags=("v1",),
              children=((digest(6), True), (digest(7), False))),
        Image(f"r1/a@{digest(6)}", "r1/a", (Blob(digest(1), 10, distributable=False),),
              digest=digest(6), kind="image", manifest_size=500),
    ),
    registries=(("r1", None, None),),
    repositories=("r1/a",),
    coverage=(("untagged", "r1/a", "skipped"), ("manifests", "r1/a", "complete")),
    visible=frozenset(),
)  # fmt: skip


@pytest.fixture(params=[("parquet",), ("ndjson",), ("parquet", "ndjson")], ids="-".join)
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An output with a snapshot `old` of the first format, and a later one `newer`."""
    formats: tuple[Format, ...] = request.param
    for night, name in enumerate(("old", "newer")):
        publish_estate(tmp_path, name, WORLD, night=night, formats=formats)
    to_first_format(tmp_path, "old")
    return tmp_path


def test_a_snapshot_of_the_first_format_is_sound_and_a_change_in_it_is_found(output: Path) -> None:
    assert verify(str(output), "old") == []
    assert verify(str(output), "newer") == []
    path = output / "manifests" / "old.json"
    manifest = json.loads(path.read_text())
    del manifest["tables"]["layers"]
    path.write_text(json.dumps(manifest))
    assert "manifests/old.json: names no file of the table layers" in {
        str(problem) for problem in verify(str(output), "old")
    }


def test_a_snapshot_of_an_oci_registry_beside_them_is_sound(output: Path) -> None:
    formats: tuple[Format, ...] = ("parquet", "ndjson")
    manifest = publish_estate(output, "registry", REGISTRY, night=2, formats=formats)
    assert manifest.totals["untagged_size"] is None
    assert (manifest.totals["complete"], manifest.totals["index_count"]) == (True, 1)
    assert verify(str(output), "registry") == []


def test_a_newer_snapshot_without_the_newer_table_is_broken(output: Path) -> None:
    path = output / "manifests" / "newer.json"
    manifest = json.loads(path.read_text())
    del manifest["tables"][NEW_TABLE]
    path.write_text(json.dumps(manifest))
    assert f"manifests/newer.json: names no file of the table {NEW_TABLE}" in {
        str(problem) for problem in verify(str(output), "newer")
    }


def test_both_formats_are_read_with_the_same_columns(output: Path) -> None:
    destination = open_destination(str(output))
    with (
        read_snapshot(destination, "old") as old,
        read_snapshot(destination, "newer") as new,
        duckdb.connect() as connection,
    ):
        assert set(old.tables) == set(new.tables) == set(TABLES)
        assert old.files(NEW_TABLE) == []
        for name, snapshot in (("old", old), ("new", new)):
            snapshot.register(connection, schema=name)
        for table in TABLES.values():
            both = connection.sql(f"FROM old.{table.name} UNION ALL FROM new.{table.name}")
            assert both.columns == table.schema.names
            assert connection.sql(f"FROM old.{table.name}").types == both.types
            rows = old.read(table.name, table.schema.names).to_pylist()
            assert old.dataset(table.name).to_table().to_pylist() == rows
            assert sorted(map(str, new.read(table.name, table.schema.names).to_pylist())) == sorted(
                map(str, rows)
            )
        for name, columns in OF_OCI.items():
            assert not old.read(name, columns).drop_null().num_rows


async def test_both_formats_are_listed_and_pruned(output: Path) -> None:
    found = {one.snapshot_id: one.status for one in list_snapshots(str(output))}
    assert found == {"old": "complete", "newer": "complete"}
    await prune(str(output), keep_last=1)
    assert [one.snapshot_id for one in list_snapshots(str(output))] == ["newer"]
    assert not any("snapshot_id=old" in path for path in data_files(output))


def test_every_question_is_answered_alike_of_both_formats_and_of_both_at_once(output: Path) -> None:
    texts = {"tag": "v1", "name": "r1/a", "digest": digest(1)}
    destination = open_destination(str(output))
    for name in question_names():
        question = named_question(name)
        asked = {one.name: texts[one.name] for one in question.parameters if one.name in texts}
        values = question.values(asked)
        with read_snapshot(destination, "old") as old, read_snapshot(destination, "newer") as new:
            with ask_each([old, new], question, values) as found:
                rows = found.read_all().to_pylist()
            answers: dict[str, list[dict[str, Any]]] = {"old": [], "newer": []}
            for row in rows:
                # Ages are counted from the start of each snapshot, a night apart.
                row.pop("days", None)
                answers[row.pop("snapshot_id")].append(row)
            assert name == "growth-by-month" or answers["old"] == answers["newer"], name


def test_tables_of_both_formats_are_one_to_a_question_of_all(output: Path) -> None:
    sql = "SELECT snapshot_id, count(kind) AS kinds, count(*) AS images FROM images GROUP BY ALL"
    destination = open_destination(str(output))
    with (
        read_snapshot(destination, "old") as old,
        read_snapshot(destination, "newer") as new,
        open_query([old, new], f"{sql} ORDER BY ALL", {}) as found,
    ):
        rows = [tuple(row.values()) for row in found.read_all().to_pylist()]
    assert rows == [("newer", 0, 2), ("old", 0, 2)]


def test_snapshots_of_both_formats_differ_in_nothing(output: Path) -> None:
    destination = open_destination(str(output))
    with read_snapshot(destination, "old") as old, read_snapshot(destination, "newer") as new:
        for pair in ((old, new), (new, old)):
            with diff(*pair) as found:
                assert not any(found.counts.values())
                assert found.totals["stored_size_delta"] == 0

"""What a load promises, in every warehouse: the rows that were published, whole or not there."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.errors import IntegrityError, LoadError, SettingsError
from exporter.load.loader import LoadResult, load
from exporter.settings import settings_alone
from exporter.tables.schemas import TABLES
from tests.e2e.commands import Exporter
from tests.load.kinds import SCHEMA, DuckDbKind, Kind
from tests.load.published import (
    Row,
    add_column,
    add_table,
    hostile_rows,
    in_order,
    publish_rows,
    write_manifest,
)
from tests.oracle.schema import OF_OCI
from tests.snapshot.first_format import to_first_format

SOME = ("images", "layers", "tags")
"""What most tests load: a load of all tables takes some warehouses seconds."""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    return Exporter(tmp_path)


def bring(
    warehouse: Kind,
    output: Path,
    *names: str,
    prune: bool = False,
    dry_run: bool = False,
    **how: Any,
) -> list[str]:
    """Load in this process; return the ids of what was loaded."""
    result = run(warehouse, output, *names, prune=prune, dry_run=dry_run, **how)
    return [one.snapshot_id for one in result.loaded]


def run(
    warehouse: Kind,
    output: Path,
    *names: str,
    prune: bool = False,
    dry_run: bool = False,
    **how: Any,
) -> LoadResult:
    load_ = {"to": warehouse.url, "tables": [*SOME], **how}
    told = {"output": {"url": str(output)}, "load": load_}
    return load(settings_alone(told), names or ("new",), prune=prune, dry_run=dry_run)


Tables = Mapping[str, list[Row]]


def few(mark: str = "a") -> Tables:
    return hostile_rows(4, mark)


def expected(warehouse: Kind, snapshot_id: str, table: str, rows: Tables) -> list[Row]:
    """Return the rows that a warehouse should have of a snapshot that was published with these."""
    schema = TABLES[table].schema
    maps = [field.name for field in schema if pa.types.is_map(field.type)]
    lists = [field.name for field in schema if pa.types.is_list(field.type)]
    has_nulls = warehouse.has_null_lists
    return [
        {"snapshot_id": snapshot_id, **row}
        | {one: dict(row[one] or {}) for one in maps if row[one] is not None or not has_nulls}
        | {one: list(row[one] or []) for one in lists if row[one] is not None or not has_nulls}
        for row in rows.get(table, [])
    ]


def truth(
    warehouse: Kind, there: Mapping[str, Tables], tables: Sequence[str] = SOME
) -> dict[str, list[str]]:
    """Return what a warehouse with just these snapshots has in the tables."""
    return {
        table: in_order(
            [row for id_, rows in there.items() for row in expected(warehouse, id_, table, rows)]
        )
        for table in tables
    }


def content(
    warehouse: Kind, schema: str = SCHEMA, tables: Sequence[str] = SOME
) -> dict[str, list[str]]:
    """Return what a warehouse has in the tables."""
    return {table: in_order(warehouse.rows(table, schema)) for table in tables}


def differences(
    warehouse: Kind,
    there: Mapping[str, Tables],
    schema: str = SCHEMA,
    tables: Sequence[str] = SOME,
) -> dict[str, set[str]]:
    """Return the rows that differ, by table; empty if the warehouse has just these snapshots."""
    found, wanted = content(warehouse, schema, tables), truth(warehouse, there, tables)
    return {
        table: {*found[table]} ^ {*wanted[table]}
        for table in tables
        if found[table] != wanted[table]
    }


def command_line(warehouse: Kind, output: Path) -> list[str]:
    line = ["load", "--to", warehouse.url, "--output", str(output), "--log-format", "json"]
    return [*line, *(word for table in SOME for word in ("--table", table))]


def ids(warehouse: Kind, table: str = "snapshots") -> list[str]:
    return sorted({row["snapshot_id"] for row in warehouse.rows(table)})


def test_two_nights_are_there_row_for_row_and_again_after_the_same_load(
    warehouse: Kind, output: Path
) -> None:
    nights = {"n1": hostile_rows(40, "one"), "n2": hostile_rows(25, "two")}
    first = publish_rows(output, "n1", nights["n1"])
    publish_rows(output, "n2", nights["n2"], night=1, format_="ndjson")
    assert bring(warehouse, output, tables=[]) == ["n1", "n2"]
    assert differences(warehouse, nights, tables=[*TABLES]) == {}
    assert bring(warehouse, output, tables=[]) == []
    assert bring(warehouse, output, "n1", "latest", tables=[]) == ["n1", "n2"]
    assert differences(warehouse, nights, tables=[*TABLES]) == {}
    for table in TABLES:
        newest = expected(warehouse, "n2", table, nights["n2"])
        assert in_order(warehouse.rows(f"latest_{table}")) == in_order(newest)
    row = next(one for one in warehouse.rows("snapshots") if one["snapshot_id"] == "n1")
    for name in ("status", "started_at", "finished_at", "format_version", "generator"):
        assert row[name] == getattr(first, name)
    for name in ("source", "scope", "totals", "coverage"):
        content = json.loads(row[name]) if isinstance(row[name], str) else row[name]
        assert content == getattr(first, name)


def test_the_columns_have_the_contract_s_types_and_their_meanings(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few())
    bring(warehouse, output, tables=[])
    for name, table in TABLES.items():
        wanted = {"snapshot_id": warehouse.id_type} | {
            field.name: warehouse.types[field.type] for field in table.schema
        }
        assert list(warehouse.columns(name).items()) == list(wanted.items())
        comments = warehouse.comments(name)
        assert comments[""].startswith(table.description)
        for field in table.schema:
            assert comments[field.name] == field.metadata[b"description"].decode()
    assert [*warehouse.columns("snapshots")] == [
        *("snapshot_id", "status", "started_at", "finished_at", "loaded_at", "format_version"),
        *("generator", "source", "scope", "totals", "coverage"),
    ]
    views = {f"latest_{name}" for name in TABLES}
    assert warehouse.relations() == {*TABLES, *views, "snapshots"}


def test_a_load_that_is_killed_at_any_moment_leaves_the_old_snapshot_or_the_new_one(
    output: Path, exporter: Exporter
) -> None:
    # The other warehouses are killed at their statements, in modules of their own.
    warehouse = DuckDbKind(exporter.folder)
    other, old, new = {"n1": few("one")}, hostile_rows(20, "old"), hostile_rows(21, "new")
    publish_rows(output, "n1", other["n1"])
    publish_rows(output, "n2", old, night=1)
    before = output.with_name("before")
    shutil.copytree(output, before)
    publish_rows(output, "n2", new, night=2, replace=True)
    bring(warehouse, before)
    flags = command_line(warehouse, output)
    started = time.monotonic()
    assert exporter.command(*flags).code == 0
    lasts = time.monotonic() - started
    assert differences(warehouse, {**other, "n2": new}) == {}
    before_it = truth(warehouse, {**other, "n2": old})
    after_it = truth(warehouse, {**other, "n2": new})
    chance = random.Random(16)
    ends = set()
    is_new = True
    for _ in range(20):
        if is_new:
            bring(warehouse, before, "n2")
        process = exporter.start_command(*flags)
        time.sleep(chance.uniform(0, lasts))
        process.signal(signal.SIGKILL)
        ends.add(process.wait().code)
        found = content(warehouse)
        is_new = found == after_it
        assert is_new or found == before_it
        newest = expected(warehouse, "n2", "images", new if is_new else old)
        assert in_order(warehouse.rows("latest_images")) == in_order(newest)
    assert -signal.SIGKILL in ends
    assert exporter.command(*flags).code == 0
    assert differences(warehouse, {**other, "n2": new}) == {}


def test_two_loaders_at_once_double_no_row(
    warehouse: Kind, output: Path, exporter: Exporter
) -> None:
    nights = {"n1": hostile_rows(40, "one"), "n2": few("two")}
    publish_rows(output, "n1", nights["n1"])
    publish_rows(output, "n2", nights["n2"], night=1)
    flags = command_line(warehouse, output)
    both = [exporter.start_command(*flags) for _ in range(2)]
    ended = [process.wait() for process in both]
    codes = sorted(run.code for run in ended)
    assert codes in ([0, 0], [0, 11]), [run.said for run in ended]
    if codes == [0, 11]:
        refused = next(run for run in ended if run.code == 11)
        assert len(refused.said.splitlines()) == 1
    assert differences(warehouse, nights) == {}
    assert ids(warehouse) == ["n1", "n2"]


def test_a_newer_minor_format_adds_its_column_and_its_table(warehouse: Kind, output: Path) -> None:
    nights = {"n1": few("one"), "n2": few("two"), "n3": few("three")}
    for number, (snapshot_id, rows) in enumerate(nights.items()):
        publish_rows(output, snapshot_id, rows, night=number)
    bring(warehouse, output, "n1")
    add_column(output, "n2", "images", "later", ["p", "q", "r", "s"])
    signatures = pa.table({"image_id": ["i0"], "keys": [["a", "it's"]], "size": [2**53 + 11]})
    add_table(output, "n2", "signatures", signatures)
    bring(warehouse, output, "n2", tables=[*SOME, "signatures"])
    bring(warehouse, output, "n3", "n1")
    images = warehouse.rows("images")
    later = {row["image_id"]: row.pop("later") for row in images}
    assert [*warehouse.columns("images")][-1] == "later"
    assert warehouse.columns("images")["later"] == warehouse.types[pa.string()]
    assert in_order(images) == truth(warehouse, nights)["images"]
    assert later == {
        **{row["image_id"]: None for row in images},
        **dict(zip([row["image_id"] for row in nights["n2"]["images"]], "pqrs", strict=True)),
    }
    newer = [{"snapshot_id": "n2", **row} for row in signatures.to_pylist()]
    assert warehouse.rows("signatures") == newer
    assert ids(warehouse, "latest_images") == ["n3"]
    assert warehouse.rows("latest_signatures") == []


def test_a_snapshot_of_the_first_format_has_nulls_and_an_empty_table(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few())
    to_first_format(output, "n1")
    bring(warehouse, output, tables=["images", "image_references"])
    of_first = {"images": [row | dict.fromkeys(OF_OCI["images"]) for row in few()["images"]]}
    wanted = expected(warehouse, "n1", "images", of_first)
    assert in_order(warehouse.rows("images")) == in_order(wanted)
    assert warehouse.rows("image_references") == []


def test_a_newer_major_format_is_refused_and_the_others_are_loaded(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few("one"))
    publish_rows(output, "n2", few("two"), night=1)
    manifest = json.loads((output / "manifests" / "n2.json").read_bytes())
    write_manifest(output, manifest | {"format_version": "2.0"})
    with pytest.raises(IntegrityError, match=r"format version 2\.0"):
        bring(warehouse, output, "n2")
    assert warehouse.relations() == set()
    result = run(warehouse, output)
    assert [one.snapshot_id for one in result.loaded] == ["n1"]
    assert result.selection.unreadable == ("n2",)


@pytest.mark.parametrize("taken", ["images", "latest_layers", "snapshots"])
def test_a_table_that_is_not_ours_is_refused_before_anything_is_written(
    warehouse: Kind, output: Path, taken: str
) -> None:
    publish_rows(output, "n1", few())
    warehouse.make_foreign(taken)
    with pytest.raises(LoadError, match=f"{taken}.*--schema|{taken}.*schema") as refused:
        bring(warehouse, output)
    assert refused.value.exit_code == 7
    assert warehouse.relations() == {taken}
    assert [[*row.values()] for row in warehouse.rows(taken)] == [[42]]
    assert bring(warehouse, output, schema="elsewhere") == ["n1"]
    assert differences(warehouse, {"n1": few()}, "elsewhere") == {}


def test_a_partial_snapshot_is_loaded_only_where_asked_for_and_is_never_the_latest(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few("one"))
    publish_rows(output, "n2", few("two"), night=1, status="partial")
    result = run(warehouse, output)
    assert [one.snapshot_id for one in result.loaded] == ["n1"]
    assert result.selection.partial == ("n2",)
    with pytest.raises(SettingsError, match="Snapshot n2 is partial"):
        bring(warehouse, output, "n2")
    assert bring(warehouse, output, partial=True) == ["n2"]
    status = {row["snapshot_id"]: row["status"] for row in warehouse.rows("snapshots")}
    assert status == {"n1": "complete", "n2": "partial"}
    assert ids(warehouse, "images") == ["n1", "n2"]
    assert ids(warehouse, "latest_images") == ["n1"]


def test_a_snapshot_of_which_a_part_vanished_is_not_the_latest_as_in_the_output(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few("one"))
    publish_rows(output, "n2", few("two"), night=1, vanished=1)
    assert bring(warehouse, output) == ["n1", "n2"]
    assert ids(warehouse, "latest_tags") == ["n1"]


def test_a_tag_that_vanished_from_an_oci_registry_keeps_no_snapshot_from_the_views(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few("one"), kind="oci")
    publish_rows(output, "n2", few("two"), night=1, kind="oci", vanished=1)
    named = json.loads((output / "manifests" / "latest.json").read_bytes())["snapshot_id"]
    assert named == "n2"
    assert bring(warehouse, output) == ["n1", "n2"]
    assert ids(warehouse, "latest_tags") == [named]


def test_new_is_what_the_output_s_own_has_published_since(warehouse: Kind, output: Path) -> None:
    publish_rows(output, "n0", few("zero"), scope={"folders": ["f"]})
    publish_rows(output, "n1", few("one"), night=1)
    assert bring(warehouse, output, dry_run=True) == []
    assert warehouse.relations() == set()
    assert bring(warehouse, output) == ["n1"]
    publish_rows(output, "n2", few("two"), night=2)
    assert bring(warehouse, output) == ["n2"]
    publish_rows(output, "n1", few("anew"), night=3, replace=True)
    assert bring(warehouse, output) == ["n1"]
    assert differences(warehouse, {"n1": few("anew"), "n2": few("two")}) == {}
    assert bring(warehouse, output, "n0", "new") == ["n0"]


def test_some_tables_alone_are_loaded_and_a_replaced_snapshot_leaves_all_of_them(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few("one"))
    bring(warehouse, output, tables=["images", "tags"])
    assert warehouse.relations() == {
        *("images", "latest_images", "tags", "latest_tags", "snapshots"),
    }
    bring(warehouse, output, "n1", tables=["layers"])
    assert in_order(warehouse.rows("images")) == truth(warehouse, {"n1": few("one")})["images"]
    publish_rows(output, "n1", few("anew"), night=1, replace=True)
    bring(warehouse, output, tables=["tags"])
    assert (warehouse.rows("images"), warehouse.rows("layers")) == ([], [])
    assert len(warehouse.rows("tags")) == len(few()["tags"])
    with pytest.raises(SettingsError, match="There is no table imges"):
        bring(warehouse, output, tables=["imges"])


def test_a_prune_removes_what_the_output_has_no_more_and_nothing_of_other_outputs(
    warehouse: Kind, output: Path
) -> None:
    other = output.with_name("other")
    publish_rows(other, "other", few("other"), scope={"folders": ["f"]})
    for number, snapshot_id in enumerate(("n1", "n2", "n3")):
        publish_rows(output, snapshot_id, few(snapshot_id), night=number)
    bring(warehouse, other)
    bring(warehouse, output)
    (output / "manifests" / "n1.json").unlink()
    (output / "manifests" / "n2.json").write_text("not a manifest")
    assert run(warehouse, output, prune=True, dry_run=True).removed == ("n1",)
    assert ids(warehouse) == ["n1", "n2", "n3", "other"]
    assert run(warehouse, output, prune=True).removed == ("n1",)
    assert ids(warehouse) == ["n2", "n3", "other"]
    there = {"n2": few("n2"), "n3": few("n3"), "other": few("other")}
    assert differences(warehouse, there) == {}


def test_a_damaged_file_is_named_and_what_was_there_stays(warehouse: Kind, output: Path) -> None:
    publish_rows(output, "n1", few("one"))
    bring(warehouse, output)
    publish_rows(output, "n1", few("anew"), night=1, replace=True)
    publish_rows(output, "n2", few("two"), night=2)
    (part,) = [
        path
        for path in (output / "parquet" / "tags" / "snapshot_id=n1").iterdir()
        if path.suffix == ".parquet"
    ]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    result = run(warehouse, output)
    ((snapshot_id, error),) = result.unloaded
    assert snapshot_id == "n1"
    assert part.name in str(error)
    assert "SHA-256" in str(error)
    assert [one.snapshot_id for one in result.loaded] == ["n2"]
    assert differences(warehouse, {"n1": few("one"), "n2": few("two")}) == {}


def test_rows_that_are_not_as_many_as_the_manifest_says_leave_nothing_of_the_snapshot(
    warehouse: Kind, output: Path
) -> None:
    publish_rows(output, "n1", few("one"))
    bring(warehouse, output)
    publish_rows(output, "n2", few("two"), night=1)
    manifest = json.loads((output / "manifests" / "n2.json").read_bytes())
    (file,) = manifest["tables"]["tags"]["files"]
    part = output / file["path"]
    pq.write_table(pq.ParquetFile(part).read()[1:], part)
    content = part.read_bytes()
    file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(output, manifest)
    with pytest.raises(LoadError, match=r"table tags has 3 rows .* the manifest says 4") as refused:
        bring(warehouse, output)
    assert warehouse.url.split("@")[-1].split("?")[0] in str(refused.value)
    assert differences(warehouse, {"n1": few("one")}) == {}
    assert ids(warehouse) == ["n1"]

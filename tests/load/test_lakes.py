"""Loads into Iceberg and Delta: whole or not there by the join, whatever kills or meets them."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from exporter.errors import LoadError, LockedError
from exporter.load.lake import LakeWarehouse
from exporter.load.loader import LoadResult, load
from exporter.load.targets import open_warehouse
from exporter.settings import Settings, settings_alone
from exporter.storage.lock import Lock, NoLocksError
from exporter.tables.schemas import TABLES
from tests.e2e.commands import Exporter
from tests.load.lakes import DeltaLake, IcebergLake, Lake, joined, rows
from tests.load.published import (
    add_column,
    hostile_rows,
    in_order,
    publish_rows,
    true_rows,
)

KINDS: dict[str, Callable[[Path], Lake]] = {
    "delta": DeltaLake,
    "iceberg": IcebergLake,
}
SOME = ("images", "tags")
"""A load of all tables takes seconds: each is a table with a log of its own."""


@pytest.fixture(params=KINDS)
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    return KINDS[request.param](tmp_path / "lake")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


def settings(lake: Lake, output: Path, **how: Any) -> Settings:
    return settings_alone({"output": {"url": str(output)}, "load": {**lake.load, **how}})


def bring(
    lake: Lake, output: Path, *names: str, prune: bool = False, tables: Sequence[str] = SOME
) -> LoadResult:
    told = settings(lake, output, tables=[*tables])
    return load(told, names or ("new",), prune=prune)


def has(lake: Lake, output: Path, snapshot_id: str, tables: Sequence[str] = SOME) -> bool:
    """Say whether a reader of each table finds exactly the rows that the output has."""
    return all(
        in_order(rows(lake, name, snapshot_id)) == in_order(true_rows(output, snapshot_id, name))
        for name in tables
    )


def test_every_table_of_two_nights_equals_the_snapshots_row_for_row_and_type_for_type(
    lake: Lake, output: Path
) -> None:
    for night, count in enumerate((60, 40)):
        publish_rows(output, f"n{night}", hostile_rows(count, f"m{night}"), night=night)
    every = tuple(TABLES)
    loaded = bring(lake, output, tables=()).loaded
    assert [one.snapshot_id for one in loaded] == ["n0", "n1"]
    assert bring(lake, output, tables=()).loaded == ()
    assert len(bring(lake, output, "n0", tables=()).loaded) == 1
    assert has(lake, output, "n0", every)
    assert has(lake, output, "n1", every)
    for name, table in TABLES.items():
        there = lake.table(name)
        assert there is not None
        types = {"snapshot_id": pa.string()} | {one.name: one.type for one in table.schema}
        assert [(one.name, one.type) for one in there.schema] == [*types.items()]
        assert {*there.column("snapshot_id").to_pylist()} == {"n0", "n1"}
    # ClickHouse's own readers of both formats share no code with those that wrote.
    assert lake.ask_clickhouse(
        "SELECT toString(min(created_at)), toString(max(created_at)), max(compressed_size), "
        f"count(), any(toTypeName(layer_count)) FROM {lake.function('images')} "
        "WHERE snapshot_id = 'n0'"
    ) == [
        "0001-01-01 00:00:00.000000",
        "9999-12-31 23:59:59.999999",
        2**63 - 1,
        60,
        "Nullable(Int32)",
    ]


def test_tables_and_columns_have_their_meanings(lake: Lake, output: Path) -> None:
    publish_rows(output, "n0", hostile_rows(1))
    bring(lake, output)
    said = lake.comments("images")
    assert said[""].startswith(f"{TABLES['images'].description}.")
    for field in TABLES["images"].schema:
        assert said[field.name] == field.metadata[b"description"].decode()


def test_a_load_that_is_killed_at_any_moment_shows_a_snapshot_whole_or_not_at_all(
    lake: Lake, tmp_path: Path
) -> None:
    exporter = Exporter(tmp_path)
    outputs, commands = [tmp_path / "a", tmp_path / "b"], []
    for night, place in enumerate(outputs):
        publish_rows(place, "n0", hostile_rows(5, "both"))
        publish_rows(place, "n1", hostile_rows(20 + night, place.name), night=1 + night)
        told = {"output": {"url": str(place)}, "load": {**lake.load, "tables": [*SOME]}}
        config = exporter.write_config(told).rename(tmp_path / f"{place.name}.yaml")
        commands.append(("load", "--config", str(config), "--log-format", "json"))
    assert exporter.command(*commands[0]).code == 0
    started = time.monotonic()
    assert exporter.command(*commands[1], "--snapshot", "n1").code == 0
    lasts = time.monotonic() - started
    whole = [[in_order(true_rows(place, "n1", name)) for name in SOME] for place in outputs]
    other = [in_order(true_rows(outputs[0], "n0", name)) for name in SOME]
    chance, ends = random.Random(16), set()
    for number in range(20):
        process = exporter.start_command(*commands[number % 2], "--snapshot", "n1")
        time.sleep(chance.uniform(0.2, 1) * lasts)
        process.signal(signal.SIGKILL)
        ends.add(process.wait().code)
        tables, snapshots = [lake.table(name) for name in SOME], lake.table("snapshots")
        shown = [in_order(joined(one, snapshots, "n1")) for one in tables]
        assert shown in (*whole, [[] for _ in SOME])
        assert [in_order(joined(one, snapshots, "n0")) for one in tables] == other
    assert -signal.SIGKILL in ends
    # The run that comes next mends it, and takes away what the others left.
    assert exporter.command(*commands[1]).code == 0
    assert has(lake, outputs[1], "n1")
    assert has(lake, outputs[1], "n0")


def test_two_loaders_at_once_double_no_row(lake: Lake, output: Path, tmp_path: Path) -> None:
    exporter = Exporter(tmp_path)
    publish_rows(output, "n0", hostile_rows(20))
    bring(lake, output)
    publish_rows(output, "n1", hostile_rows(20, "b"), night=1)
    told = {"output": {"url": str(output)}, "load": {**lake.load, "tables": [*SOME]}}
    flags = ("load", "--config", str(exporter.write_config(told)), "--log-format", "json")
    opened = open_warehouse(settings(lake, output), look_only=False)
    with opened:
        refused = exporter.command(*flags)
        assert refused.code == 11
        assert "Another load holds" in refused.said
        assert len(refused.said.splitlines()) == 1
    ended = [one.wait() for one in [exporter.start_command(*flags) for _ in range(2)]]
    assert sorted(run.code for run in ended) in ([0, 0], [0, 11]), [run.said for run in ended]
    assert has(lake, output, "n0")
    assert has(lake, output, "n1")


def test_a_loader_that_no_lock_reaches_is_refused_by_the_log_and_doubles_no_row(
    lake: Lake, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_rows(output, "n0", hostile_rows(20))
    bring(lake, output)

    def no_locks(_lock: Lock) -> Lock:
        raise NoLocksError("A share without locks, as two machines may see it.")

    monkeypatch.setattr(Lock, "__enter__", no_locks)
    met: list[bool] = []

    class Meets(LakeWarehouse):
        """Lets another load pass between this one's first commit and its last one."""

        def begin(self, content: Any) -> Any:
            writer = super().begin(content)
            table = writer._tables["tags"]
            replace = table.replace

            def meet(*arguments: Any) -> object:
                if not met:
                    met.append(True)
                    bring(lake, output, "n0")
                return replace(*arguments)

            monkeypatch.setattr(table, "replace", meet)
            return writer

    opened = open_warehouse(settings(lake, output), look_only=False)
    assert isinstance(opened, LakeWarehouse)
    first = Meets(opened._lake)
    monkeypatch.setattr(
        "exporter.load.loader.open_warehouse",
        lambda told, look_only: open_warehouse(told, look_only=look_only) if met else first,
    )
    with pytest.raises(LockedError, match="Another load or prune changed"):
        bring(lake, output, "n0")
    assert met
    assert has(lake, output, "n0")


def test_a_column_of_a_newer_minor_format_is_null_in_older_and_newer_rows_without_it(
    lake: Lake, output: Path
) -> None:
    for night in range(3):
        publish_rows(output, f"n{night}", hostile_rows(5, f"m{night}"), night=night)
    add_column(output, "n1", "images", "score", ["high"] * 5)
    for night in range(3):
        bring(lake, output, f"n{night}")
    assert has(lake, output, "n1")
    for night in (0, 2):
        wanted = [row | {"score": None} for row in true_rows(output, f"n{night}", "images")]
        assert in_order(rows(lake, "images", f"n{night}")) == in_order(wanted)
    assert lake.comments("images")["score"] == "It came later"


def test_files_of_a_killed_load_are_removed_by_the_next_and_no_file_of_others(
    lake: Lake, output: Path
) -> None:
    publish_rows(output, "n0", hostile_rows(5))
    bring(lake, output)
    (used,) = lake.data_files("images")
    left = used.with_name(f"registry-exporter-{'0' * 32}-00000.parquet")
    others = used.with_name("part-of-somebody-else.parquet")
    for one in (left, others):
        shutil.copy(used, one)
    bring(lake, output, prune=True)
    assert lake.data_files("images") == {used, others}
    shutil.copy(used, left)
    publish_rows(output, "n1", hostile_rows(5), night=1)
    bring(lake, output)
    assert left not in lake.data_files("images")
    assert {used, others} < lake.data_files("images")
    assert has(lake, output, "n0")
    assert has(lake, output, "n1")


@pytest.mark.parametrize("keep", [True, False])
def test_replaced_and_pruned_rows_keep_their_files_as_long_as_the_table_says(
    lake: Lake, output: Path, *, keep: bool
) -> None:
    for night in range(2):
        publish_rows(output, f"n{night}", hostile_rows(5, f"m{night}"), night=night)
    bring(lake, output)
    first = lake.data_files("images")
    if not keep:
        lake.keep_nothing("images")
    (output / "manifests" / "n0.json").unlink()
    assert bring(lake, output, prune=True).removed == ("n0",)
    assert rows(lake, "images", "n0") == []
    there = lake.table("images")
    assert there is not None
    assert {*there.column("snapshot_id").to_pylist()} == {"n1"}
    assert len(first - lake.data_files("images")) == (0 if keep else 1)
    bring(lake, output, "n1")
    assert has(lake, output, "n1")
    assert len(lake.data_files("images")) == (3 if keep else 1)


@pytest.mark.parametrize("taken", ["images", "snapshots"])
def test_a_table_that_is_not_ours_is_refused_before_anything_is_written(
    lake: Lake, output: Path, taken: str
) -> None:
    publish_rows(output, "n0", hostile_rows(1))
    lake.make_foreign(taken)
    with pytest.raises(LoadError, match=f"The name {taken} in .* is taken"):
        bring(lake, output)
    for name in ("snapshots", *TABLES):
        assert (lake.table(name) is not None) == (name == taken)


def test_rows_that_differ_from_the_manifest_name_the_table_and_leave_nothing(
    lake: Lake, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_rows(output, "n0", hostile_rows(5))
    monkeypatch.setattr("exporter.load.rows.TableRows.rows", 6)
    with pytest.raises(LoadError, match="The table images has 5 rows"):
        bring(lake, output)
    assert rows(lake, "images", "n0") == []
    assert lake.data_files("images") == set()


def test_a_full_disk_ends_in_a_sentence_and_leaves_what_was_there(
    lake: Lake, output: Path, tmp_path: Path
) -> None:
    exporter = Exporter(tmp_path)
    images = [
        {"image_id": f"i{number}", "digest": hashlib.sha512(str(number).encode()).hexdigest()}
        for number in range(2000)
    ]
    publish_rows(output, "n0", hostile_rows(5))
    publish_rows(output, "n1", {"images": images}, night=1)
    told = {"output": {"url": str(output)}, "load": {**lake.load, "tables": ["images"]}}
    flags = ("load", "--config", str(exporter.write_config(told)), "--log-format", "json")
    assert exporter.command(*flags, "--snapshot", "n0").code == 0
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000,) * 2)"
    exporter.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    run = exporter.start_command(*flags, "--snapshot", "n1", before=limit).wait()
    assert run.code == 7, run.said
    assert "the file would be larger than this process or file system allows" in run.said
    there = lake.table("images")
    assert there is not None
    assert {*there.column("snapshot_id").to_pylist()} == {"n0"}
    assert len(lake.data_files("images")) == 1


def test_a_dry_run_creates_nothing(lake: Lake, output: Path) -> None:
    publish_rows(output, "n0", hostile_rows(1))
    result = load(settings(lake, output), dry_run=True)
    assert [one.manifest.snapshot_id for one in result.planned] == ["n0"]
    assert lake.table("snapshots") is None
    assert not (lake.folder / "registry_inventory").exists()

"""Reading a snapshot from a folder or a bucket: what it gives, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from exporter.derive.steps import SOURCES, run_steps
from exporter.errors import ExporterError, IntegrityError, OutputError
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.publish import publish
from exporter.snapshots.selection import read_snapshot
from exporter.staging.layout import Format
from exporter.storage.access import Access, Key
from exporter.storage.destination import Destination
from exporter.storage.opening import open_destination
from exporter.tables.schemas import TABLES
from tests.s3 import S3
from tests.snapshot.world import draft, image_rows, snapshot_of, stage

PARQUET = "parquet/images/snapshot_id=first/part-00000.parquet"
BOTH: list[Format] = ["parquet", "ndjson"]


def published(destination: Destination, staging: Path, formats: list[Format] = BOTH) -> Manifest:
    return publish(
        destination, draft("first"), stage(staging, formats=formats), staging=staging, replace=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # A reader that looks for columns in paths would find three here.
    out = tmp_path / "size=7" / "images=all"
    published(open_destination(str(out)), tmp_path / "staging")
    return out


@pytest.fixture
def s3() -> Iterator[S3]:
    with S3() as server:
        yield server


@pytest.fixture
def bucket(s3: S3) -> Destination:
    key = Key(SecretStr("id"), SecretStr("secret"))
    access = Access(endpoint=s3.url, path_style=True, key=key)
    return open_destination("s3://bucket/inventory", access)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    if request.param == "folder":
        return open_destination(str(tmp_path / "out"))
    found: Destination = request.getfixturevalue("bucket")
    return found


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("formats", [["parquet"], ["ndjson"], BOTH], ids="-".join)
def test_the_same_rows_come_from_every_place_and_format(
    place: Destination, formats: list[Format], tmp_path: Path, temporary: Path
) -> None:
    manifest = published(place, tmp_path / "staging", formats)
    expected = pa.Table.from_pylist(image_rows(5, "a")["images"], TABLES["images"].schema)
    with read_snapshot(place) as snapshot, duckdb.connect() as connection:
        assert snapshot.manifest == manifest
        assert snapshot.tables == list(TABLES)
        dataset = snapshot.dataset("images")
        assert dataset.schema.names == TABLES["images"].schema.names
        assert dataset.to_table().sort_by("image_id").to_pylist() == expected.to_pylist()
        one = dataset.to_table(columns=["digest"], filter=ds.field("image_id") == "image-a-3")
        assert one.to_pylist() == [{"digest": f"sha256:{3:064x}"}]
        read = snapshot.read("images", ["image_id"], where=pc.field("image_id") > "image-a-2")
        assert sorted(read["image_id"].to_pylist()) == ["image-a-3", "image-a-4"]
        (path,) = snapshot.paths("images")
        assert pq.read_metadata(path).num_rows == 5
        snapshot.register(connection)
        snapshot.register(connection, ["images"], schema="before")
        for name, table in TABLES.items():
            relation = connection.sql(f"FROM {name}")
            assert relation.columns == table.schema.names
            assert relation.to_arrow_table().num_rows == manifest.tables[name].rows
        query = "SELECT sum(n.compressed_size) FROM images JOIN before.images AS n USING (image_id)"
        total = sum(expected["compressed_size"].to_pylist())
        assert connection.execute(query).fetchall() == [(total,)]
        snapshot.check()
    assert list(temporary.iterdir()) == []


def test_views_and_datasets_know_no_column_of_a_path(folder: Path) -> None:
    destination = open_destination(str(folder))
    with read_snapshot(destination, "first") as snapshot, duckdb.connect() as connection:
        snapshot.register(connection, ["layers"])
        names = TABLES["layers"].schema.names
        assert snapshot.dataset("layers").schema.names == names
        assert snapshot.read("layers", ["size"])["size"].to_pylist() == [1000, 1001] * 5
        assert connection.sql("SELECT * FROM layers").columns == names


def test_files_are_those_of_the_manifest(folder: Path) -> None:
    with read_snapshot(open_destination(str(folder))) as snapshot:
        files = snapshot.files("images")
        assert [(file.format, file.rows) for file in files] == [("parquet", 5), ("ndjson", 5)]
        assert [(folder / file.path).stat().st_size for file in files] == [
            file.bytes for file in files
        ]
        with pytest.raises(ExporterError, match="no table imgs: its tables are clouds, folders, "):
            snapshot.files("imgs")


def test_the_scripts_of_the_derivation_run_over_it(place: Destination, tmp_path: Path) -> None:
    published(place, tmp_path / "staging")
    with read_snapshot(place) as snapshot, duckdb.connect() as connection:
        snapshot.register(connection, SOURCES)
        run_steps(connection, ["shared"])
        uses = connection.sql("SELECT reference_count, size FROM uses ORDER BY size").fetchall()
        assert uses == [(5, 1000), (5, 1001)]
        assert connection.execute("SELECT count(*) FROM held").fetchall() == [(2,)]
        with pytest.raises(KeyError, match="sahred"):
            run_steps(connection, ["sahred"])


def test_of_a_bucket_only_what_a_query_needs_is_read(
    s3: S3, bucket: Destination, tmp_path: Path, temporary: Path
) -> None:
    published(bucket, tmp_path / "staging")
    s3.calls.clear()
    with read_snapshot(bucket) as snapshot:
        assert [call.path for call in s3.calls] == ["/bucket/inventory/manifests/latest.json"]
        assert snapshot.dataset("images").to_table(columns=["tags"]).num_rows == 5
        reads = [call for call in s3.calls if call.method == "GET"][1:]
        assert {call.path for call in reads} == {f"/bucket/inventory/{PARQUET}"}
        assert all("Range" in call.headers for call in reads)
        assert list(temporary.iterdir()) == []


def test_google_cloud_storage_is_read_as_well(s3: S3, tmp_path: Path, temporary: Path) -> None:
    place = open_destination("gs://bucket/inventory", Access(endpoint=s3.url))
    published(place, tmp_path / "staging")
    with read_snapshot(place) as snapshot, duckdb.connect() as connection:
        snapshot.register(connection, ["images"])
        assert connection.execute("SELECT count(*) FROM images").fetchall() == [(5,)]
        assert pq.read_metadata(*snapshot.paths("layers")).num_rows == 10
    assert list(temporary.iterdir()) == []


def test_a_file_of_another_size_is_refused_when_its_table_is_read(folder: Path) -> None:
    (folder / PARQUET).write_bytes(b"PAR1")
    with read_snapshot(open_destination(str(folder))) as snapshot:
        assert snapshot.dataset("layers").count_rows() == 10
        for use in (snapshot.dataset, snapshot.paths, lambda name: snapshot.check([name])):
            with pytest.raises(IntegrityError, match="has 4 bytes, and the manifest says ") as told:
                use("images")
            assert f"{PARQUET} has 4 bytes" in str(told.value)
            assert str(told.value).endswith("`registry-exporter verify first` tells what else is "
                                            "wrong.")  # fmt: skip
        with duckdb.connect() as connection, pytest.raises(IntegrityError):
            snapshot.register(connection)


def test_a_missing_file_is_refused(place: Destination, tmp_path: Path) -> None:
    published(place, tmp_path / "staging")
    with read_snapshot(place) as snapshot:
        place.delete(PARQUET)
        with pytest.raises(IntegrityError, match=f"{PARQUET} is missing: "):
            snapshot.dataset("images")


def test_a_copy_of_a_bucket_has_the_sum_of_the_manifest(
    s3: S3, bucket: Destination, tmp_path: Path, temporary: Path
) -> None:
    published(bucket, tmp_path / "staging")
    key = f"/bucket/inventory/{PARQUET}"
    s3.objects[key] = s3.objects[key][:-100] + bytes(60) + s3.objects[key][-40:]
    with read_snapshot(bucket) as snapshot:
        for use in (snapshot.paths, lambda name: snapshot.check([name])):
            with pytest.raises(IntegrityError, match="has another SHA-256 than the manifest says"):
                use("images")
    assert list(temporary.iterdir()) == []


def test_a_changed_byte_is_found_on_demand(folder: Path) -> None:
    content = bytearray((folder / PARQUET).read_bytes())
    content[100] ^= 1
    (folder / PARQUET).write_bytes(content)
    with read_snapshot(open_destination(str(folder))) as snapshot:
        snapshot.check(["layers"])
        with pytest.raises(IntegrityError, match="has another SHA-256 than the manifest says"):
            snapshot.check()


@pytest.mark.parametrize("length", [0, 12])
def test_what_is_no_parquet_is_refused(place: Destination, length: int, tmp_path: Path) -> None:
    manifest = published(place, tmp_path / "staging")
    size = next(file.bytes for file in manifest.files if file.path == PARQUET)
    place.write_atomically(PARQUET, b"PAR1"[:length] + bytes(size - min(length, 4)))
    with (
        read_snapshot(place) as snapshot,
        pytest.raises(IntegrityError, match=r"is not readable Parquet \(") as told,
    ):
        snapshot.dataset("images")
    assert "\n" not in str(told.value)


def test_other_columns_than_the_manifests_are_refused(folder: Path) -> None:
    path = folder / "manifests" / "latest.json"
    content = snapshot_of(folder)
    content["tables"]["images"]["schema"][0]["name"] = "id"
    path.write_text(json.dumps(content))
    with (
        read_snapshot(open_destination(str(folder))) as snapshot,
        pytest.raises(IntegrityError, match="has other columns than the manifest says: "),
    ):
        snapshot.dataset("images")


def test_a_snapshot_that_was_replaced_or_removed_meanwhile_says_so(
    place: Destination, tmp_path: Path
) -> None:
    published(place, tmp_path / "staging")
    with read_snapshot(place) as snapshot:
        published(place, tmp_path / "again")
        with pytest.raises(IntegrityError, match="first was replaced since it was opened; open it"):
            snapshot.dataset("images")
        place.delete("manifests/first.json")
        with pytest.raises(IntegrityError, match="snapshot first was removed since it was opened"):
            snapshot.dataset("images")


@pytest.mark.parametrize("snapshot_id", ["latest", "first"])
def test_a_newer_major_format_is_refused_and_a_newer_minor_one_read(
    folder: Path, snapshot_id: str
) -> None:
    path = folder / "manifests" / f"{snapshot_id}.json"
    content = snapshot_of(folder, snapshot_id)
    path.write_text(json.dumps(content | {"format_version": "1.99", "news": 1}))
    with read_snapshot(open_destination(str(folder)), snapshot_id) as snapshot:
        assert snapshot.dataset("images").count_rows() == 5
    path.write_text(json.dumps(content | {"format_version": "2.0"}))
    with pytest.raises(IntegrityError, match=r"format version 2\.0, .* reads up to 1\.x: use "):
        read_snapshot(open_destination(str(folder)), snapshot_id)


def test_latest_is_what_the_file_names(place: Destination, tmp_path: Path) -> None:
    with pytest.raises(ExporterError, match=r"There is no manifests/latest.json in .*, so no snap"):
        read_snapshot(place)
    first = published(place, tmp_path / "first")
    data = place.read("manifests/latest.json")
    publish(place, draft("second"), stage(tmp_path / "second"), staging=tmp_path / "second")
    with read_snapshot(place) as snapshot:
        assert snapshot.manifest.snapshot_id == "second"
    assert data is not None
    place.write_atomically("manifests/latest.json", data)
    with read_snapshot(place) as snapshot:
        assert snapshot.manifest == first
    with pytest.raises(ExporterError, match=r"There is no snapshot third in .*`registry-exporter "):
        read_snapshot(place, "third")


def test_a_bucket_that_is_lost_while_rows_are_read_is_one_sentence(
    s3: S3, bucket: Destination, tmp_path: Path
) -> None:
    published(bucket, tmp_path / "staging")
    with read_snapshot(bucket) as snapshot:
        dataset = snapshot.dataset("images")
        s3.oddities.denied = frozenset({"GET"})
        with pytest.raises(OutputError, match=rf"^Cannot read s3://bucket/inventory/{PARQUET}: "):
            dataset.to_table()


def test_a_closed_snapshot_has_left_nothing(bucket: Destination, temporary: Path) -> None:
    published(bucket, temporary / "staging", ["ndjson"])
    before = set(temporary.iterdir())
    snapshot = read_snapshot(bucket)
    (path,) = snapshot.paths("images")
    assert path.is_file()
    snapshot.close()
    snapshot.close()
    assert set(temporary.iterdir()) == before

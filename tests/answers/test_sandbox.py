"""SQL on snapshots: what it can read, that it reaches nothing else, and what it says if wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from exporter import Snapshot, open_snapshot
from exporter.errors import ExporterError, IntegrityError, QueryError
from exporter.snapshots import database
from exporter.snapshots.layout import LATEST, manifest_path
from exporter.snapshots.sandbox import open_query
from exporter.snapshots.selection import every_snapshot
from exporter.storage.access import Access, Key
from exporter.storage.opening import open_destination
from tests.answers.estates import publish_estate
from tests.answers.nights import repeat
from tests.derive.estates import Blob, Image, World, digest
from tests.s3 import S3

WORLD = World(
    images=(
        Image("i1", "r1/app", (Blob(digest(1), 10), Blob(digest(2), 5)), tags=("v1",)),
        Image("i2", "r1/app", (Blob(digest(1), 10),)),
    ),
    clouds=("c1",),
    folders=(("f1", "c1"),),
    registries=(("r1", "f1", "c1"),),
    repositories=("r1/app",),
)
COUNT = "SELECT count(*) AS n, sum(size) AS size FROM layers"
EACH = "SELECT snapshot_id, count(*) AS n FROM layers GROUP BY ALL ORDER BY 1"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish three nights, one of them as NDJSON alone, in a folder with an odd name."""
    output = tmp_path_factory.mktemp("answers") / "it's [odd] *? x=1"
    publish_estate(output, "one", WORLD)
    publish_estate(output, "two", WORLD, night=1, formats=["ndjson"])
    publish_estate(output, "three", WORLD, night=2)
    (output / "secret.csv").write_text("secret", encoding="utf-8")
    return output


@pytest.fixture(scope="module")
def snapshot(output: Path) -> Iterator[Snapshot]:
    with open_snapshot(output, "one") as snapshot:
        yield snapshot


def test_tables_are_views_with_the_id_and_sums_are_integers(snapshot: Snapshot) -> None:
    found = snapshot.query(COUNT)
    assert found.to_pylist() == [{"n": 3, "size": 25}]
    assert found.schema.field("size").type == pa.int64()
    tables = snapshot.query("SHOW TABLES").column("name").to_pylist()
    assert set(tables) == {*snapshot.tables, "snapshots"}
    rows = snapshot.query(
        "FROM images JOIN snapshots USING (snapshot_id) SELECT DISTINCT snapshot_id, status"
    )
    assert rows.to_pylist() == [{"snapshot_id": "one", "status": "complete"}]
    large = snapshot.query(f"SELECT sum({2**62}) AS s FROM range(4)").column("s").to_pylist()
    assert large == [2**64]


def test_a_snapshot_of_ndjson_alone_and_parameters(output: Path) -> None:
    with open_snapshot(output, "two") as snapshot:
        found = snapshot.query("SELECT image_id FROM images WHERE tags = [$tag]", {"tag": "v1"})
        assert found.to_pylist() == [{"image_id": "i1"}]


def test_a_path_that_is_relative(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(output.parent)
    with open_snapshot(f"./{output.name}", "one") as snapshot:
        assert snapshot.query(COUNT).to_pylist() == [{"n": 3, "size": 25}]


OTHER_FILE = "{output}/parquet/images/snapshot_id=three/part-00000.parquet"


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_csv('{output}/secret.csv')",
        "FROM read_text('{output}/secret.csv')",
        "FROM read_blob('{output}/secret.csv')",
        "FROM read_json('{output}/secret.csv')",
        "FROM '{output}/secret.csv'",
        "FROM sniff_csv('{output}/secret.csv')",
        "FROM '/etc/passwd'",
        "FROM glob('/etc/*')",
        "FROM glob('{output}/*')",
        # Another snapshot's file.
        f"FROM '{OTHER_FILE}'",
        f"FROM read_parquet('{OTHER_FILE}')",
        f"FROM parquet_metadata('{OTHER_FILE}')",
        "FROM read_parquet('https://127.0.0.1:1/x.parquet')",
        "FROM read_parquet('s3://bucket/x.parquet')",
        "FROM query('FROM ''/etc/passwd''')",
        "SELECT getenv('HOME')",
        # Variables of Python, here and in the program.
        "FROM output",
        "FROM snapshots_of_a_caller",
        "ATTACH '{output}/x.db'",
        "COPY (SELECT 1) TO '{output}/x.csv'",
        "COPY images TO '{output}/x.parquet'",
        "EXPORT DATABASE '{output}/x'",
        "IMPORT DATABASE '{output}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET VARIABLE x = 1",
        "PRAGMA threads = 1",
        "PRAGMA database_list",
        ".pragma database_list",
        "CALL pragma_version()",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "CREATE TABLE x (i INTEGER)",
        "CREATE TEMP TABLE x AS FROM images",
        "CREATE SECRET (TYPE s3)",
        "CREATE MACRO f(x) AS x",
        "DROP VIEW images",
        "INSERT INTO images VALUES (1)",
        "WITH x AS (INSERT INTO images VALUES (1) RETURNING *) FROM x",
        "DELETE FROM images",
        "UPDATE images SET image_id = 'x'",
        "TRUNCATE images",
        "USE memory",
        "PREPARE p AS SELECT 1",
        "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW images",
        "PIVOT images ON image_id",
        "",
        "-- nothing but a comment",
    ],
)
def test_sql_reaches_nothing_but_the_tables(snapshot: Snapshot, output: Path, sql: str) -> None:
    snapshots_of_a_caller = pa.table({"x": [1]})
    before = sorted(output.rglob("*"))
    with pytest.raises(QueryError) as refused:
        snapshot.query(sql.replace("{output}", str(output).replace("'", "''")))
    said = str(refused.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert "secret," not in said
    assert sorted(output.rglob("*")) == before
    assert snapshots_of_a_caller.num_rows == 1


@pytest.mark.parametrize(
    "sql",
    ["EXPLAIN FROM images", "DESCRIBE images", "SUMMARIZE images", "VALUES (1)", "FROM images;"],
)
def test_statements_that_read_are_possible(snapshot: Snapshot, sql: str) -> None:
    assert snapshot.query(sql).num_rows


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "FROM image",
            "at line 1, column 6: there is no table image; the nearest is images.",
        ),
        (
            "SELECT image_id\nFROM images\nWHERE  imge_id = ''",
            "The SQL cannot be run at line 3, column 8: Referenced column",
        ),
        ("SELECT 1 FRM images", "The SQL cannot be run at line 1, column"),
        (
            "FROM read_csv('/etc/passwd')",
            "at line 1, column 16: it can read the snapshot's own tables alone, and no file",
        ),
        (
            f"SELECT {'1, ' * 200}nothing FROM images",
            "The SQL cannot be run at line 1, column 608: Referenced column",
        ),
        ("SELECT CAST(tags[1] AS INT) FROM images", "Could not convert string 'v1' to INT32"),
        ("SELECT $a", "The SQL needs a value for $a, and none is given."),
    ],
)
def test_wrong_sql_is_one_sentence(snapshot: Snapshot, sql: str, said: str) -> None:
    with pytest.raises(QueryError) as wrong:
        snapshot.query(sql)
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_file_with_other_bytes_is_not_blamed_on_the_sql(tmp_path: Path) -> None:
    manifest = publish_estate(tmp_path, "one", WORLD)
    path = tmp_path / next(file.path for file in manifest.tables["layers"].files)
    content = bytearray(path.read_bytes())
    # The data pages; the footer, and with it the columns, stay.
    content[4:200] = bytes(196)
    path.write_bytes(content)
    with open_snapshot(tmp_path) as snapshot, pytest.raises(IntegrityError, match="SHA-256"):
        snapshot.query("FROM layers")


def test_more_rows_than_memory_are_sorted_on_disk(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "limit_for_readers", lambda: "100MB")
    inner = "SELECT hash(i) AS h, repeat('x', 150) || i AS t FROM range(1_000_000) AS r(i)"
    with open_query([snapshot], f"SELECT h, t FROM ({inner}) ORDER BY h") as rows:
        last, count = 0, 0
        for batch in rows:
            hashes = batch.column("h").to_pylist()
            assert [last, *hashes] == sorted([last, *hashes])
            last, count = hashes[-1], count + len(hashes)
    assert count == 1_000_000
    with pytest.raises(ExporterError, match="memory is too small"):
        snapshot.query("SELECT list(repeat('x', 1000) || i) FROM range(1_000_000) AS r(i)")


def test_columns_have_names_of_their_own_and_types_that_files_have(snapshot: Snapshot) -> None:
    found = snapshot.query(
        "SELECT 1 AS a, 2 AS a, 3 AS a_2, INTERVAL 1 DAY AS i, [INTERVAL 2 HOUR] AS l, "
        "'101'::BIT AS b FROM images ORDER BY image_id DESC LIMIT 1"
    )
    assert found.to_pylist() == [
        {"a": 1, "a_3": 2, "a_2": 3, "i": "1 day", "l": "['02:00:00']", "b": "101"}
    ]


def test_of_several_snapshots_each_row_says_of_which(output: Path) -> None:
    snapshots, broken = every_snapshot(open_destination(str(output)))
    assert broken == []
    with snapshots[1], open_query(snapshots, EACH) as rows:
        assert rows.read_all().to_pylist() == [
            {"snapshot_id": name, "n": 3} for name in ("one", "three", "two")
        ]


def test_snapshots_with_more_columns_or_a_table_less_are_read_together(tmp_path: Path) -> None:
    for night, name in enumerate(("one", "two", "three")):
        publish_estate(tmp_path, name, WORLD, night=night)
    change(tmp_path, "two", "images", lambda table: table.append_column("newer", [["linux"] * 2]))
    change(tmp_path, "three", "tags", None)
    snapshots, _ = every_snapshot(open_destination(str(tmp_path)))
    both = (
        "SELECT i.snapshot_id, count(*) AS n, count(newer) AS with_newer, count(tag) AS tags FROM "
    )
    both += "images i LEFT JOIN tags t USING (snapshot_id, image_id) GROUP BY ALL ORDER BY ALL"
    with open_query(snapshots, both) as rows:
        assert [tuple(row.values()) for row in rows.read_all().to_pylist()] == [
            ("one", 2, 0, 1),
            ("three", 2, 0, 0),
            ("two", 2, 2, 1),
        ]


def change(output: Path, snapshot_id: str, table: str, how: object) -> None:
    """Change a table of a published snapshot as a newer version might: its file and its manifest.

    Without `how`, the table is taken away.
    """
    path = output / manifest_path(snapshot_id)
    manifest = json.loads(path.read_text("utf-8"))
    if how is None:
        del manifest["tables"][table]
    else:
        entry = manifest["tables"][table]
        (file,) = entry["files"]
        assert callable(how)
        changed = how(pq.read_table(output / file["path"], partitioning=None))
        pq.write_table(changed, output / file["path"])
        content = (output / file["path"]).read_bytes()
        file.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        new = set(changed.schema.names) - {column["name"] for column in entry["schema"]}
        entry["schema"] += [{"name": one, "type": "string", "description": ""} for one in new]
    path.write_text(json.dumps(manifest), "utf-8")
    latest = output / LATEST
    if json.loads(latest.read_text("utf-8"))["snapshot_id"] == snapshot_id:
        latest.write_bytes(path.read_bytes())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_many_snapshots_do_not_need_many_open_files(tmp_path: Path) -> None:
    publish_estate(tmp_path, "one", WORLD)
    ids = ["one", *repeat(tmp_path, "one", 60)]
    snapshots, _ = every_snapshot(open_destination(str(tmp_path)))
    before = open_files()
    with open_query(snapshots, EACH) as rows:
        assert open_files() - before < len(ids)
        assert rows.read_all().to_pylist() == [{"snapshot_id": one, "n": 3} for one in ids]
    with open_query(
        snapshots, "SELECT count(*) AS n FROM images WHERE snapshot_id = 'one-007'"
    ) as (rows):
        assert rows.read_all().to_pylist() == [{"n": 2}]


def test_a_bucket_is_read_in_place_and_only_the_tables_that_are_named() -> None:
    key = Key(SecretStr("test"), SecretStr("test"))
    with S3() as server:
        access = Access(endpoint=server.url, path_style=True, key=key)
        destination = open_destination("s3://bucket/inventory", access)
        for night, name in enumerate(("one", "two")):
            publish_estate(destination, name, WORLD, night=night)
        snapshots, _ = every_snapshot(destination)
        server.calls.clear()
        with snapshots[0], snapshots[1], open_query(snapshots, EACH) as rows:
            assert [row["n"] for row in rows.read_all().to_pylist()] == [3, 3]
        assert {call.path.split("/")[4] for call in server.calls} == {"layers"}
        with snapshots[0] as snapshot:
            for sql in ("FROM 's3://bucket/inventory/manifests/one.json'", "FROM '/etc/passwd'"):
                with pytest.raises(QueryError, match="own tables alone"):
                    snapshot.query(sql)

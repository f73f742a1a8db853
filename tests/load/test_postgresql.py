"""What a load leaves in PostgreSQL: rows, types, keys, indexes, views, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.tables.schemas import TABLES
from tests.load.postgres import Server
from tests.load.published import hostile_rows, publish_rows
from tests.load.warehouses import Target

KEYS = """
    SELECT c.relname, array_agg(a.attname::text ORDER BY position)
    FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
    JOIN pg_namespace n ON n.oid = relnamespace
    CROSS JOIN unnest(conkey) WITH ORDINALITY AS of_key (attnum, position)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = of_key.attnum
    WHERE nspname = %s AND contype = 'p' AND NOT relispartition GROUP BY c.relname
"""


@pytest.fixture(scope="module")
def nights(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """Two nights, loaded once; tests only read."""
    output = tmp_path_factory.mktemp("nights")
    publish_rows(output, "n1", hostile_rows(40, "a"))
    publish_rows(output, "n2", hostile_rows(25, "b"), night=1)
    target = Target(postgres, 'Nights "quoted"', output)
    target.load()
    return target


def test_keys_have_the_snapshot_in_front(nights: Target) -> None:
    keys = dict(nights.ask(KEYS, nights.schema))
    assert keys == {name: ["snapshot_id", *table.key] for name, table in TABLES.items()} | {
        "snapshots": ["snapshot_id"]
    }


def test_questions_find_their_rows_by_an_index(nights: Target) -> None:
    for table, column in (
        ("layers", "digest"),
        ("images", "digest"),
        ("images", "repository_name"),
        ("tags", "tag"),
        ("blobs", "digest"),
        ("latest_layers", "image_id"),
    ):
        with nights.server.connect() as connection:
            connection.execute("SET enable_seqscan = off")
            lines = connection.execute(
                f'EXPLAIN SELECT * FROM "{nights.schema.replace(chr(34), chr(34) * 2)}".{table} '
                f"WHERE {column} = 'x'"
            ).fetchall()
        assert any("Index Scan" in line or "Index Cond" in line for (line,) in lines), (
            table,
            lines,
        )


def test_loading_again_changes_nothing_and_grows_nothing(postgres: Server, tmp_path: Path) -> None:
    publish_rows(tmp_path, "n1", hostile_rows(300))
    target = Target(postgres, "again", tmp_path)
    target.load()
    size = target.size()
    names = sorted(target.partitions())
    for _ in range(3):
        assert [one.snapshot_id for one in target.load("n1").loaded] == ["n1"]
    assert target.has("n1")
    assert sorted(target.partitions()) == names
    # The row in `snapshots` is the only one that an update leaves behind.
    assert target.size() <= size + 8192
    assert target.load().loaded == ()


def test_names_of_partitions_fit_whatever_the_id(postgres: Server, tmp_path: Path) -> None:
    ids = ["a" * 64, "a" * 63 + "b"]
    for night, one in enumerate(ids):
        publish_rows(tmp_path, one, hostile_rows(2, one[-1]), night=night)
    target = Target(postgres, "long_ids", tmp_path)
    target.load()
    assert all(target.has(one) for one in ids)
    assert len(set(target.partitions())) == 2 * len(TABLES)


def test_nul_becomes_a_replacement_character_and_is_counted(
    postgres: Server, tmp_path: Path
) -> None:
    rows = hostile_rows(8)
    rows["images"][1] |= {
        "digest": "a\0b\0",
        "tags": ["\0", "ok"],
        "labels": [("k\0", "\0v"), ("e", "\\u0000")],
    }
    rows["images"][3]["digest"] = "\0"
    publish_rows(tmp_path, "n1", rows)
    target = Target(postgres, "nul", tmp_path)
    with capture_logs() as events:
        target.load()
    told = {one["column"]: one["values"] for one in events if one["event"] == "nul_replaced"}
    assert told == {"digest": 2, "tags": 1, "labels": 1}
    assert {one["log_level"] for one in events if one["event"] == "nul_replaced"} == {"warning"}
    changed = {row["image_id"]: row for row in target.rows("images")}
    row = changed[rows["images"][1]["image_id"]]
    assert row["digest"] == "a\ufffdb\ufffd"
    assert row["tags"] == ["\ufffd", "ok"]
    assert row["labels"] == {"k\ufffd": "\ufffdv", "e": "\\u0000"}
    assert changed[rows["images"][3]["image_id"]]["digest"] == "\ufffd"
    assert target.has("n1", [name for name in TABLES if name != "images"])


def test_a_key_with_a_null_is_loaded_after_one_without(postgres: Server, tmp_path: Path) -> None:
    publish_rows(tmp_path, "n1", hostile_rows(5))
    odd = hostile_rows(5, "b")
    odd["blobs"][2]["registry_id"] = None
    odd["tags"][2]["repository_name"] = None
    publish_rows(tmp_path, "n2", odd, night=1)
    target = Target(postgres, "null_keys", tmp_path)
    target.load("n1")
    target.load("n2")
    target.load("n1")
    assert target.has("n1")
    assert target.has("n2")


def test_indexes_and_grants_of_users_live_through_a_reload(
    postgres: Server, tmp_path: Path
) -> None:
    publish_rows(tmp_path, "n1", hostile_rows(4))
    target = Target(postgres, "users", tmp_path)
    target.load()
    with postgres.connect() as connection:
        connection.execute("CREATE ROLE analyst LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA users TO analyst")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA users TO analyst")
        connection.execute('CREATE INDEX "it%s USING %%" ON users.images (lower(kind)) WHERE true')
        connection.execute("CREATE VIEW users.theirs AS SELECT image_id FROM users.latest_images")
        connection.execute("DROP INDEX users.layers_digest_idx")
    publish_rows(tmp_path, "n2", hostile_rows(4, "b"), night=1)
    target.load("n1", "n2")
    with postgres.connect(user="analyst") as connection:
        assert connection.execute("SELECT count(*) FROM users.latest_layers").fetchone() == (4,)
    found = dict(
        target.ask(
            "SELECT tablename, count(*) FROM pg_indexes WHERE schemaname = 'users' "
            "AND tablename ~ '^(images|layers)_' GROUP BY tablename"
        )
    )
    assert sorted(found.values()) == [1, 1, 4, 4]
    assert target.ask("SELECT count(*) FROM users.theirs") == [(4,)]

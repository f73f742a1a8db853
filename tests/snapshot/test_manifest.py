"""The manifest: exact, the same for the same run, and refused in a sentence when broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from exporter.errors import IntegrityError
from exporter.snapshots.manifest import (
    File,
    Manifest,
    Plain,
    columns_of,
    plain_row,
    rfc3339,
    table_entry,
    type_name,
)
from exporter.tables.schemas import TABLES
from tests.snapshot.world import draft


def _whole() -> Manifest:
    path = "parquet/clouds/snapshot_id=first/part-00000.parquet"
    file = File(path=path, format="parquet", rows=2**60, bytes=2**53 + 1, sha256="0" * 64)
    return draft("first").model_copy(update={"tables": {"clouds": table_entry("clouds", [file])}})


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_whole().to_bytes())
    return content


def test_a_manifest_has_the_keys_of_the_data_model_and_comes_back() -> None:
    content = _content()
    assert list(content) == [
        "format_version",
        "generator",
        "snapshot_id",
        "status",
        "started_at",
        "finished_at",
        "source",
        "scope",
        "tables",
        "totals",
        "coverage",
        "requests",
        "publication",
    ]
    assert list(content["tables"]["clouds"]) == ["rows", "schema", "files"]
    assert list(content["tables"]["clouds"]["files"][0]) == [
        "path",
        "format",
        "rows",
        "bytes",
        "sha256",
    ]
    assert Manifest.parse(_whole().to_bytes()) == _whole()


def test_integers_are_exact_and_the_text_ends_with_a_newline() -> None:
    data = _whole().to_bytes()
    assert data.endswith(b"}\n")
    assert b'"rows": 1152921504606846976' in data
    assert b'"bytes": 9007199254740993' in data


def test_the_same_run_gives_the_same_text_whatever_the_order_it_was_told_in() -> None:
    one = draft("first").model_copy(update={"coverage": {"failed": 1, "complete": 2}})
    other = draft("first").model_copy(update={"coverage": {"complete": 2, "failed": 1}})
    assert one.to_bytes() == other.to_bytes()


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 11, 23, 2, tzinfo=UTC), "2026-11-23T02:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC), "2026-01-01T00:00:00.000005Z"),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=3))), "2025-12-31T21:00:00Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(time: datetime, text: str) -> None:
    assert rfc3339(time) == text


def test_a_totals_row_becomes_plain_values() -> None:
    row: dict[str, Plain] = {
        "scope": "total",
        "stored_size": 2**60,
        "complete": True,
        "oldest_image_at": None,
    }
    time = datetime(2026, 1, 1, tzinfo=UTC)
    expected = row | {"newest_image_at": "2026-01-01T00:00:00Z"}
    assert plain_row({**row, "newest_image_at": time}) == expected


def test_types_are_named_as_the_data_model_names_them() -> None:
    names = {column.name: column.type for column in columns_of(TABLES["images"].schema)}
    assert names["tags"] == "list<string>"
    assert names["created_at"] == "timestamp[us, UTC]"
    assert names["layer_count"] == "int32"
    assert type_name(TABLES["clouds"].schema.field("labels").type) == "map<string,string>"
    assert type_name(pa.timestamp("us")) == "timestamp[us]"


def test_a_newer_minor_version_is_read_and_its_new_keys_are_passed_over() -> None:
    content = _content() | {"format_version": "1.7", "novelty": {"a": 1}}
    content["requests"]["cached"] = 3
    manifest = Manifest.parse(json.dumps(content).encode())
    assert manifest.format_version == "1.7"
    assert manifest.snapshot_id == "first"


def _broken(**changes: object) -> bytes:
    return json.dumps(_content() | changes).encode()


def _with_file(**changes: object) -> bytes:
    content = _content()
    content["tables"]["clouds"]["files"][0].update(changes)
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "latest is not JSON"),
        (b"\xff\xfe", "latest is not JSON"),
        (b"[]", "latest is not a JSON object"),
        (b"{}", "latest has no format_version such as 1.1"),
        (_broken(format_version=1.0), "latest has no format_version"),
        (
            _broken(format_version="2.0"),
            "version 2.0, and this program reads up to 1.x: use a newer",
        ),
        (_broken(status="done"), "latest is broken: status: "),
        (_broken(snapshot_id="../etc"), "latest is broken: snapshot_id: "),
        (_broken(snapshot_id="a\n"), "latest is broken: snapshot_id: "),
        (_broken(started_at="2026-11-23T02:00:00"), "latest is broken: started_at: "),
        (_broken(tables={"clouds": {"rows": 1}}), "latest is broken: tables.clouds.schema: "),
        (_with_file(rows=1), "the files of clouds do not add up to its"),
        (_with_file(bytes=-1), "latest is broken: tables.clouds.files.0.bytes: "),
        (_with_file(sha256="abc"), "latest is broken: tables.clouds.files.0.sha256: "),
        (_with_file(path="/etc/passwd"), "'/etc/passwd' is not where a file of clouds belongs"),
        (
            _with_file(path="parquet/clouds/snapshot_id=other/part-00000.parquet"),
            "is not where a file of clouds belongs",
        ),
        (
            _with_file(path="parquet/clouds/snapshot_id=first/../../x"),
            "is not where a file of clouds belongs",
        ),
    ],
)
def test_a_broken_manifest_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(IntegrityError) as refusal:
        Manifest.parse(data, "latest")
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_named_twice_is_refused() -> None:
    content = _content()
    files = content["tables"]["clouds"]["files"]
    content["tables"]["clouds"]["rows"] *= 2
    files.append(files[0])
    with pytest.raises(IntegrityError, match="is named twice"):
        Manifest.parse(json.dumps(content).encode())

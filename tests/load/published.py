"""Snapshots of rows that are hard to load, published without an export, and what they hold."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.snapshots.manifest import Manifest, Requests, Status, type_name
from exporter.snapshots.publish import publish
from exporter.staging.layout import Format, StagedFile
from exporter.staging.parquet import write_table
from exporter.storage.opening import open_destination
from exporter.tables.columns import Table
from exporter.tables.schemas import TABLES

Row = dict[str, Any]
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
TEXTS = (
    "",
    " ",
    'it\'s "quoted"',
    "two\nlines\r\n\ttab",
    "back\\slash \\u0000 \\N",
    "😀 ünï 漢字",
    "{a,b}",
    "NULL",
    "%s $1 {}",
    "\u202e\u200b\ufeff",
    "x" * 3000,
)
NUMBERS = (0, -1, 2**53 + 11, 2**63 - 1, -(2**63))


def hostile_rows(
    count: int, mark: str = "a", tables: Collection[str] = tuple(TABLES)
) -> dict[str, list[Row]]:
    """Return rows for tables, whose values run through all that is hard for a type.

    `mark` makes the rows of two snapshots differ.
    """
    return {
        name: [
            {field.name: _value(table.key, field, number, mark) for field in table.schema}
            for number in range(count)
        ]
        for name, table in TABLES.items()
        if name in tables
    }


def _value(key: Sequence[str], field: pa.Field, number: int, mark: str) -> Any:
    # Columns of one row must not all be null at once, so each starts elsewhere.
    turn = number + sum(field.name.encode())
    text = TEXTS[turn % len(TEXTS)]
    if field.name in key:
        return number if pa.types.is_integer(field.type) else f"{mark}{number} {text[:40]}"
    if turn % 5 == 0:
        return None
    values: dict[str, Sequence[Any]] = {
        "string": [f"{mark}{text}"],
        "int64": NUMBERS,
        "int32": (0, -1, 2**31 - 1, -(2**31)),
        "bool": (True, False),
        "timestamp[us, UTC]": (FIRST, LAST, START, START + timedelta(microseconds=turn)),
        "map<string,string>": ([], [(text, "v"), ("k", "")], [("", "\\u0000")]),
        "list<string>": ([], [text, "", text], [None, text]),
    }
    several = values[type_name(field.type)]
    return several[turn % len(several)]


def publish_rows(
    output: Path,
    snapshot_id: str,
    rows: Mapping[str, list[Row]],
    *,
    night: int = 0,
    status: Status = "complete",
    format_: Format = "parquet",
    scope: Mapping[str, Any] | None = None,
    vanished: int = 0,
    kind: str | None = None,
    replace: bool = False,
) -> Manifest:
    """Publish a snapshot with these rows, which started `night` days after `START`.

    So many listings have `vanished` during it. `kind` is the source's, if it is told.
    """
    start = START + timedelta(days=night)
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder)
        write = write_table if format_ == "parquet" else _write_lines
        files = [
            write(staging, table, [pa.Table.from_pylist(rows.get(name, []), schema=table.schema)])
            for name, table in TABLES.items()
        ]
        manifest = Manifest(
            generator="registry-exporter 0.0.0",
            snapshot_id=snapshot_id,
            status=status,
            started_at=start,
            finished_at=start + timedelta(minutes=1),
            source={"profile": "nebius-il", "name": 'it\'s "here" \\ 😀'}
            | ({} if kind is None else {"kind": kind}),
            scope=dict(scope or {"registries": ["registry"]}),
            totals=dict.fromkeys(TABLES["size_totals"].schema.names)
            | {"image_count": len(rows.get("images", [])), "stored_size": 2**53 + 11},
            coverage={"complete": 1, "vanished": vanished}
            | ({} if status == "complete" else {"failed": 2}),
            requests=Requests(calls=1, retries=0, throttled=0, bytes=100),
        )
        return publish(
            open_destination(str(output)), manifest, files, staging=staging, replace=replace
        )


def _write_lines(folder: Path, table: Table, content: list[pa.Table]) -> StagedFile:
    """Write a table as NDJSON, as the data model says, without the program's own writer."""
    path = folder / f"{table.name}.ndjson.gz"
    maps = [field.name for field in table.schema if pa.types.is_map(field.type)]
    rows = [row for part in content for row in part.to_pylist()]
    for row in rows:
        row |= {one: dict(row[one]) for one in maps if row[one] is not None}
    lines = "".join(f"{json.dumps(row, default=_rfc3339)}\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode()))
    return StagedFile(table.name, "ndjson", path, len(rows))


def _rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def add_column(output: Path, snapshot_id: str, table: str, name: str, values: list[str]) -> None:
    """Make a snapshot one of a newer minor format, which has a column of text more."""
    path = output / "manifests" / f"{snapshot_id}.json"
    manifest = json.loads(path.read_bytes())
    entry = manifest["tables"][table]
    (file,) = entry["files"]
    parquet = output / file["path"]
    rows = pq.read_table(parquet, partitioning=None)
    column = pa.field(name, pa.string(), metadata={"description": "It came later"})
    pq.write_table(rows.append_column(column, pa.array(values)), parquet)
    file |= _sums(parquet)
    entry["schema"].append({"name": name, "type": "string", "description": "It came later"})
    write_manifest(output, manifest | {"format_version": "1.9"})


def add_table(output: Path, snapshot_id: str, name: str, rows: pa.Table) -> None:
    """Make a snapshot one of a newer minor format, which has a table more."""
    manifest = json.loads((output / "manifests" / f"{snapshot_id}.json").read_bytes())
    path = f"parquet/{name}/snapshot_id={snapshot_id}/part-00000.parquet"
    (output / path).parent.mkdir(parents=True)
    pq.write_table(rows, output / path)
    file = {"path": path, "format": "parquet", "rows": len(rows), **_sums(output / path)}
    columns = [
        {"name": field.name, "type": type_name(field.type), "description": ""}
        for field in rows.schema
    ]
    manifest["tables"][name] = {"rows": len(rows), "schema": columns, "files": [file]}
    write_manifest(output, manifest | {"format_version": "1.9"})


def _sums(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def write_manifest(output: Path, manifest: Mapping[str, Any]) -> None:
    """Replace a snapshot's manifest, also in `latest.json` if that is a copy of it."""
    snapshot_id = manifest["snapshot_id"]
    path = output / "manifests" / f"{snapshot_id}.json"
    data = json.dumps(manifest).encode()
    path.write_bytes(data)
    sums = path.with_name(f"{path.name}.sha256")
    sums.write_text(f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")
    latest = path.with_name("latest.json")
    if latest.exists() and json.loads(latest.read_bytes())["snapshot_id"] == snapshot_id:
        latest.write_bytes(data)


def true_rows(output: Path, snapshot_id: str, table: str) -> list[Row]:
    """Return the rows that the published Parquet has, in no order, `snapshot_id` in front."""
    folder = output / "parquet" / table / f"snapshot_id={snapshot_id}"
    manifest = json.loads((output / "manifests" / f"{snapshot_id}.json").read_bytes())
    rows: list[Row] = []
    for file in manifest["tables"][table]["files"]:
        assert (output / file["path"]).parent == folder
        found = pq.read_table(output / file["path"], partitioning=None)
        maps = [field.name for field in found.schema if pa.types.is_map(field.type)]
        for row in found.to_pylist():
            plain = {one: None if row[one] is None else dict(row[one]) for one in maps}
            rows.append({"snapshot_id": snapshot_id} | row | plain)
    return rows


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows as texts in an order of their own, with the types of their values."""
    return sorted(
        repr(sorted((name, _plain(value)) for name, value in row.items())) for row in rows
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return sorted(value.items()) if isinstance(value, dict) else value

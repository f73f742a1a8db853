"""Published snapshots turned into those that the first format's program wrote: `1.0`."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.oracle.schema import OF_OCI

NEW_TABLE = "image_references"


def to_first_format(output: Path, snapshot_id: str) -> None:
    """Rewrite a snapshot of a local output without the columns and the table that 1.1 added."""
    path = output / "manifests" / f"{snapshot_id}.json"
    before = path.read_bytes()
    manifest: dict[str, Any] = json.loads(before) | {"format_version": "1.0"}
    for file in manifest["tables"].pop(NEW_TABLE)["files"]:
        (output / file["path"]).unlink()
    for name, news in OF_OCI.items():
        table = manifest["tables"][name]
        table["schema"] = [column for column in table["schema"] if column["name"] not in news]
        for file in table["files"]:
            part = output / file["path"]
            (_without_columns if file["format"] == "parquet" else _without_keys)(part, news)
            content = part.read_bytes()
            file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for name in OF_OCI["size_totals"]:
        del manifest["totals"][name]
    data = json.dumps(manifest, indent=2).encode()
    path.write_bytes(data)
    line = f"{hashlib.sha256(data).hexdigest()}  {path.name}\n"
    path.with_name(f"{path.name}.sha256").write_text(line)
    latest = path.with_name("latest.json")
    if latest.read_bytes() == before:
        latest.write_bytes(data)


def _without_columns(part: Path, news: tuple[str, ...]) -> None:
    rows = pq.ParquetFile(part).read()
    pq.write_table(rows.drop_columns(list(news)), part)


def _without_keys(part: Path, news: tuple[str, ...]) -> None:
    rows = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()]
    kept = [{name: value for name, value in row.items() if name not in news} for row in rows]
    part.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in kept).encode()))

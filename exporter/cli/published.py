"""What a summary tells of a published snapshot beyond its manifest, read from its Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exporter.snapshot import Destination, Manifest
from exporter.snapshot.folder import Folder
from exporter.tables import WHOLE

LARGEST = 5
"""How many registries and repositories are shown."""


_TOTALS = (
    "scope",
    "scope_id",
    "scope_name",
    "registry_id",
    "image_count",
    "stored_size",
    "untagged_size",
)


@dataclass(frozen=True)
class Scope:
    """A registry or a repository: what it is called, and bytes as `size_totals` counts them."""

    name: str
    images: int
    stored_size: int
    untagged_size: int


@dataclass(frozen=True)
class Missing:
    """A listing that is not complete: what was to be listed, how it ended, and why."""

    listing: str
    parent_id: str
    status: str
    reason: str


@dataclass(frozen=True)
class Highlights:
    """What stands out in a snapshot: the largest scopes, findings by kind, and what is missing.

    `folder` is where the snapshot is published.
    """

    folder: Path
    registries: tuple[Scope, ...]
    repositories: tuple[Scope, ...]
    findings: dict[str, int]
    missing: tuple[Missing, ...]


def highlights(destination: Destination, manifest: Manifest) -> Highlights | None:
    """Return a snapshot's highlights; None where it is not on this machine, or has no Parquet."""
    if not isinstance(destination, Folder) or not any(
        file.format == "parquet" for file in manifest.files
    ):
        return None
    sizes = _read(destination, manifest, "size_totals", list(_TOTALS))
    kinds = _read(destination, manifest, "findings", ["kind"]).column("kind").value_counts()
    names = ["listing", "parent_id", "status", "message"]
    coverage = _read(destination, manifest, "coverage", names)
    return Highlights(
        folder=destination.root,
        registries=_largest(sizes, "registry"),
        repositories=_largest(sizes, "repository"),
        findings={row["values"]: row["counts"] for row in kinds.to_pylist()},
        missing=tuple(
            Missing(row["listing"], row["parent_id"], row["status"], row["message"] or "")
            for row in coverage.to_pylist()
            if row["status"] not in WHOLE
        ),
    )


def _read(folder: Folder, manifest: Manifest, table: str, columns: Sequence[str]) -> pa.Table:
    parts = [
        pq.read_table(
            folder.root / file.path, columns=list(columns), partitioning=None, memory_map=True
        )
        for file in manifest.tables[table].files
        if file.format == "parquet"
    ]
    return pa.concat_tables(parts)


def _largest(sizes: pa.Table, scope: str) -> tuple[Scope, ...]:
    order = [("stored_size", "descending"), ("scope_id", "ascending")]
    rows = _of_scope(sizes, scope)
    largest = rows.take(pc.select_k_unstable(rows, k=LARGEST, sort_keys=order)).to_pylist()
    ids = pa.array({row["registry_id"] for row in largest}, pa.string())
    registries = _of_scope(sizes, "registry")
    registries = registries.filter(pc.is_in(registries.column("scope_id"), ids))
    names = {row["scope_id"]: row["scope_name"] for row in registries.to_pylist()}
    return tuple(
        Scope(
            name=_name(row, names.get(row["registry_id"])),
            images=row["image_count"],
            stored_size=row["stored_size"],
            untagged_size=row["untagged_size"],
        )
        for row in largest
    )


def _of_scope(sizes: pa.Table, scope: str) -> pa.Table:
    return sizes.filter(pc.equal(sizes.column("scope"), scope))


def _name(row: dict[str, Any], registry: str | None) -> str:
    """Return a name a person knows: `team-registry`, and `team-registry/api/server` in it."""
    if row["scope"] == "registry":
        return registry or str(row["scope_id"])
    path = str(row["scope_id"]).partition("/")[2]
    return f"{registry or row['registry_id']}/{path}"

"""Highlights of a published snapshot: its largest scopes, its findings, missing listings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from exporter.errors import ExporterError
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.reader import Snapshot
from exporter.storage.destination import Destination
from exporter.tables.schemas import COMPLETE_STATUSES

LARGEST = 5
"""How many registries and repositories are shown."""

_TOTALS = [
    "scope",
    "scope_id",
    "scope_name",
    "registry_id",
    "image_count",
    "stored_size",
    "untagged_size",
]

_log = structlog.get_logger()


@dataclass(frozen=True)
class ScopeSizes:
    """A registry or a repository, with its bytes from `size_totals`.

    `id` is a registry's id or a repository's full name. `name` is the name of the registry, or of
    the repository's registry; empty if it has none. `untagged_size` is None where untagged images
    cannot be seen.
    """

    id: str
    name: str
    images: int
    stored_size: int
    untagged_size: int | None


@dataclass(frozen=True)
class Missing:
    """A listing that is not complete: its subject, how it ended, and why.

    As a text it is the subject: `images of crp1`, `registries`.
    """

    listing: str
    parent_id: str
    status: str
    reason: str

    def __str__(self) -> str:
        return self.listing if self.parent_id == "*" else f"{self.listing} of {self.parent_id}"


@dataclass(frozen=True)
class Highlights:
    """A snapshot's largest scopes, findings by kind, and missing listings.

    `registries` are all registries, the largest first. `vanished` are listings that even a complete
    snapshot may lack.
    """

    registries: tuple[ScopeSizes, ...]
    repositories: tuple[ScopeSizes, ...]
    findings: dict[str, int]
    missing: tuple[Missing, ...]
    vanished: tuple[Missing, ...] = ()


def highlights(destination: Destination, manifest: Manifest) -> Highlights | None:
    """Return a snapshot's highlights; None if it cannot be read, which does not fail the run."""
    try:
        with Snapshot(destination, manifest) as snapshot:
            return _highlights(snapshot)
    except (ExporterError, OSError, ValueError, KeyError) as error:
        _log.warning("summary_unreadable", reason=str(error))
        return None


def _highlights(snapshot: Snapshot) -> Highlights:
    sizes = snapshot.read("size_totals", _TOTALS)
    kinds = snapshot.read("findings", ["kind"]).column("kind").to_pylist()
    coverage = snapshot.read("coverage", ["listing", "parent_id", "status", "message"])
    lacking = [
        Missing(row["listing"], row["parent_id"], row["status"], row["message"] or "")
        for row in coverage.to_pylist()
        if row["status"] == "vanished" or row["status"] not in COMPLETE_STATUSES
    ]
    return Highlights(
        registries=_largest(sizes, "registry", sizes.num_rows),
        repositories=_largest(sizes, "repository", LARGEST),
        findings=dict(Counter(kinds)),
        missing=tuple(one for one in lacking if one.status != "vanished"),
        vanished=tuple(one for one in lacking if one.status == "vanished"),
    )


def _largest(sizes: pa.Table, scope: str, count: int) -> tuple[ScopeSizes, ...]:
    order = [("stored_size", "descending"), ("scope_id", "ascending")]
    rows = _of_scope(sizes, scope)
    largest = rows.take(pc.select_k_unstable(rows, k=count, sort_keys=order)).to_pylist()
    names = _names(sizes, largest)
    return tuple(
        ScopeSizes(
            id=row["scope_id"],
            name=names.get(row["registry_id"]) or "",
            images=row["image_count"],
            stored_size=row["stored_size"],
            untagged_size=row["untagged_size"],
        )
        for row in largest
    )


def _names(sizes: pa.Table, rows: list[dict[str, Any]]) -> dict[str, str | None]:
    """Return the names of the registries of some rows, by id."""
    ids = pa.array({row["registry_id"] for row in rows}, pa.string())
    registries = _of_scope(sizes, "registry")
    registries = registries.filter(pc.is_in(registries.column("scope_id"), ids))
    return {row["scope_id"]: row["scope_name"] for row in registries.to_pylist()}


def _of_scope(sizes: pa.Table, scope: str) -> pa.Table:
    return sizes.filter(pc.equal(sizes.column("scope"), scope))

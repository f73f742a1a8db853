"""Reads what a report says from a snapshot, the one it is compared with, and all manifests."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.report.comparing import read_changes
from exporter.report.content import (
    Age,
    Content,
    Example,
    Finding,
    Gap,
    LargeImage,
    Listings,
    Point,
    Price,
    Registry,
    Repository,
    ScopeSum,
    SharedLayer,
    Tile,
)
from exporter.report.freeing import read_freeing
from exporter.snapshots.database import open_reader
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.reader import Snapshot
from exporter.sql.engine import script

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_SCOPES = 200
"""How many registries and repositories have a row of their own."""
MOST_ROWS = 50
"""How many images, layers and gaps have a row of their own."""
MOST_TILES = 60
"""How many repositories have a rectangle of their own."""
MOST_TILED_REGISTRIES = 16
MOST_EXAMPLES = 5
AGES = (0, 7, 30, 90, 180, 365, 730)
"""The ages of images, each by its lower bound in days."""
_TABLES = ("folders", "images", "blobs", "size_totals", "findings", "coverage")

_T = TypeVar("_T")


def collect(
    snapshot: Snapshot,
    before: Snapshot | None,
    history: Sequence[Manifest],
    price: Price | None = None,
) -> Content:
    """Return what the report about a snapshot says, compared with the one `before`.

    `history` are the manifests whose totals show the growth, oldest first. Raises what
    `Snapshot.register` and `open_reader` raise.
    """
    manifest = snapshot.manifest
    freeing = read_freeing(snapshot, MOST_ROWS)
    changes = None if before is None else read_changes(before, snapshot, MOST_ROWS)
    with open_reader() as connection:
        snapshot.register(connection, _TABLES)
        read = _Reader(connection)
        return Content(
            manifest=manifest,
            url=snapshot.url,
            price=price,
            registries=read.rows("registries", Registry, most=MOST_SCOPES),
            repositories=read.rows("repositories", Repository, most=MOST_SCOPES),
            sums={one.scope: one for one in read.rows("scope_sums", ScopeSum)},
            tiles=read.rows(
                "tiles",
                Tile,
                most_repositories=MOST_TILES,
                most_registries=MOST_TILED_REGISTRIES,
            ),
            images=read.rows("images", LargeImage, most=MOST_ROWS),
            shared_layers=read.rows("shared_layers", SharedLayer, most=MOST_ROWS),
            ages=read.rows("ages", Age, days=list(AGES), started_at=manifest.started_at),
            findings=tuple(
                Finding(row["kind"], row["count"], tuple(Example(**one) for one in row["examples"]))
                for row in read.values("findings", most=MOST_EXAMPLES)
            ),
            listings=read.rows("listings", Listings),
            gaps=read.rows("gaps", Gap, most=MOST_ROWS),
            points=tuple(_point(one) for one in history),
            freeing=freeing,
            changes=changes,
        )


class _Reader:
    """Runs the scripts of a report."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, name: str, kind: type[_T], **values: Any) -> tuple[_T, ...]:
        """Return the rows of a script as objects that have its columns as their fields."""
        return tuple(kind(**row) for row in self.values(name, **values))

    def values(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of a script; `values` are its parameters."""
        table = self._connection.sql(script(f"report/{name}"), params=values).to_arrow_table()
        return [
            {column: _whole(value) for column, value in row.items()} for row in table.to_pylist()
        ]


def _whole(value: Any) -> Any:
    """Return a sum as an integer: DuckDB's are decimals in Arrow."""
    return int(value) if isinstance(value, Decimal) else value


def _point(manifest: Manifest) -> Point:
    totals = manifest.totals

    def figure(measure: str) -> int:
        value = totals.get(measure)
        return value if isinstance(value, int) else 0

    unknown = totals.get("untagged_size") is None
    return Point(
        snapshot_id=manifest.snapshot_id,
        started_at=manifest.started_at,
        complete=manifest.status == "complete",
        images=figure("image_count"),
        stored_size=figure("stored_size"),
        untagged_size=None if unknown else figure("untagged_size"),
        logical_size=figure("logical_size"),
    )

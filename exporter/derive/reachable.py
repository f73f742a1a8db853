"""What only the references of all indexes tell of an image.

That is `images.reachable`, whether a tag leads to it, and that its `kind` is `attestation`. A
source may state both. Parts where they are missing or wrong are written again, each at once, so
that a kill in between does no harm: the next attempt computes them again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from exporter.derive.dropping import rewrite
from exporter.sql.engine import create_numbered_view
from exporter.staging.layout import staged_parts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_WRONG = "kind IS NOT NULL AND reachable IS DISTINCT FROM (unreached.image_id IS NULL)"
"""Of an image beside the row of `unreached` that it may have."""
WRONG_PARTS = (
    "SELECT part FROM places_images LEFT JOIN unreached USING (image_id) "  # noqa: S608  (own text)
    f"WHERE {_WRONG} UNION "
    "SELECT part FROM places_images SEMI JOIN attestations USING (image_id) ORDER BY part"
)
"""The query of the parts to write again."""
FOUND_ROWS = "SELECT part, part_row FROM places_images SEMI JOIN {} USING (image_id)"
"""The query of the images in `unreached`, or in `attestations`, by their place."""


def fill_from_references(connection: DuckDBPyConnection, staging: Path) -> None:
    """Fill in both columns in the staged parts of `images`.

    The step `reach` has made `unreached` and `attestations`. The cloud's images have no kind, and
    stay as they are. Raises `OutputError`.
    """
    create_numbered_view(connection, "places_images", staged_parts(staging, "images"))
    for (part,) in connection.execute(WRONG_PARTS).fetchall():
        unreached, attestations = (
            connection.sql(f"FROM ({FOUND_ROWS.format(table)}) WHERE part = ?", params=[part])
            .to_arrow_table()["part_row"]
            .combine_chunks()
            for table in ("unreached", "attestations")
        )
        path = staged_parts(staging, "images")[0].with_name(part)
        rewrite(staging, "images", path, partial(filled, unreached, attestations))


def reachable_problem(connection: DuckDBPyConnection) -> str | None:
    """Say in a sentence where the column of the view `images` is not what follows, if anywhere."""
    found = connection.execute(
        "SELECT min(image_id), count(*) FROM images LEFT JOIN unreached USING (image_id) "  # noqa: S608
        f"WHERE {_WRONG}"
    ).fetchone()
    if found is None or not found[1]:
        return None
    more = f", and {found[1] - 1} more like it" if found[1] > 1 else ""
    return f"images has a row whose reachable does not follow from the others: {found[0]}{more}"


def filled(
    unreached: pa.Array,
    attestations: pa.Array,
    batch: pa.RecordBatch,
    start: int,
) -> pa.RecordBatch:
    """Return a batch with both columns; the others are rows of its part, from 0."""
    numbers = pa.arange(start, start + len(batch))
    reached = pc.invert(pc.is_in(numbers, unreached))
    attests = pc.is_in(numbers, attestations)
    columns = {
        "reachable": pc.if_else(batch["kind"].is_valid(), reached, None),
        "kind": pc.if_else(attests, "attestation", batch["kind"]),
    }
    for name, column in columns.items():
        place = batch.schema.get_field_index(name)
        batch = batch.set_column(place, batch.schema.field(place), column)
    return batch

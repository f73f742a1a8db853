"""All of a snapshot's tables but the ledger, computed from the world that a run saw."""

from __future__ import annotations

from collections.abc import Iterable

from tests.oracle.derived import blob_rows, finding_rows, tag_rows
from tests.oracle.listed import World, listed_tables
from tests.oracle.totals import fitting, size_total_rows
from tests.oracle.values import Row, Tables


def truth(world: World, coverage: Iterable[Row] = ()) -> Tables:
    """Return the rows of every table but `coverage`; `findings` have no `detail`.

    `coverage` are the ledger's rows (`listing`, `parent_id`, `status` are read): they decide
    which totals are complete. Listings it does not name count as complete.
    """
    coverage = list(coverage)
    listed = listed_tables(world)
    places = world.cloud_of_folder | world.folder_of_registry
    sums = size_total_rows(listed, coverage, places)
    return {
        **listed,
        "tags": tag_rows(listed),
        "blobs": blob_rows(listed),
        "size_totals": [fitting(row) for row in sums],
        "findings": finding_rows(listed, world, sums, coverage),
    }

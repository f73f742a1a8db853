"""The listed rows of staged parts as a snapshot has them, without any derived table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from exporter.derive.dropping import finish_dropping
from exporter.derive.duplicates import DuplicatesError, create_changed, rows_left
from exporter.derive.reachable import fill_from_references
from exporter.derive.steps import SOURCES, create_sources, run_step
from exporter.sql.engine import Resources, open_engine, resources_for, with_enough_memory
from exporter.staging.layout import staged_parts
from exporter.staging.parquet import output_errors, write_table
from exporter.tables.schemas import TABLES


def keep_first(staging: Path) -> None:
    """Drop all but the first rows of each repository and of each image, with what is in it.

    Then the columns of `images` that follow from references are filled in, so each repository must
    be here whole. A listed table without parts gets an empty one. Raises `OutputError`.
    """
    with output_errors(staging):
        for name, table in TABLES.items():
            if table.kind == "listed" and not staged_parts(staging, name):
                write_table(staging, table, [])
        resources = resources_for(staged_parts(staging, "layers"))
        while not with_enough_memory(partial(_fill, staging), resources):
            finish_dropping(staging)


def _fill(staging: Path, resources: Resources) -> bool:
    """Fill in those columns; return False if rows are to be dropped first, by a plan."""
    with open_engine(staging, resources) as connection:
        parts = {name: staged_parts(staging, name) for name in SOURCES if name != "coverage"}
        create_sources(connection, parts)
        create_changed(connection, staging)
        try:
            rows_left(connection, staging)
        except DuplicatesError:
            return False
        run_step(connection, "reach")
        fill_from_references(connection, staging)
        return True

"""Staged parts with each repository and each image once, without any derived table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from exporter.derive.dropping import finish_dropping
from exporter.derive.duplicates import DuplicatesError, create_changed, rows_left
from exporter.derive.steps import SOURCES, create_sources
from exporter.sql.engine import Resources, open_engine, resources_for, with_enough_memory
from exporter.staging.layout import staged_parts
from exporter.staging.parquet import output_errors, write_table
from exporter.tables.schemas import TABLES


def keep_first(staging: Path) -> None:
    """Drop all but the first rows of each repository and of each image, with what is in it.

    A listed table without parts gets an empty one. Raises `OutputError`.
    """
    with output_errors(staging):
        for name, table in TABLES.items():
            if table.kind == "listed" and not staged_parts(staging, name):
                write_table(staging, table, [])
        layers = staged_parts(staging, "layers")
        if with_enough_memory(partial(_plan, staging), resources_for(layers)):
            finish_dropping(staging)


def _plan(staging: Path, resources: Resources) -> bool:
    """Return whether rows are to be dropped; the plan is written then."""
    with open_engine(staging, resources) as connection:
        parts = {name: staged_parts(staging, name) for name in SOURCES if name != "coverage"}
        create_sources(connection, parts)
        create_changed(connection, staging)
        try:
            rows_left(connection, staging)
        except DuplicatesError:
            return True
        return False

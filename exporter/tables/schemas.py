"""The snapshot's tables, stated in Arrow: every column with its type and its meaning.

Names, types and meanings are a contract with those who load a snapshot (`README.md`):
adding a column is a new minor `FORMAT_VERSION`, anything else a new major one. `listed.py` and
`derived.py` have the rows' tables, this module the coverage and all of them by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from exporter.tables.columns import Table, number, small, table, text, time
from exporter.tables.derived import BLOBS, FINDINGS, SIZE_TOTALS, TAGS
from exporter.tables.listed import (
    CLOUDS,
    CONFIG_BLOBS,
    FOLDERS,
    IMAGE_REFERENCES,
    IMAGES,
    LAYERS,
    REGISTRIES,
    REPOSITORIES,
)

FORMAT_VERSION = "1.1"

COMPLETE_STATUSES = frozenset({"complete", "skipped", "vanished"})
"""The statuses of listings that miss nothing they set out for: with these, a snapshot is complete
(`README.md`, coverage)."""

COVERAGE = table(
    "coverage",
    "ledger",
    ("listing", "parent_id"),
    "Every listing the run set out to make, and how it went",
    text(
        "listing",
        "'clouds', 'folders', 'registries', 'repositories' or 'images'; of one repository, 'tags', "
        "'manifests', 'configs' or 'untagged'",
    ),
    text(
        "parent_id",
        "What was listed: '*', a cloud, a folder, a registry or a repository",
    ),
    text("status", "complete, denied, vanished, failed, partial or skipped"),
    small("pages", "Pages that arrived"),
    number("rows", "Rows that were kept"),
    small("calls", "Requests that were sent, retries among them"),
    small("retries", "Requests that were sent again after a failure"),
    time("started_at", "When the first request was sent; null where none was"),
    time("finished_at", "When the listing ended; null where it never began"),
    small("http_status", "The HTTP status that ended the listing, where one did"),
    text("error_code", "The gRPC name of the error that ended the listing"),
    text("message", "What went wrong, or was left out, in a sentence"),
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        one.name: one
        for one in (
            CLOUDS,
            FOLDERS,
            REGISTRIES,
            REPOSITORIES,
            IMAGES,
            LAYERS,
            CONFIG_BLOBS,
            IMAGE_REFERENCES,
            TAGS,
            BLOBS,
            SIZE_TOTALS,
            FINDINGS,
            COVERAGE,
        )
    }
)
"""Every table of a snapshot by name, in the order they are shown."""

ADDED_IN: Mapping[str, int] = MappingProxyType({IMAGE_REFERENCES.name: 1})
"""The minor `FORMAT_VERSION` that added a table; all others are in every snapshot."""


def tables_in(format_version: str) -> list[str]:
    """Return the names of the tables that a snapshot of a format version, `1.0`, has."""
    minor = int(format_version.split(".")[1])
    return [name for name in TABLES if ADDED_IN.get(name, 0) <= minor]

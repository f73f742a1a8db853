"""The tables of what has changed."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.report.cells import (
    Cell,
    Column,
    Table,
    change_cell,
    name_cell,
    repository_cell,
    size_cell,
)
from exporter.report.content import Changes, Content
from exporter.report.wording import cut, short_digest
from exporter.wording import number


def change_tables(content: Content) -> dict[str, Table | None]:
    """Return the tables by name; None for one that has no rows, or nothing to compare with."""
    changes = content.changes
    names = {one.id: one.name for one in content.registries}
    return {
        "moved": _moved(changes, names) if changes and changes.moved else None,
        "changed_sizes": _sizes(changes, names) if changes and changes.repositories else None,
        "uncompared": _unknown(changes) if changes and changes.unknown else None,
    }


def _sizes(changes: Changes, registries: Mapping[str, str]) -> Table:
    ordered = sorted(changes.repositories, key=lambda one: (-abs(one.delta), one.name))
    return Table(
        "Repositories that grew or shrank most",
        "repositories",
        (
            Column("Repository", "name"),
            Column("Change"),
            Column("Before"),
            Column("After"),
        ),
        tuple(
            (
                repository_cell(one.name, registries),
                change_cell(one.delta),
                size_cell(one.before_size),
                size_cell(one.after_size),
            )
            for one in ordered
        ),
    )


def _moved(changes: Changes, registries: Mapping[str, str]) -> Table:
    more = changes.counts["tag_moved"] - len(changes.moved)
    return Table(
        "Tags that moved to another image",
        "tags",
        (
            Column("Repository", "name"),
            Column("Tag", "words"),
            Column("Before", "words"),
            Column("Now", "words"),
            Column("Size"),
        ),
        tuple(
            (
                repository_cell(one.repository_name, registries),
                Cell(cut(one.tag, 60)),
                Cell(short_digest(one.before_digest)),
                Cell(short_digest(one.digest)),
                Cell("–", 0) if one.size_delta is None else change_cell(one.size_delta),
            )
            for one in changes.moved
        ),
        (Cell(number(more, "more tag")), *(Cell("") for _ in range(4))) if more > 0 else (),
        max(0, more),
    )


def _unknown(changes: Changes) -> Table:
    more = changes.counts["unknown"] - len(changes.unknown)
    return Table(
        "Registries that cannot be compared",
        "registries",
        (Column("Registry", "name"), Column("Why", "words")),
        tuple(
            (name_cell(one.name or one.registry_id or "no registry"), Cell(cut(one.reason, 400)))
            for one in changes.unknown
        ),
        (Cell(number(more, "more registry", "more registries")), Cell("")) if more > 0 else (),
        max(0, more),
    )

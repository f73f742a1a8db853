"""The tables behind the pictures, and those of the coverage."""

from __future__ import annotations

from exporter.report.cells import (
    Cell,
    Column,
    Table,
    count_cell,
    name_cell,
    repository_cell,
    size_cell,
)
from exporter.report.content import Content
from exporter.report.coverage import LISTINGS
from exporter.report.prose import age_labels, freed_label, money
from exporter.report.wording import cut, percent, time
from exporter.wording import number

_MOST_SNAPSHOTS = 200
"""How many snapshots have a row of their own."""


def growth(content: Content) -> Table:
    """Return the totals of the snapshots, the newest first."""
    more = len(content.points) - _MOST_SNAPSHOTS
    return Table(
        "Snapshots",
        "snapshots",
        (
            Column("Taken", "name", sort="descending"),
            Column("Billed"),
            Column("Held by untagged"),
            Column("Images"),
        ),
        tuple(
            (
                Cell(
                    time(one.started_at),
                    one.started_at.timestamp(),
                    detail=one.snapshot_id if one.complete else f"{one.snapshot_id}, partial",
                ),
                size_cell(one.stored_size),
                size_cell(one.untagged_size),
                count_cell(one.images),
            )
            for one in reversed(content.points[-_MOST_SNAPSHOTS:])
        ),
        (Cell(number(more, "older snapshot")), *(Cell("") for _ in range(3))) if more > 0 else (),
        max(0, more),
    )


def ages(content: Content) -> Table:
    """Return the images of each age."""
    return Table(
        "Images by age",
        "ages",
        (
            Column("Age", "name", sort="ascending"),
            Column("With a tag"),
            Column("Without a tag"),
            Column("Sizes added up"),
        ),
        tuple(
            (
                Cell(label, place),
                count_cell(one.tagged_images),
                count_cell(one.untagged_images),
                size_cell(one.logical_size),
            )
            for place, (one, label) in enumerate(
                zip(content.ages, age_labels(content.ages), strict=True)
            )
        ),
        sorts=False,
    )


def freed(content: Content) -> Table:
    """Return what deleting the images of each age would free."""
    price = content.price
    return Table(
        "What deleting would free",
        "choices",
        (
            Column("Images", "name"),
            Column("How many"),
            Column("Freed"),
            Column("Of the bill"),
            *((Column("Saved each month"),) if price else ()),
        ),
        tuple(
            (
                Cell(freed_label(one)),
                count_cell(one.images),
                size_cell(one.size),
                Cell(percent(one.size, content.total("stored_size"))),
                *((Cell(money(content, one.size)),) if price else ()),
            )
            for one in content.freeing.steps
        ),
        sorts=False,
    )


def freeing_repositories(content: Content) -> Table:
    """Return the repositories whose untagged images hold most."""
    shown = content.freeing.repositories
    most = max((one.size for one in shown), default=0)
    more = content.freeing.repository_count - len(shown)
    images = content.freeing.steps[0].images - sum(one.images for one in shown)
    rest = (
        Cell(number(more, "more repository", "more repositories")),
        Cell(""),
        count_cell(images),
        Cell(""),
    )
    names = {one.id: one.name for one in content.registries}
    return Table(
        "Repositories with images without a tag",
        "repositories",
        (
            Column("Repository", "name"),
            Column("Freed", sort="descending"),
            Column("Images without a tag"),
            Column("Their sizes added up"),
        ),
        tuple(
            (
                repository_cell(one.name, names),
                size_cell(one.size, most),
                count_cell(one.images),
                size_cell(one.logical_size),
            )
            for one in shown
        ),
        rest if more > 0 else (),
        max(0, more),
    )


def listings(content: Content) -> Table:
    """Return how the listings of each kind went."""
    return Table(
        "Listings",
        "kinds of listings",
        (
            Column("Listing", "name"),
            Column("Made"),
            Column("Complete"),
            Column("Left out"),
            Column("Deleted"),
            Column("Missing"),
            Column("Rows"),
            Column("Calls"),
        ),
        tuple(
            (
                Cell(LISTINGS.get(one.listing, one.listing)),
                *(
                    count_cell(value)
                    for value in (
                        one.count,
                        one.complete,
                        one.skipped,
                        one.vanished,
                        one.missing,
                        one.rows,
                        one.calls,
                    )
                ),
            )
            for one in content.listings
        ),
        sorts=False,
    )


def gaps(content: Content) -> Table:
    """Return the listings that are not complete."""
    counts = content.manifest.coverage
    more = sum(counts.values()) - counts.get("complete", 0) - len(content.gaps)
    rest = (Cell(f"{more:,} more"), *(Cell("") for _ in range(3))) if more > 0 else ()
    return Table(
        "Listings that are not complete",
        "listings",
        (
            Column("Listing", "name"),
            Column("Status", "words"),
            Column("Rows"),
            Column("What happened", "words"),
        ),
        tuple(
            (
                name_cell(
                    f"{LISTINGS.get(one.listing, one.listing)} of {one.name or one.parent_id}"
                    if one.parent_id != "*"
                    else LISTINGS.get(one.listing, one.listing),
                    one.parent_id if one.name else "",
                ),
                Cell(cut(one.status)),
                count_cell(one.rows or 0),
                Cell(cut(one.message, 400)),
            )
            for one in content.gaps
        ),
        rest,
        max(0, more),
    )

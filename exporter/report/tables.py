"""The tables of the page, ready for the template: texts for people, values for sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.report.content import Content, LargeImage, Registry, Repository, SharedLayer
from exporter.report.prose import LISTINGS, age_labels
from exporter.report.wording import bytes_, count, cut, day, short_digest, time

_TAGS_SHOWN = 3


@dataclass(frozen=True)
class Column:
    """A heading; `kind` is `name`, `number` or `words`; `sort` is the order that the rows have."""

    title: str
    kind: str = "number"
    sort: str | None = None


@dataclass(frozen=True)
class Cell:
    """A cell: its text, the value that sorts it, a second line, and a bar from 0 to 100.

    `full` is the whole text where `text` is cut.
    """

    text: str
    value: int | float | None = None
    detail: str = ""
    bar: float | None = None
    full: str = ""


@dataclass(frozen=True)
class Table:
    """A table: its caption, what its rows are, and a last row for what is not shown."""

    caption: str
    noun: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    rest: tuple[Cell, ...] = ()
    rest_count: int = 0


def registries(content: Content) -> Table:
    """Return the largest registries, and the sum of the others."""
    shown, sums = content.registries, content.sums.get("registry")
    most = max((one.stored_size for one in shown), default=0)
    rest: tuple[Cell, ...] = ()
    more = sums.count - len(shown) if sums else 0
    if sums and more:
        rest = (
            Cell(f"{more:,} smaller registries"),
            _size(sums.stored_size - sum(one.stored_size for one in shown)),
            _size(sums.untagged_size - sum(one.untagged_size for one in shown)),
            _count(sums.repositories - sum(one.repositories for one in shown)),
            _count(sums.images - sum(one.images for one in shown)),
            _size(sums.logical_size - sum(one.logical_size for one in shown)),
        )
    return Table(
        "Registries",
        "registries",
        (
            Column("Registry", "name"),
            Column("Billed", sort="descending"),
            Column("Untagged only"),
            Column("Repositories"),
            Column("Images"),
            Column("If nothing were shared"),
        ),
        tuple(_registry(one, most) for one in shown),
        rest,
        more,
    )


def repositories(content: Content) -> Table:
    """Return the largest repositories, and the sum of the others."""
    shown, sums = content.repositories, content.sums.get("repository")
    most = max((one.stored_size for one in shown), default=0)
    rest: tuple[Cell, ...] = ()
    more = sums.count - len(shown) if sums else 0
    if sums and more:
        rest = (
            Cell(f"{more:,} smaller repositories"),
            _size(sums.stored_size - sum(one.stored_size for one in shown)),
            _size(sums.exclusive_size - sum(one.exclusive_size for one in shown)),
            _size(sums.untagged_size - sum(one.untagged_size for one in shown)),
            _count(sums.images - sum(one.images for one in shown)),
            Cell(""),
        )
    return Table(
        "Repositories",
        "repositories",
        (
            Column("Repository", "name"),
            Column("Stored", sort="descending"),
            Column("Only here"),
            Column("Untagged only"),
            Column("Images"),
            Column("Newest image"),
        ),
        tuple(_repository(one, most) for one in shown),
        rest,
        more,
    )


def images(content: Content) -> Table:
    """Return the images that transfer the most bytes."""
    most = max((one.compressed_size for one in content.images), default=0)
    return Table(
        "Images",
        "images",
        (
            Column("Image", "name"),
            Column("Tags", "words"),
            Column("Size", sort="descending"),
            Column("Layers"),
            Column("Created"),
        ),
        tuple(_image(one, most) for one in content.images),
    )


def shared_layers(content: Content) -> Table:
    """Return the layers whose sharing saves the most."""
    most = max((one.saved_size for one in content.shared_layers), default=0)
    return Table(
        "Shared layers",
        "layers",
        (
            Column("Layer", "name"),
            Column("Saved by sharing", sort="descending"),
            Column("Size"),
            Column("Images"),
            Column("Repositories"),
        ),
        tuple(_layer(one, most) for one in content.shared_layers),
    )


def growth(content: Content) -> Table:
    """Return the totals of every snapshot, the newest first."""
    return Table(
        "Snapshots",
        "snapshots",
        (
            Column("Taken", "name", sort="descending"),
            Column("Billed"),
            Column("Untagged only"),
            Column("Images"),
        ),
        tuple(
            (
                Cell(
                    time(one.started_at),
                    one.started_at.timestamp(),
                    detail=one.snapshot_id if one.complete else f"{one.snapshot_id}, partial",
                ),
                _size(one.stored_size),
                _size(one.untagged_size),
                _count(one.images),
            )
            for one in reversed(content.points)
        ),
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
                _count(one.tagged_images),
                _count(one.untagged_images),
                _size(one.logical_size),
            )
            for place, (one, label) in enumerate(
                zip(content.ages, age_labels(content.ages), strict=True)
            )
        ),
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
            Column("Left out on purpose"),
            Column("Deleted meanwhile"),
            Column("Missing"),
            Column("Rows"),
            Column("Calls"),
        ),
        tuple(
            (
                Cell(LISTINGS.get(one.listing, one.listing)),
                *(
                    _count(value)
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
                _name(
                    f"{LISTINGS.get(one.listing, one.listing)} of {one.name or one.parent_id}"
                    if one.parent_id != "*"
                    else LISTINGS.get(one.listing, one.listing),
                    one.parent_id if one.name else "",
                ),
                Cell(cut(one.status)),
                _count(one.rows or 0),
                Cell(cut(one.message, 400)),
            )
            for one in content.gaps
        ),
        rest,
        max(0, more),
    )


def by_untagged(content: Content) -> Sequence[Repository]:
    """Return the repositories of the report that hold the most for untagged images alone."""
    held = [one for one in content.repositories if one.untagged_size > 0]
    return sorted(held, key=lambda one: (-one.untagged_size, one.id))


def _registry(one: Registry, most: int) -> tuple[Cell, ...]:
    detail = "" if one.complete else "not listed whole"
    return (
        _name(one.name, detail or (one.id if one.name != one.id else "")),
        _size(one.stored_size, most),
        _size(one.untagged_size),
        _count(one.repositories),
        _count(one.images),
        _size(one.logical_size),
    )


def _repository(one: Repository, most: int) -> tuple[Cell, ...]:
    created = one.newest_image_at
    return (
        _name(one.name, one.registry),
        _size(one.stored_size, most),
        _size(one.exclusive_size),
        _size(one.untagged_size),
        _count(one.images),
        Cell(day(created) if created else "–", created.timestamp() if created else 0),
    )


def _image(one: LargeImage, most: int) -> tuple[Cell, ...]:
    created = one.created_at
    path = one.repository_name.partition("/")[2] or one.repository_name
    tags = ", ".join(cut(tag, 40) for tag in one.tags[:_TAGS_SHOWN]) or "untagged"
    if len(one.tags) > _TAGS_SHOWN:
        tags += f" and {len(one.tags) - _TAGS_SHOWN:,} more"
    return (
        _name(path, f"{cut(one.registry, 60)} · {short_digest(one.digest)}"),
        Cell(tags),
        _size(one.compressed_size, most),
        _count(one.layer_count),
        Cell(time(created) if created else "–", created.timestamp() if created else 0),
    )


def _layer(one: SharedLayer, most: int) -> tuple[Cell, ...]:
    return (
        _name(short_digest(one.digest), one.registry),
        _size(one.saved_size, most),
        _size(one.size),
        _count(one.images),
        _count(one.repositories),
    )


def _name(name: str, detail: str = "") -> Cell:
    shown = cut(name)
    return Cell(shown, detail=cut(detail), full=name if shown != name else "")


def _size(value: int, most: int = 0) -> Cell:
    return Cell(bytes_(value), value, bar=round(100 * value / most, 1) if most > 0 else None)


def _count(value: int) -> Cell:
    return Cell(count(value), value)

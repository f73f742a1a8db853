"""The tables of the largest: registries, repositories, images and shared layers."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.report.cells import Cell, Column, Table, count_cell, name_cell, size_cell
from exporter.report.content import Content, LargeImage, Registry, Repository, SharedLayer
from exporter.report.wording import cut, day, short_digest, time
from exporter.wording import number

_TAGS_SHOWN = 3


def registries(content: Content) -> Table:
    """Return the largest registries, and the sum of the others."""
    shown, sums = content.registries, content.sums.get("registry")
    most = max((one.stored_size for one in shown), default=0)
    rest: tuple[Cell, ...] = ()
    more = sums.count - len(shown) if sums else 0
    if sums and more:
        rest = (
            Cell(number(more, "smaller registry", "smaller registries")),
            size_cell(sums.stored_size - sum(one.stored_size for one in shown)),
            size_cell(_rest(sums.untagged_size, [one.untagged_size for one in shown])),
            count_cell(sums.repositories - sum(one.repositories for one in shown)),
            count_cell(sums.images - sum(one.images for one in shown)),
            size_cell(sums.logical_size - sum(one.logical_size for one in shown)),
        )
    return Table(
        "Registries",
        "registries",
        (
            Column("Registry", "name"),
            Column("Billed", sort="descending"),
            Column("Held by untagged"),
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
            Cell(number(more, "smaller repository", "smaller repositories")),
            size_cell(sums.stored_size - sum(one.stored_size for one in shown)),
            size_cell(sums.exclusive_size - sum(one.exclusive_size for one in shown)),
            size_cell(_rest(sums.untagged_size, [one.untagged_size for one in shown])),
            count_cell(sums.images - sum(one.images for one in shown)),
            Cell(""),
        )
    return Table(
        "Repositories",
        "repositories",
        (
            Column("Repository", "name"),
            Column("Stored", sort="descending"),
            Column("Only here"),
            Column("Held by untagged"),
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


def _rest(whole: int | None, shown: Sequence[int | None]) -> int | None:
    """Return what is left of a sum; None where it is not known."""
    return None if whole is None else whole - sum(one or 0 for one in shown)


def _registry(one: Registry, most: int) -> tuple[Cell, ...]:
    remarks = (
        one.folder,
        one.id if one.name != one.id else "",
        "" if one.complete else "not listed whole",
    )
    return (
        name_cell(one.name, " · ".join(cut(part, 60) for part in remarks if part)),
        size_cell(one.stored_size, most),
        size_cell(one.untagged_size),
        count_cell(one.repositories),
        count_cell(one.images),
        size_cell(one.logical_size),
    )


def _repository(one: Repository, most: int) -> tuple[Cell, ...]:
    created = one.newest_image_at
    return (
        name_cell(one.name, one.registry),
        size_cell(one.stored_size, most),
        size_cell(one.exclusive_size),
        size_cell(one.untagged_size),
        count_cell(one.images),
        Cell(day(created) if created else "–", created.timestamp() if created else 0),
    )


def _image(one: LargeImage, most: int) -> tuple[Cell, ...]:
    created = one.created_at
    path = one.repository_name.partition("/")[2] or one.repository_name
    tags = ", ".join(cut(tag, 40) for tag in one.tags[:_TAGS_SHOWN]) or (
        "untagged" if one.is_untagged else "through another image"
    )
    if len(one.tags) > _TAGS_SHOWN:
        tags += f" and {len(one.tags) - _TAGS_SHOWN:,} more"
    return (
        name_cell(path, f"{cut(one.registry, 60)} · {short_digest(one.digest)}"),
        Cell(tags),
        size_cell(one.compressed_size, most),
        count_cell(one.layer_count),
        Cell(time(created) if created else "–", created.timestamp() if created else 0),
    )


def _layer(one: SharedLayer, most: int) -> tuple[Cell, ...]:
    return (
        name_cell(short_digest(one.digest), one.registry),
        size_cell(one.saved_size, most),
        size_cell(one.size),
        count_cell(one.images),
        count_cell(one.repositories),
    )

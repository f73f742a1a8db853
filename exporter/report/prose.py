"""The sentences of the page: what the figures mean, for the one who pays and the one who audits."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.analyze.diff import KINDS
from exporter.analyze.reclaim import GIGABYTE
from exporter.figures import printable
from exporter.report.content import Age, Content, Freed, Tile
from exporter.report.wording import bytes_, count, cut, day, isolated, percent, signed, time
from exporter.snapshots.manifest import Manifest
from exporter.wording import number


@dataclass(frozen=True)
class Figure:
    """A headline number: its name, its value, what it is made of, its change, and what it costs."""

    label: str
    value: str
    more: str = ""
    change: str = ""
    money: str = ""


_CHANGES = tuple(
    (f"{what}_{how}", nouns, how)
    for what, nouns in (
        ("registry", ("registry", "registries")),
        ("repository", ("repository", "repositories")),
        ("image", ("image", "images")),
        ("tag", ("tag", "tags")),
    )
    for how in ("added", "removed", "changed", "moved")
    if f"{what}_{how}" in KINDS
)


def lede(content: Content) -> str:
    """Return the first paragraph: what there is, what is billed, and what can go."""
    images, registries = content.total("image_count"), content.sums.get("registry")
    stored, untagged = content.total("stored_size"), content.freeing.steps[0].size
    where = f" in {number(registries.count, 'registry', 'registries')}" if registries else ""
    if not images:
        return f"There are no images{where}."
    said = f"{number(images, 'image')}{where} take {bytes_(stored)} of billed storage."
    if content.freeing.unseen:
        return f"{said} How much images without a tag take is not known for all of it."
    if untagged <= 0:
        return f"{said} Deleting the images without a tag would free none of it."
    return (
        f"{said} Deleting the images without a tag would free {bytes_(untagged)} of it, "
        f"{percent(untagged, stored)}."
    )


def figures(content: Content) -> list[Figure]:
    """Return the headline numbers."""
    images, untagged = content.total("image_count"), content.total("untagged_image_count")
    sees_untagged = content.manifest.totals.get("untagged_image_count") is not None
    stored, held = content.total("stored_size"), content.freeing.steps[0].size
    logical, repositories = content.total("logical_size"), content.total("repository_count")
    registries = content.sums.get("registry")
    return [
        Figure(
            "Billed storage",
            bytes_(stored),
            f"{bytes_(logical)} if no layer were shared" if logical > stored else "",
            change(content, "stored_size"),
            money(content, stored),
        ),
        Figure(
            "Can be freed",
            bytes_(held) if held or not content.freeing.unseen else "not known",
            f"held by the untagged images that were seen, {percent(held, stored)} of the bill"
            if content.freeing.unseen
            else f"held by untagged images alone, {percent(held, stored)} of the bill",
            change(content, "untagged_size"),
            money(content, held),
        ),
        Figure(
            "Images",
            count(images),
            f"{count(untagged)} without a tag, {percent(untagged, images)}"
            if sees_untagged
            else "how many have no tag is not known",
            change(content, "image_count"),
        ),
        Figure(
            "Repositories",
            count(repositories),
            f"in {number(registries.count, 'registry', 'registries')}" if registries else "",
            change(content, "repository_count"),
        ),
    ]


def change(content: Content, measure: str) -> str:
    """Return how much a measure of the whole has changed since the snapshot compared with."""
    delta = content.changes.deltas.get(measure) if content.changes else None
    if content.changes is None or delta is None:
        return ""
    since = f"since {_since(content.changes.before, content.manifest)}"
    if delta == 0:
        return f"unchanged {since}"
    said = bytes_(delta) if measure.endswith("_size") else count(delta)
    earlier = content.total(measure) - delta
    share = f" ({signed(percent(delta, earlier), delta)})" if earlier else ""
    return f"{signed(said, delta)}{share} {since}"


def changed(content: Content) -> str:
    """Return what has come, gone and moved since the snapshot compared with."""
    changes = content.changes
    if changes is None:
        return (
            "This snapshot is compared with no other: there is no complete one before it, or none "
            "was asked for."
        )
    since = f"Since {time(changes.before.started_at)} (snapshot {cut(changes.before.snapshot_id)})"
    parts = [
        f"{number(changes.counts[kind], *nouns)} {how}"
        for kind, nouns, how in _CHANGES
        if changes.counts[kind]
    ]
    if not parts:
        said = "no change was found"
    elif len(parts) == 1:
        said = parts[0]
    else:
        said = f"{', '.join(parts[:-1])} and {parts[-1]}"
    if content.total("image_count") and not changes.deltas:
        said += "; the totals cannot be compared"
    return f"{since}: {said}."


def uncompared(content: Content) -> str:
    """Return how many registries cannot be compared; empty if all can."""
    many = content.changes.counts["unknown"] if content.changes else 0
    if not many:
        return ""
    return (
        f"{number(many, 'registry', 'registries')} cannot be compared, or not whole. Nothing there "
        "is called removed that was not looked for."
    )


def money(content: Content, size: int) -> str:
    """Return what a month of storing so many bytes costs; empty if no price was given."""
    price = content.price
    if price is None:
        return ""
    amount = f"{size / GIGABYTE * price.per_gb_month:,.2f} {cut(price.currency, 20)}"
    return f"{amount.rstrip()} a month"


def concentration(content: Content) -> str:
    """Return how much of all bytes the largest repositories hold."""
    stored = content.total("stored_size")
    largest = [tile for tile in content.tiles if tile.kind == "repository"][:5]
    if stored <= 0:
        return "Nothing is stored."
    if not largest:
        return "Several repositories use every byte, so no repository holds any by itself."
    held = sum(tile.size for tile in largest)
    if len(largest) == 1:
        return f"One repository, {_full(largest[0])}, holds {percent(held, stored)} of all bytes."
    return (
        f"The {_spelled(len(largest))} largest repositories hold {percent(held, stored)} of all "
        f"bytes; the largest, {_full(largest[0])}, {percent(largest[0].size, stored)}."
    )


def tiles_text(content: Content) -> str:
    """Return the text alternative of the picture of all bytes."""
    parts = [f"{_full(tile)} {bytes_(tile.size)}" for tile in content.tiles[:5] if tile.name]
    return (
        "Rectangles as large as the bytes of each repository, grouped by registry. "
        f"The largest: {', '.join(parts)}. The tables below have all figures."
    )


def freeing(content: Content) -> str:
    """Return what deleting the images without a tag would free, all of them and the old ones."""
    steps = {one.days: one for one in content.freeing.steps if one.untagged}
    every, old = steps[0], steps[90]
    left_out = content.freeing.left_out
    said = (
        f"Deleting {number(every.images, 'image')} without a tag would free "
        f"{bytes_(every.size)}{_saving(content, every.size)}."
        if every.images
        else "No images without a tag were seen."
        if content.freeing.unseen
        else "There are no images without a tag."
    )
    if 0 < old.size < every.size:
        said += (
            f" Sparing those of the last 90 days, it would still be {bytes_(old.size)}"
            f"{_saving(content, old.size)}."
        )
    if left_out:
        said += (
            f" {number(left_out, 'registry is', 'registries are')} left out: images that were not "
            "listed may use the same layers."
        )
    if content.freeing.unseen:
        said += (
            f" {number(content.freeing.unseen, 'registry does', 'registries do')} not show images "
            "that no tag leads to: they are not in these figures, and layers that they use stay."
        )
    return said


def reclaim_line(content: Content) -> str:
    """Return the command that lists the old images without a tag, one id a line."""
    words = ("--output", content.url, "--snapshot", content.manifest.snapshot_id)
    said = shlex.join(("registry-exporter", "reclaim", *words))
    return printable(f"{said} --untagged --older-than 90d --ids")


def freed_label(one: Freed) -> str:
    """Return the images that a row is about: `without a tag, older than 90 days`."""
    age = f"older than {one.days} days" if one.days else "of any age"
    return f"without a tag, {age}" if one.untagged else f"tagged or not, {age}"


def _saving(content: Content, size: int) -> str:
    said = money(content, size)
    return f", {said}" if said else ""


def growth(content: Content) -> str:
    """Return how the stored bytes have grown over the snapshots that are kept."""
    complete = [point for point in content.points if point.complete]
    if len(complete) < 2:
        return (
            "There is one complete snapshot so far. With the next one, this chapter shows how "
            "storage grows."
            if complete
            else "There is no complete snapshot yet, so growth cannot be told."
        )
    first, last = complete[0], complete[-1]
    delta = last.stored_size - first.stored_size
    days = (last.started_at - first.started_at).total_seconds() / 86400
    if delta == 0:
        moved = "is as large as it was"
    else:
        grown = "grown" if delta > 0 else "shrunk"
        share = f" ({percent(abs(delta), first.stored_size)})" if first.stored_size else ""
        moved = f"has {grown} by {bytes_(abs(delta))}{share}"
    since = f"Since {day(first.started_at)}, billed storage {moved}"
    if days >= 7 and delta:
        month = round(delta / days * 30)
        since += f", {bytes_(abs(month))} in thirty days at that pace"
    return f"{since}. {number(len(content.points), 'snapshot')} are kept."


def ages(content: Content) -> str:
    """Return how many images are older than a year."""
    images = content.total("image_count")
    if not images:
        return "There are no images."
    old = [age for age in content.ages if age.days is not None and age.days >= 365]
    many = sum(age.tagged_images + age.untagged_images for age in old)
    untagged = sum(age.untagged_images for age in old)
    if not many:
        return "No image is older than a year."
    return (
        f"{count(many)} of {number(images, 'image')}, {percent(many, images)}, are older than a "
        f"year, and {count(untagged)} of those have no tag."
    )


def age_labels(found: Sequence[Age], *, short: bool = False) -> list[str]:
    """Return the names of ages, in their order."""
    long_names = {
        0: "under a week",
        7: "1–4 weeks",
        30: "1–3 months",
        90: "3–6 months",
        180: "6–12 months",
        365: "1–2 years",
        730: "over 2 years",
    }
    short_names = {0: "<1w", 7: "<4w", 30: "<3m", 90: "<6m", 180: "<1y", 365: "<2y", 730: "2y+"}
    names = short_names if short else long_names
    return ["unknown" if one.days is None else names[one.days] for one in found]


def _since(before: Manifest, now: Manifest) -> str:
    """Return the day of an earlier snapshot, or the minute if both are of one day."""
    said = day(before.started_at)
    return time(before.started_at) if said == day(now.started_at) else said


def _full(tile: Tile) -> str:
    return f"{isolated(tile.registry or '')}/{isolated(tile.name or '')}"


def _spelled(few: int) -> str:
    return ("zero", "one", "two", "three", "four", "five")[few]

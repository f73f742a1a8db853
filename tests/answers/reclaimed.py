"""What deleting images frees, computed in plain Python from the rows of an estate.

Written from the contract alone; nothing here is the program's, but for its names.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from tests.derive.estates import Image, World

Bytes = dict[str, int]


@dataclass(frozen=True)
class Asked:
    """Flags, and the vendor's rules as JSON has them; `None` and empty: not given."""

    untagged: bool = False
    older_than: timedelta | None = None
    keep_last: int | None = None
    tags: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Reclaimed:
    """The answer: `rules` are the numbers of those that select an image, by its id."""

    images: Bytes = field(default_factory=dict)
    repositories: Bytes = field(default_factory=dict)
    registries: Bytes = field(default_factory=dict)
    rules: dict[str, list[int]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def expected(world: World, started_at: datetime, asked: Asked) -> Reclaimed:
    """Return what `reclaim` must say; `world` has a row of coverage for every listing."""
    listed = _listed(world)
    known = {registry for registry, _, _ in world.registries}
    used = {_registry(image) for image in world.images}
    whole = {one for one in known if listed.get(one) == "complete"}
    missing = {one for one, status in listed.items() if status not in ("complete", "skipped")}
    left_out = known - whole | missing | used - known
    if asked.registries:
        whole &= set(asked.registries)
        left_out &= set(asked.registries)
    there = [image for image in world.images if _registry(image) in whole]
    going, rules = _going(there, started_at, asked, _untagged(world))
    going = _without_kept(there, going)
    freed = {one.image_id for one in going}
    return Reclaimed(
        images={one: _freed(there, {one}) for one in freed},
        repositories={
            name: _freed(there, {one.image_id for one in going if one.repository_name == name})
            for name in {one.repository_name for one in going}
        },
        registries={
            name: _freed([one for one in there if _registry(one) == name], freed)
            for name in {_registry(one) for one in going}
        },
        rules={one: rules.get(one, []) for one in freed},
        left_out=sorted(left_out),
    )


def _listed(world: World) -> dict[str, str]:
    """Return how the images of each registry were listed; OCI registries list by repository."""
    if world.visible is None:
        return {parent: status for listing, parent, status in world.coverage if listing == "images"}
    listed = {registry: "complete" for registry, _, _ in world.registries}
    for listing, parent, status in world.coverage:
        if listing in ("repositories", "tags", "manifests") and status != "complete":
            listed[parent.partition("/")[0]] = status
    return listed


def _untagged(world: World) -> set[str]:
    """Return the images without a tag; of an OCI registry, those that no tag leads to."""
    by_id = {image.image_id: image for image in world.images}
    left = [image for image in world.images if image.tags]
    reached = set()
    while left:
        image = left.pop()
        reached.add(image.image_id)
        ids = (f"{image.repository_name}@{child}" for child, _ in image.children)
        left += [by_id[one] for one in ids if one in by_id and one not in reached]
    return by_id.keys() - reached


def _without_kept(there: Iterable[Image], going: list[Image]) -> list[Image]:
    """Leave out what an index that stays refers to, until no index that stays refers to one."""
    gone = {one.image_id for one in going}
    while (
        kept := {
            f"{image.repository_name}@{child}"
            for image in there
            if image.image_id not in gone
            for child, _ in image.children
        }
        & gone
    ):
        gone -= kept
    return [one for one in going if one.image_id in gone]


def _registry(image: Image) -> str:
    return image.repository_name.partition("/")[0]


def _age(image: Image) -> tuple[bool, datetime | None, str]:
    """Return what orders images from the oldest to the newest."""
    return (image.created_at is not None, image.created_at, image.image_id)


def _going(
    there: Iterable[Image], started_at: datetime, asked: Asked, untagged: Collection[str]
) -> tuple[list[Image], dict[str, list[int]]]:
    called: defaultdict[str, dict[int, bool]] = defaultdict(dict)
    for place, rule in enumerate(asked.rules, 1):
        top = rule.get("retained_top", 0)
        period = rule.get("expire_period")
        for images in _by_repository(
            image for image in there if _filters(rule, image, untagged)
        ).values():
            kept = {one.image_id for one in images[max(0, len(images) - top) :]}
            for image in images:
                old = period is None or _is_older(image, started_at, _period(period))
                called[image.image_id][place] = image.image_id not in kept and old
    rules = {one: sorted(calls) for one, calls in called.items() if all(calls.values())}
    matching = [
        image
        for image in there
        if (not asked.rules or image.image_id in rules)
        and (not asked.untagged or image.image_id in untagged)
        and (asked.older_than is None or _is_older(image, started_at, asked.older_than))
        and (not asked.tags or (image.tags and all(_any(asked.tags, tag) for tag in image.tags)))
        and (not asked.repositories or _is_in(asked.repositories, image.repository_name))
    ]
    if asked.keep_last:
        spared = {
            one.image_id
            for images in _by_repository(matching).values()
            for one in images[-asked.keep_last :]
        }
        matching = [one for one in matching if one.image_id not in spared]
    return matching, rules


def _by_repository(images: Iterable[Image]) -> dict[str, list[Image]]:
    grouped: defaultdict[str, list[Image]] = defaultdict(list)
    for image in images:
        grouped[image.repository_name].append(image)
    return {name: sorted(some, key=_age) for name, some in grouped.items()}


def _filters(rule: Mapping[str, Any], image: Image, untagged: Collection[str]) -> bool:
    if image.image_id in untagged:
        return bool(rule.get("untagged"))
    pattern = rule.get("tag_regexp")
    return pattern is not None and any(re.fullmatch(pattern, tag) for tag in image.tags)


def _period(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * {"s": 1, "h": 3600, "d": 86400}[text[-1]])


def _is_older(image: Image, started_at: datetime, period: timedelta) -> bool:
    return image.created_at is not None and started_at - image.created_at > period


def _any(globs: Collection[str], text: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)


def _is_in(globs: Collection[str], name: str) -> bool:
    return _any(globs, name) or _any(globs, name.partition("/")[2])


def _freed(there: Iterable[Image], gone: Collection[str]) -> int:
    """Return the bytes stored before, less those after: each digest once in each registry."""
    return _stored(there, lambda _: True) - _stored(there, lambda one: one.image_id not in gone)


def _stored(there: Iterable[Image], stays: Callable[[Image], bool]) -> int:
    # What a digest takes is the larger of its sizes, whichever of its images goes.
    sizes: Counter[tuple[str, str]] = Counter()
    used = set()
    for image in there:
        for layer in image.layers:
            if layer.digest is not None:
                blob = (_registry(image), layer.digest)
                sizes[blob] = max(sizes[blob], layer.size)
                if stays(image):
                    used.add(blob)
    return sum(sizes[blob] for blob in used)

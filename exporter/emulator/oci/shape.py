"""The description of a registry: its seed, its counts, and the oddities of what is in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Oddity(StrEnum):
    """A kind of manifest that is not a plain image or index; its rate is a share of all pushes."""

    ARTIFACT = "artifact"
    ATTESTED = "attested"
    NESTED = "nested-index"
    EMPTY_INDEX = "empty-index"
    NO_MEDIA_TYPE = "no-media-type"
    MISSING_CHILD = "missing-child"
    ODD_CHILD = "odd-child"
    FOREIGN = "foreign-layer"
    SCHEMA1 = "schema1"
    REFERRERS = "referrers-tag"
    SIGNATURE = "signature-tag"
    DANGLING = "dangling-subject"
    ODD_TIME = "odd-time"
    ACCESSORY = "accessory"


@dataclass(frozen=True, slots=True)
class Shape:
    """The whole description of a registry: the same shape is the same registry, byte for byte.

    Attributes:
        seed: Chooses one of the registries of this shape.
        repositories: Number of repositories, the empty ones included.
        tags: Number of tags, over all repositories; an oddity may bring one more.
        indexes: Number of indexes among what they name, over all repositories.
        children: Number of platforms of an index.
        second_tags: Share of the tags that name what another tag names already.
        untagged: Share of the pushes whose tag has moved on, so that no tag names them.
        empty: Share of the repositories without a tag.
        skew: Zipf exponent of tags per repository; 0 gives all the same share.
        layers: Mean number of layers of an image.
        oddities: Share of the pushes that are of an odd kind, by its name.
        day: How many days have passed since the first one.
        moved: Share of the tags that name something new after each day.
        newest: The time of the newest images of the first day, in seconds since 1970.

    """

    seed: int = 1
    repositories: int = 1
    tags: int = 0
    indexes: int = 0
    children: int = 2
    second_tags: float = 0.2
    untagged: float = 0.0
    empty: float = 0.0
    skew: float = 0.0
    layers: int = 6
    oddities: Mapping[str, float] = field(default_factory=dict)
    day: int = 0
    moved: float = 0.01
    newest: int = 1_767_225_600

    def __post_init__(self) -> None:
        for name in ("repositories", "tags", "indexes", "children", "day"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} cannot be negative")
        if self.tags and not self.repositories:
            raise ValueError("tags need repositories to be in")
        if self.layers < 1:
            raise ValueError("layers starts at 1")
        for kind, rate in self.oddities.items():
            Oddity(kind)
            if not 0 <= rate <= 1:
                raise ValueError(f"the share of {kind} must be from 0 to 1, not {rate}")
        if sum(self.oddities.values()) > 1:
            raise ValueError("the shares of odd kinds add up to more than 1")

    def with_oddities(self, oddities: Mapping[str, float]) -> Shape:
        """The same with other shares of some odd kinds."""
        return replace(self, oddities={**self.oddities, **oddities})

    def on(self, day: int) -> Shape:
        """The same registry some days after the first one."""
        return replace(self, day=day)


_PRESETS = {
    "tiny": Shape(repositories=5, tags=40, indexes=6),
    "demo": Shape(
        repositories=60,
        tags=3_000,
        indexes=400,
        empty=0.05,
        skew=0.8,
        oddities={
            "artifact": 0.01,
            "attested": 0.05,
            "nested-index": 0.002,
            "missing-child": 0.002,
            "foreign-layer": 0.005,
            "schema1": 0.001,
            "referrers-tag": 0.01,
            "signature-tag": 0.03,
            "odd-time": 0.001,
        },
    ),
    "nightly": Shape(repositories=200, tags=10_000, indexes=1_000),
    "skewed": Shape(repositories=200, tags=10_000, indexes=1_000, skew=1.0, empty=0.05),
    "million": Shape(repositories=20_000, tags=1_000_000, indexes=100_000, skew=0.5, empty=0.05),
    "odd": Shape(
        repositories=24,
        tags=600,
        indexes=60,
        empty=0.2,
        skew=0.6,
        untagged=0.1,
        oddities=dict.fromkeys(Oddity, 0.03),
    ),
}

PRESETS: tuple[str, ...] = tuple(_PRESETS)
"""The names for `preset`."""


def preset(
    name: str,
    *,
    seed: int | None = None,
    repositories: int | None = None,
    tags: int | None = None,
    indexes: int | None = None,
) -> Shape:
    """The named shape, with other counts where they are given.

    With other tags alone, the number of repositories grows with the square root of that; that of
    indexes grows with the tags.

    Raises:
        ValueError: There is no preset of that name.

    """
    if name not in _PRESETS:
        raise ValueError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    shape = _PRESETS[name]
    share = 1.0 if tags is None else tags / shape.tags
    return replace(
        shape,
        seed=shape.seed if seed is None else seed,
        repositories=max(1, round(shape.repositories * math.sqrt(share)))
        if repositories is None
        else repositories,
        tags=shape.tags if tags is None else tags,
        indexes=round(shape.indexes * share) if indexes is None else indexes,
    )

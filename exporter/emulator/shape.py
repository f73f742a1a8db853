"""The description of an estate: its seed, its counts, its skew, and its oddities."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

SizeOf = Literal["layers", "layers-and-config", "each-layer-once", "each-layer-once-and-config"]
SIZES: tuple[SizeOf, ...] = get_args(SizeOf)
"""The ways in which an API may add up an image's size."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """The oddities of an estate, each with a switch.

    They are valid, or have been seen in practice: a reader must cope with all of them.

    Attributes:
        new_fields: Fields and enum names the published API does not have (yet).
        foreign_layers: Some layers have `urls`, so their bytes are not in the registry.
        size_conflict: One digest is listed with two sizes within one registry.
        size_mismatch: Some images' `compressedSize` is not the sum of their layers.
        shared_tag: One tag stands on two images of one repository.
        unlisted_repository: Some repositories have images, but no repository list names them.
        extreme_times: Creation times in the years 0001 and 9999, and none at all.
        huge_sizes: Some blobs are larger than 2^53 bytes.
        snake_case: Some fields have the name of the protobuf message: `created_at`.
        numbers: Numbers where the API sends texts: sizes, and enum values without a name.
        offset_times: Times with an offset, or in lower case.
        bad_values: Invalid times and sizes, and negative sizes.
        odd_text: Text with quotes, control characters, emoji and separators that JSON
            readers get wrong, in names, descriptions, labels and tags.

    """

    new_fields: bool = False
    foreign_layers: bool = False
    size_conflict: bool = False
    size_mismatch: bool = False
    shared_tag: bool = False
    unlisted_repository: bool = False
    extreme_times: bool = False
    huge_sizes: bool = False
    snake_case: bool = False
    numbers: bool = False
    offset_times: bool = False
    bad_values: bool = False
    odd_text: bool = False

    @classmethod
    def all(cls) -> Quirks:
        """All oddities at once."""
        return cls(**{field.name: True for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Shape:
    """The whole description of an estate: the same shape is the same estate, byte for byte.

    Attributes:
        seed: Chooses one of the estates of this shape.
        clouds: Number of clouds.
        folders: Number of folders, over all clouds.
        registries: Number of registries, over all folders.
        repositories: Number of repositories, over all registries, the empty ones included.
        images: Number of images, over all repositories.
        registry_skew: Zipf exponent of images per registry; 0 gives all the same share.
        repository_skew: Zipf exponent of images per repository within one registry.
        empty_share: Share of folders, registries and repositories that are empty;
            if it is not 0, at least one of each kind that has three or more.
        layers: Mean number of layers of an image.
        layer_bytes: Size of the largest usual layer, in bytes; most are far smaller.
        base_stacks: Number of base images, whose layers repositories share with each other.
        untagged_share: Share of images without tags.
        index_share: Share of images that are manifest lists: no config, no layers, no size.
        repeat_share: Share of images that name one of their layers twice.
        size_of: What `compressedSize` is the sum of: the layers as often as they are named, or each
            once, and in both cases the config as well or not.
        same_times: How many images in a row of a repository were created at the same moment, as
            in a registry that was moved from elsewhere.
        quirks: The oddities.
        lifelike: Whether names and habits are those of a company, with few oddities (`lifelike`).
        newest: The time of the newest images of such an estate, in seconds since 1970.

    """

    seed: int = 1
    clouds: int = 1
    folders: int = 1
    registries: int = 1
    repositories: int = 1
    images: int = 0
    registry_skew: float = 1.0
    repository_skew: float = 1.0
    empty_share: float = 0.05
    layers: int = 10
    layer_bytes: int = 256 * 1024 * 1024
    base_stacks: int = 24
    untagged_share: float = 0.3
    index_share: float = 0.02
    repeat_share: float = 0.03
    size_of: SizeOf = "layers"
    same_times: int = 1
    quirks: Quirks = Quirks()
    lifelike: bool = False
    newest: int = 1_767_225_600
    days: int = 0

    def __post_init__(self) -> None:
        for name in ("clouds", "folders", "registries", "repositories", "images", "base_stacks"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} cannot be negative")
        for child, parent in (
            ("folders", "clouds"),
            ("registries", "folders"),
            ("repositories", "registries"),
            ("images", "repositories"),
        ):
            if getattr(self, child) and not getattr(self, parent):
                raise ValueError(f"{child} need {parent} to be in")
        if self.layers < 1 or self.base_stacks < 1:
            raise ValueError("layers and base_stacks start at 1")
        if self.same_times < 1:
            raise ValueError("same_times starts at 1")


_PRESETS = {
    "tiny": Shape(folders=2, registries=3, repositories=9, images=60),
    "demo": Shape(clouds=2, folders=6, registries=12, repositories=160, images=20_000),
    "company": Shape(
        clouds=2,
        folders=6,
        registries=12,
        repositories=160,
        images=20_000,
        layer_bytes=512 * 1024 * 1024,
        lifelike=True,
        quirks=Quirks(size_conflict=True, size_mismatch=True, shared_tag=True),
    ),
    "skewed": Shape(clouds=2, folders=8, registries=33, repositories=1_200, images=100_000),
    "uniform": Shape(
        clouds=2,
        folders=8,
        registries=32,
        repositories=1_024,
        images=100_000,
        registry_skew=0.0,
        repository_skew=0.0,
        empty_share=0.0,
    ),
    "giant-registry": Shape(repositories=200, images=60_000, empty_share=0.0),
    "giant-repository": Shape(repositories=1, images=50_000, empty_share=0.0),
    "million": Shape(clouds=3, folders=20, registries=100, repositories=5_000, images=1_000_000),
    "quirks": Shape(
        clouds=3, folders=9, registries=12, repositories=96, images=2_000, quirks=Quirks.all()
    ),
}

PRESETS: tuple[str, ...] = tuple(_PRESETS)
"""The names for `preset`."""


def preset(name: str, *, images: int | None = None, seed: int | None = None) -> Shape:
    """The named shape, made larger or smaller until it has `images` images.

    The number of repositories grows with the square root of that, and each grows as well. The
    numbers of clouds, folders and registries stay.

    Raises:
        ValueError: There is no preset of that name.

    """
    if name not in _PRESETS:
        raise ValueError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    shape = _PRESETS[name]
    if images is not None and shape.repositories > 1:
        scaled = round(shape.repositories * math.sqrt(images / shape.images))
        shape = replace(shape, repositories=max(1, scaled))
    if images is not None:
        shape = replace(shape, images=images)
    return shape if seed is None else replace(shape, seed=seed)

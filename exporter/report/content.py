"""What a report says, as plain data: read from snapshots, and not yet in words or pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from exporter.snapshots.manifest import Manifest


@dataclass(frozen=True)
class Price:
    """What a month of storage costs: for each GB of 2^30 bytes, in a currency that may be empty."""

    per_gb_month: float
    currency: str


@dataclass(frozen=True)
class Registry:
    """A registry among the largest; sizes are bytes."""

    id: str
    name: str
    folder: str
    repositories: int
    images: int
    untagged_images: int | None
    stored_size: int
    untagged_size: int | None
    logical_size: int
    complete: bool


@dataclass(frozen=True)
class Repository:
    """A repository among the largest; `name` is its path, `registry` the registry's name."""

    id: str
    name: str
    registry: str
    images: int
    untagged_images: int | None
    stored_size: int
    exclusive_size: int
    untagged_size: int | None
    newest_image_at: datetime | None
    complete: bool


@dataclass(frozen=True)
class ScopeSum:
    """All registries, or all repositories, added up."""

    scope: str
    count: int
    images: int
    untagged_images: int | None
    stored_size: int
    exclusive_size: int
    untagged_size: int | None
    logical_size: int
    repositories: int


@dataclass(frozen=True)
class Tile:
    """A rectangle of the picture of all bytes.

    `kind` is `repository`, `shared` (what several repositories of a registry use), `rest` (`count`
    smaller repositories of a registry) or `registries` (`count` smaller registries).
    """

    registry_id: str | None
    registry: str | None
    kind: str
    name: str | None
    count: int
    size: int


@dataclass(frozen=True)
class LargeImage:
    """An image among the largest; `is_untagged`: no tag leads to it, also not through an index."""

    id: str
    repository_name: str
    registry: str
    digest: str
    tags: list[str]
    is_untagged: bool
    compressed_size: int
    layer_count: int
    created_at: datetime | None


@dataclass(frozen=True)
class SharedLayer:
    """A layer that several images of a registry use, billed once."""

    digest: str
    registry: str
    size: int
    images: int
    repositories: int
    saved_size: int


@dataclass(frozen=True)
class Age:
    """Images at least `days` old, and younger than the next age; null: their time is unknown."""

    days: int | None
    tagged_images: int
    untagged_images: int
    logical_size: int


@dataclass(frozen=True)
class Freed:
    """What deleting the images of an age would free; `untagged`: only those without a tag."""

    days: int
    untagged: bool
    images: int
    size: int


@dataclass(frozen=True)
class FreeingRepository:
    """A repository with images without a tag; `size` is freed if only they were deleted."""

    name: str
    images: int
    size: int
    logical_size: int


@dataclass(frozen=True)
class Freeing:
    """What deleting would free: by age, and the repositories that would free most.

    `repository_count` counts all repositories with untagged images. `left_out` are registries of
    which nothing can be said, for not all of their images were listed. `unseen` counts those that
    do not show images without a tag.
    """

    steps: tuple[Freed, ...]
    repositories: tuple[FreeingRepository, ...]
    repository_count: int
    left_out: int
    unseen: int


@dataclass(frozen=True)
class Example:
    """A finding: what it is about, and the finding in a sentence."""

    subject: str
    detail: str


@dataclass(frozen=True)
class Finding:
    """The findings of one kind, and the first of them."""

    kind: str
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Listings:
    """How the listings of one kind went."""

    listing: str
    count: int
    complete: int
    skipped: int
    vanished: int
    missing: int
    rows: int
    calls: int
    retries: int


@dataclass(frozen=True)
class Gap:
    """A listing that is not complete; `name` is that of what was listed, where it has one."""

    listing: str
    parent_id: str
    name: str
    status: str
    rows: int
    message: str


@dataclass(frozen=True)
class ChangedScope:
    """A repository that both snapshots know, and its stored bytes in each."""

    name: str
    before_size: int
    after_size: int
    delta: int


@dataclass(frozen=True)
class MovedTag:
    """A tag that points to another image than before; `size_delta` is null where unknown."""

    repository_name: str
    tag: str
    before_digest: str
    digest: str
    size_delta: int | None


@dataclass(frozen=True)
class Uncompared:
    """A registry that cannot be compared whole, and why."""

    registry_id: str
    name: str
    reason: str


@dataclass(frozen=True)
class Changes:
    """What differs from the snapshot `before`.

    `counts` are those of the kinds of changes. `deltas` are the differences of the whole by measure
    of `size_totals`; one that is not known has none. `repositories` grew or shrank most, `moved`
    are tags, the newest first, and `unknown` the first registries that cannot be compared.
    """

    before: Manifest
    counts: Mapping[str, int]
    deltas: Mapping[str, int]
    repositories: tuple[ChangedScope, ...]
    moved: tuple[MovedTag, ...]
    unknown: tuple[Uncompared, ...]


@dataclass(frozen=True)
class Point:
    """The totals of one snapshot, for the growth over time."""

    snapshot_id: str
    started_at: datetime
    complete: bool
    images: int
    stored_size: int
    untagged_size: int | None
    logical_size: int


@dataclass(frozen=True)
class Content:
    """All that one report says; `changes` is None if it compares with nothing."""

    manifest: Manifest
    url: str
    price: Price | None
    registries: tuple[Registry, ...]
    repositories: tuple[Repository, ...]
    sums: dict[str, ScopeSum]
    tiles: tuple[Tile, ...]
    images: tuple[LargeImage, ...]
    shared_layers: tuple[SharedLayer, ...]
    ages: tuple[Age, ...]
    findings: tuple[Finding, ...]
    listings: tuple[Listings, ...]
    gaps: tuple[Gap, ...]
    points: tuple[Point, ...]
    freeing: Freeing
    changes: Changes | None

    def total(self, measure: str) -> int:
        """Return a count or a size of the whole snapshot."""
        value = self.manifest.totals.get(measure)
        return value if isinstance(value, int) else 0

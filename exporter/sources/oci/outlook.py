"""How many calls an export of one registry takes, from a sample of its repositories.

The arithmetic follows `reading.py`: a tag costs a GET, or, once it is known, a HEAD, or nothing if
it never moves; each child of an index a call, unless the index is known whole; each config that is
not cached a call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from exporter.sources.oci.proofs import FIRST, TURNS
from exporter.sources.oci.shapes import Shape

NamedBy = Literal["catalog", "projects", "settings"]


@dataclass
class RepositorySample:
    """One repository: how many `tags` it has, and what is known of them.

    `pages` are those of its list; `is_cut` says that it goes on. `fixed` are tags that never move
    and are known, `known` the others that the cache knows. `known_shapes` are those of all known
    manifests. Of the other tags, `examined` were read, and had `shapes`.
    """

    name: str
    tags: int = 0
    pages: int = 0
    is_cut: bool = False
    fixed: int = 0
    known: int = 0
    known_shapes: list[Shape] = field(default_factory=list)
    examined: int = 0
    shapes: list[Shape] = field(default_factory=list)

    @property
    def unknown(self) -> int:
        """The tags that no run has read."""
        return self.tags - self.fixed - self.known


@dataclass(frozen=True)
class Calls:
    """Calls by kind, and how many of them Docker Hub and its like count as pulls."""

    lists: int
    manifests: int
    configs: int
    pulls: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.lists + self.manifests + self.configs


@dataclass(frozen=True)
class Estimate:
    """Calls, and the seconds that they take."""

    calls: Calls
    seconds: float | None


@dataclass(frozen=True)
class QuotaLeft:
    """What a registry allows: so many pulls in so many `seconds`, of which some are left."""

    limit: int | None
    left: int
    seconds: int | None


@dataclass(frozen=True)
class Outlook:
    """What an export of one registry will meet.

    `named_by` is `catalog`, `projects` (Harbor's) or `settings`. `tags` are estimated unless
    `is_exact`. `cold` is without a cache, `warm` with the cache as it is. `tokens` are requests for
    tokens, beside the calls. `latency` is the time of one call in seconds.
    """

    registry_id: str
    flavor: str
    named_by: NamedBy
    untagged_visible: bool
    repositories: int
    sampled: int
    tags: int
    is_exact: bool
    cold: Estimate
    warm: Estimate
    tokens: int
    latency: float | None
    quota: QuotaLeft | None

    @property
    def is_enough(self) -> bool | None:
        """Whether the quota allows the export with the cache as it is; None without a quota."""
        return None if self.quota is None else self.warm.calls.pulls <= self.quota.left


@dataclass(frozen=True)
class Rates:
    """How fast calls go: seconds for one of each kind, the most at once, the most a second."""

    seconds: Mapping[str, float]
    at_once: int
    a_second: float | None

    def time(self, calls: Calls) -> float | None:
        """Return how many seconds calls take; None if no call was measured."""
        known = [one for one in self.seconds.values() if one]
        if not known:
            return None
        usual = max(known)
        kinds = {"lists": calls.lists, "manifests": calls.manifests, "blobs": calls.configs}
        work = sum(count * self.seconds.get(kind, usual) for kind, count in kinds.items())
        paced = calls.total / self.a_second if self.a_second else 0.0
        return max(work / self.at_once, paced)


def calls_of(
    samples: Sequence[RepositorySample],
    *,
    repositories: int,
    list_calls: int,
    heads: bool,
    is_harbor: bool,
    with_configs: bool,
    cached: bool,
) -> Calls:
    """Return the calls for a registry, with what is `cached` or without.

    `list_calls` are those for the list of repositories. With `heads`, every tag is asked for its
    digest first. On Harbor, a list of artifacts tells all digests.
    """
    shapes = [shape for one in samples for shape in one.shapes]
    examined = sum(one.examined for one in samples)
    # Several tags may name one manifest.
    distinct = len(shapes) / examined if examined else 1.0
    lists = manifests = configs = pulls = proofs = 0.0
    for one in samples:
        lists += one.pages
        unknown = one.unknown * distinct  # Manifests.
        of_unknown = [unknown * mean for mean in _means(shapes)]
        tag_calls = _tag_calls(one, unknown, heads=heads, is_harbor=is_harbor, cached=cached)
        known = one.known_shapes
        if cached:
            asked = [shape for shape in known if shape.asks]
            children = sum(shape.children for shape in asked if not shape.is_whole)
            proofs += sum(shape.children for shape in asked if shape.is_whole)
            new = [sum(shape.new_children for shape in known), of_unknown[2]]
            configs += sum(shape.new_configs for shape in known) + of_unknown[3]
        else:
            children = sum(shape.children for shape in known)
            new = [children, of_unknown[0]]
            configs += sum(shape.configs for shape in known) + of_unknown[1]
        manifests += tag_calls[0] + children + of_unknown[0]
        pulls += tag_calls[1] + sum(new)
    factor = repositories / len(samples) if samples else 0.0
    return Calls(
        list_calls + math.ceil(lists * factor),
        math.ceil(manifests * factor + min(proofs * factor, FIRST + repositories / TURNS)),
        math.ceil(configs * factor) if with_configs else 0,
        math.ceil(pulls * factor),
    )


def _tag_calls(
    one: RepositorySample, unknown: float, *, heads: bool, is_harbor: bool, cached: bool
) -> tuple[float, float]:
    """Return the calls for the tags of a repository, and how many of them are pulls."""
    known = len(one.known_shapes)
    if is_harbor:
        reads = unknown if cached else unknown + known
        return reads, reads
    if heads:
        asked = one.tags - one.fixed if cached else one.tags
        reads = unknown if cached else unknown + known
        return asked + reads, reads
    if cached:
        return one.tags - one.fixed, one.unknown
    return one.tags, one.tags


def _means(shapes: Sequence[Shape]) -> tuple[float, float, float, float]:
    """Return the means of children, configs, new children and new configs; one config if none."""
    if not shapes:
        return 0.0, 1.0, 0.0, 1.0
    count = len(shapes)
    return (
        sum(shape.children for shape in shapes) / count,
        sum(shape.configs for shape in shapes) / count,
        sum(shape.new_children for shape in shapes) / count,
        sum(shape.new_configs for shape in shapes) / count,
    )

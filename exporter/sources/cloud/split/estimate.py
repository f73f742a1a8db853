"""How many pages scans have left, and whether another way of listing is worth its calls.

All of this is arithmetic on what scans have read so far. It decides the order of work, and when a
listing is split, and never which images are listed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.split.scan import Scan


@dataclass(frozen=True)
class Sizes:
    """How a registry's images are spread over its repositories, as far as it is known.

    `names` are sorted. `before` has the weight of all repositories before each of them, and at its
    end the weight of all. `shares` is each repository's share of a sample, `images` how many images
    there may be.
    """

    names: Sequence[str] = ()
    before: Sequence[float] = (0.0,)
    shares: Mapping[str, float] = field(default_factory=dict)
    images: float | None = None


def equal_sizes(names: Sequence[str]) -> Sizes:
    """Return the sizes while nothing is known: each repository has a weight of one."""
    return Sizes(names, tuple(accumulate((1.0 for _ in names), initial=0.0)))


def sampled_sizes(
    names: Sequence[str], shares: Mapping[str, float], images: float | None, unseen: float
) -> Sizes:
    """Return the sizes by a sample; `unseen` is the share of a repository that it does not show.

    All weights add up to one. The sample may not tell the number of images.
    """
    weights = [shares.get(name, unseen) for name in names]
    whole = sum(weights) or 1.0
    before = tuple(accumulate((one / whole for one in weights), initial=0.0))
    return Sizes(names, before, shares, images)


def largest_first(sizes: Sizes) -> list[str]:
    """Return all names, the largest repositories first by the sample."""
    return sorted(sizes.names, key=lambda name: (-sizes.shares.get(name, 0.0), name))


def weight_between(sizes: Sizes, up: Scan | None, down: Scan | None) -> float:
    """Return the weight between the places that two scans have reached."""
    low, high = 0, len(sizes.names)
    if up is not None and up.observed.last is not None:
        low = bisect_right(sizes.names, up.observed.last.name)
    if down is not None and down.observed.last is not None:
        high = bisect_left(sizes.names, down.observed.last.name)
    return sizes.before[high] - sizes.before[low]


def pages_per_weight(sizes: Sizes, scan: Scan) -> float:
    """Return how many pages a registry's scan reads for a weight of one; 0 before its first."""
    last = scan.observed.last
    if last is None or not scan.pages:
        return 0.0
    if sizes.images is not None:
        return sizes.images / scan.images_per_page
    if scan.direction is Direction.ASCENDING:
        passed = sizes.before[bisect_right(sizes.names, last.name)]
    else:
        passed = sizes.before[-1] - sizes.before[bisect_left(sizes.names, last.name)]
    return scan.pages / (passed or 1.0)


def registry_pages_left(
    sizes: Sizes, scan: Scan, partner: Scan | None, policy: SplitPolicy
) -> float:
    """Return how many pages a registry's own scan may have left before it meets `partner`.

    It is expected to go on at its pace. A repository that has filled some pages is expected to fill
    as many more, and one.
    """
    up, down = (scan, partner) if scan.direction is Direction.ASCENDING else (partner, scan)
    between = weight_between(sizes, up, down) / (1 if partner is None else 2)
    pace = pages_per_weight(sizes, scan)
    if not pace and partner is not None:
        pace = pages_per_weight(sizes, partner)
    pace = pace or policy.pages_per_repository
    in_last_name = scan.observed.pages_in_last_name
    return max(between * pace, in_last_name + 1.0 if in_last_name else 0.0)


def pages_of(sizes: Sizes, repository: str, up: Scan | None) -> float:
    """Return how many pages a repository fills by the sample, or 0.

    `up` is the registry's own scan, which shows how many images a page has.
    """
    if up is None:
        return 0.0
    return sizes.shares.get(repository, 0.0) * pages_per_weight(sizes, up)


def sampled_pages_left(sizes: Sizes, scan: Scan, up: Scan | None) -> float:
    """Return the pages left of a repository's scan by the sample, or 0."""
    if scan.repository is None or up is None:
        return 0.0
    both = [scan] if scan.partner is None else [scan, scan.partner]
    pages = pages_of(sizes, scan.repository, up) - sum(one.pages for one in both)
    return max(pages / len(both), 0.0)


def pages_left(sizes: Sizes, scan: Scan, up: Scan | None, policy: SplitPolicy) -> float:
    """Return how many pages any scan may have left; `up` is its registry's own."""
    if scan.repository is None:
        return registry_pages_left(sizes, scan, scan.partner, policy)
    if (sampled := sampled_pages_left(sizes, scan, up)) > 0.0:
        return sampled
    # A long scan tends to have as much left; two that meet have the same pages left.
    descends = scan.direction is Direction.DESCENDING
    longest = scan.partner if descends and scan.partner is not None else scan
    return longest.pages + 1.0


def pages_between(one: Scan, other: Scan) -> float:
    """Return how many pages lie between two partners, or 0 if that cannot be told.

    It can be told if both are in the repository that the first began with. That repository is
    expected to go on at its pace over the times there.
    """
    places = (one.observed.first, one.observed.last, other.observed.last)
    if len({place.name if place else None for place in places}) > 1:
        return 0.0
    begins, ends, far = (place.at if place else None for place in places)
    if begins is None or ends is None or far is None or begins == ends:
        return 0.0
    return one.pages * (far - ends) / (ends - begins)


def pages_before_meeting(
    sizes: Sizes, scan: Scan, partner: Scan, up: Scan | None, policy: SplitPolicy
) -> float:
    """Return how many pages a scan may read before it meets its partner, or 0 if unknown."""
    pages = pages_between(scan, partner) / 2
    if scan.repository is None:
        pages = pages or registry_pages_left(sizes, scan, partner, policy)
    return pages or sampled_pages_left(sizes, scan, up)


def is_worth_splitting(
    sizes: Sizes,
    up: Scan,
    down: Scan | None,
    *,
    slots: int,
    fastest: float,
    decoding: float,
    policy: SplitPolicy,
) -> bool:
    """Return whether free slots save more time by listing all repositories one by one.

    `up` and `down` are the registry's own scans. The images that they have listed are listed again.
    With few `slots`, listing one by one is no faster than two scans that meet. Neither is it if
    decoding takes as long, which is `decoding` seconds a page. `fastest` is what a page takes at
    least, in seconds: what it takes longer, it waits for others at the host, and still would.
    """
    if up.observed.last is None or not sizes.names:
        return False
    pages = max(weight_between(sizes, up, down), 0.0) * pages_per_weight(sizes, up)
    again = sum(scan.pages for scan in (up, down) if scan is not None)
    calls = len(sizes.names) + again + pages
    page_seconds = min(up.page_seconds, fastest)
    seconds = pages * page_seconds / (1 if down is None else 2)
    return (
        pages >= policy.min_pages_left
        and seconds >= policy.min_seconds_left
        and calls <= min(policy.max_calls_per_page, slots / 2) * pages
        and (again + pages) * decoding <= policy.max_decoding_share * pages * page_seconds / 2
    )


def is_worth_meeting(pages: float, page_seconds: float, policy: SplitPolicy) -> bool:
    """Return whether so many pages left are worth a second scan from the other end."""
    return (
        pages >= policy.min_pages_before_down
        and pages * page_seconds >= policy.min_seconds_before_down
    )

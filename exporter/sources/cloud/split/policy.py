"""The numbers that say when a listing is split and an order is believed, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SplitPolicy:
    """The numbers by which listings are split; `DEFAULT` has those that every run uses."""

    min_pages_before_down: float = 2.0
    """Pages that a scan must have left before a second one starts from the other end. The second
    may cost one call more, and it saves every second round trip."""
    min_seconds_before_down: float = 0.3
    """Seconds that those pages must take: below that, nobody notices the gain."""
    pages_ahead: float = 2.0
    """Pages that a scan with a partner must have left to prefetch. With fewer, the two may meet on
    the page in hand, and the prefetched one would be wasted."""
    min_pages_left: float = 2.0
    """Pages that a registry's own scans must have left before the registry is split. A split also
    costs a sample and a second reading of the repository list."""
    min_seconds_left: float = 1.0
    """Seconds that those pages must take."""
    max_calls_per_page: float = 20.0
    """Calls that a split may cost for each page left; above that it costs too much for what it
    saves."""
    large_share: float = 0.25
    """The share of all pages left from which a registry may decide how long the run takes."""
    large_pages: float = 2.0
    """Pages of a repository from which it gets a scan from each end as soon as it starts."""
    unseen_share: float = 0.0005
    """The share of a registry's images that a repository has which the sample does not show: half
    an image of a sample of a thousand."""
    pages_per_repository: float = 0.1
    """Pages that a repository fills as long as no page of its registry has come. It decides which
    of many registries gets its first page first, and so when the longest listing gets going."""
    max_open_at_refresh: int = 2
    """Scans of a split registry that may still run when the repository list is read again."""
    max_known_ids: int = 50_000
    """Image ids that are remembered of a registry's own scans. The split lists what is beyond them
    again, and the key drops it later."""
    enough_in_order: int = 16
    """Images that must come in order before another scan relies on that order. On pages of one or
    two images, no order at all may look sorted for a while."""
    ids_until: int = 64
    """Images in order after which a listing's ids are let go. An order that is lost later can then
    not be checked by ids."""
    pages_remembered: int = 2
    """Latest pages of a scan whose ids its partner compares with its own."""
    enough_shared: int = 2
    """Images that two scans must both have read before they meet. One alone may stand at another
    place in the reverse order."""
    pages_timed: int = 5
    """A page's time is the fastest of this many latest pages."""
    first_ids: int = 3
    """Images at its beginning by which a listing's first page is recognised when it comes again."""
    max_readings: int = 5
    """Readings of one scope before the listing gives up proving that nothing is missing."""
    max_repeated: int = 20
    """Repositories that are listed alone because images came again on the next page. More than
    these mean that much is pushed meanwhile, which loses nothing."""
    enough_sampled: int = 500
    """Images that a sample needs, of a registry that has more."""
    min_sampled_share: float = 1e-4
    """The share of all possible digests that a sample must reach to tell the number of images. Less
    more likely means that digests are named in another way."""
    max_sample_pages: int = 10
    """Pages of one sample, for they may be shorter than asked for."""


DEFAULT = SplitPolicy()
"""What every run uses. Tests of whole runs replace it here, and nowhere else."""


def default_policy() -> SplitPolicy:
    """Return what a run uses that names no policy of its own."""
    return DEFAULT

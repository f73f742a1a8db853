"""The numbers that decide when a listing is split and an order is believed, with their reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SplitPolicy:
    """The numbers by which listings are split; every run uses `DEFAULT`."""

    min_pages_before_down: float = 2.0
    """Pages that a scan must have left before a second one starts from the other end. The second
    may cost one call more, and it saves every second round trip."""
    min_seconds_before_down: float = 0.3
    """Seconds that those pages must take: nobody would notice a smaller gain."""
    pages_ahead: float = 2.0
    """Pages that a scan with a partner must have left to prefetch. With fewer, the two may meet on
    the current page, and the prefetched one would be wasted."""
    min_pages_left: float = 2.0
    """Pages that a registry's own scans must have left before the registry is split. A split also
    costs a sample and a second reading of the repository list."""
    min_seconds_left: float = 1.0
    """Seconds that those pages must take."""
    max_calls_per_page: float = 20.0
    """The most calls that a split may cost for each page left; beyond that, it costs more than it
    saves."""
    large_share: float = 0.25
    """The share of all pages left from which a registry may decide how long the run takes."""
    large_pages: float = 2.0
    """The least pages of a repository that is listed from both ends as soon as it starts."""
    unseen_share: float = 0.0005
    """The share of a registry's images that a repository is expected to have if the sample does not
    show it: half an image of a sample of a thousand."""
    pages_per_repository: float = 0.1
    """Pages that a repository is expected to fill as long as no page of its registry has come. This
    decides which of many registries gets its first page first, and so when the longest listing
    starts."""
    max_open_at_refresh: int = 2
    """The most scans of a split registry that still run when the repository list is read again."""
    max_decoding_share: float = 0.5
    """The most seconds of decoding that a split may take, for each second in which two scans that
    meet would list the rest. More slots do not make decoding faster, and a split decodes again what
    the registry's own scans have read: after many of their pages, it saves nothing. On a busy
    machine, both times are rough, so a split must promise to take half the time."""
    max_known_ids: int = 1_000_000
    """The most image ids that are remembered of a registry's own scans, in 24 MB. A split lists
    their images again and cuts them, so a registry of which they have listed more is not split."""
    enough_in_order: int = 16
    """Images that must come in order before another scan relies on that order. On pages of one or
    two images, no order at all may look sorted for a while."""
    ids_until: int = 64
    """Images in order after which a listing's ids are forgotten. If the order is lost later, the
    ids can no longer be checked."""
    pages_remembered: int = 2
    """The latest pages of a scan whose ids its partner compares with its own."""
    enough_shared: int = 2
    """Images that two scans must both have read before they meet. A single one may have another
    place in the reverse order."""
    pages_timed: int = 5
    """A page's time is the fastest of this many latest pages."""
    first_ids: int = 3
    """Images at the beginning of a listing's first page that identify it if it comes again."""
    max_readings: int = 5
    """Readings of one scope before the listing stops trying to prove that nothing is missing."""
    max_repeated: int = 20
    """The most repositories that are listed alone because images came again on the next page. More
    of them mean that many images are being pushed, which loses none."""
    enough_sampled: int = 500
    """Images that a sample needs, of a registry that has more."""
    min_sampled_share: float = 1e-4
    """The share of all possible digests that a sample must reach to tell the number of images. A
    smaller share more likely means that digests are not hashes."""
    max_sample_pages: int = 10
    """The most pages of one sample, because they may be shorter than asked for."""


DEFAULT = SplitPolicy()
"""The policy of every run. Tests of whole runs replace it here, and nowhere else."""


def default_policy() -> SplitPolicy:
    """Return the policy of a run that names none."""
    return DEFAULT


PART_PAGES_BEFORE_DOWN = 100.0
"""As `min_pages_before_down`, in a run that lists a part of a scope."""


def part_policy() -> SplitPolicy:
    """Return the policy of a run that lists a part of a scope, while others list the rest.

    It has slots to spare where one run for all would have none, and would split far more listings.
    All runs together are to take hardly more calls than one, so only what is long is split, and
    only where that costs little.
    """
    return replace(
        default_policy(), min_pages_before_down=PART_PAGES_BEFORE_DOWN, max_calls_per_page=1.03
    )

"""How one registry's listing ends: what it still waits for, and what its chains relied on.

What was listed repository by repository relies on the list of them. So before the listing ends, the
list is read again, for what has come into it; a witness is heard; and where anything speaks against
the list, the registry is listed anew, as one chain. What a chain has not proven whole is listed
again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.errors import ApiError
from exporter.sources.cloud.split.check import Sample, SampleTask, SplitCheck
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.partition import listable
from exporter.sources.cloud.split.proof import Readings
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans
from exporter.wording import number

log = structlog.get_logger()


class Closing:
    """What has to be known before a registry's listing ends; `refresh` has its list read again.

    `listed` says whether the repository list is whole, None while it is not here; `met` are the
    repositories on the pages of the registry's own chains, `left_out` those that the user's filter
    left out; `failure` is the first error after which something is missing.
    """

    def __init__(
        self, scans: Scans, entry: ListingStatus, context: Context, refresh: Callable[[], None]
    ) -> None:
        self.listed: bool | None = None
        self.met: set[str] = set()
        self.left_out: set[str] = set()
        self.failure: ApiError | None = None
        self.check = SplitCheck()
        self._policy = context.policy
        self._scans = scans
        self._entry = entry
        self._context = context
        self._refresh = refresh
        self._refreshed: bool | None = None  # Whether the list was read again; None: not asked.
        self._read_before = False
        self._sample_came: bool | None = None  # Whether the witness was; None: there is none.
        self._readings: dict[str | None, Readings] = {}  # Of what was not whole, by repository.
        self._at_seams: set[str] = set()  # Repositories that are listed alone (`list_repeated`).
        self._unproven = False  # Whether one could not be.

    @property
    def split(self) -> bool:
        """Whether repositories are listed one by one, and the list of them is relied on."""
        return self._scans.trusted and self._scans.alone

    @property
    def may_split(self) -> bool:
        """Whether repositories may be listed one by one: a witness has spoken for their list."""
        return self._sample_came is True and self._refreshed is None

    @property
    def awaits_sample(self) -> bool:
        """Whether a witness was asked for and has not spoken yet."""
        return self._sample_came is False

    def ended(self, scan: Scan) -> None:
        """Take a chain that has come to the end of its listing, and that of a whole one."""
        scope = scan.repository
        if scan.proof.whole or (scope is None and self.split):
            self._readings.pop(scope, None)
            return
        readings = self._readings.setdefault(scope, Readings())
        readings.add(scan.proof)
        if readings.whole:
            del self._readings[scope]

    def list_repeated(self, scan: Scan) -> None:
        """List alone the repositories where images of a registry's chain came again.

        Where one cannot be, or was for another reason, the registry itself is to be listed again.
        """
        if (
            scan.repository is not None
            or len(scan.repeated_repositories) > self._policy.max_repeated
        ):
            return
        new = scan.repeated_repositories - self._at_seams
        alone = {name for name in new if listable(name) and not self._scans.has_begun(name)}
        self._unproven = self._unproven or alone != new
        self._at_seams |= alone
        self._scans.begin_alone(sorted(alone))

    def gone(self, repository: str) -> None:
        """Take note that a repository was not found; the list is read again after that."""
        self.check.gone.add(repository)
        self._readings.pop(repository, None)
        if self._refreshed:
            self._refreshed = None

    def refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Take the list as it was read again; what has come into it is listed as well."""
        self._refreshed = True
        self.check.listed_now = frozenset(names) if whole else None
        if self.split:
            self._scans.begin_alone(self._scans.partition.unlisted(names))
        self.settle()

    def ask_for_sample(self) -> None:
        """Have a witness say what it can, before anything is listed alone, and before the end."""
        if self._sample_came is None:
            self._sample_came = False
            context, call = self._context, self._scans.registry_call
            witness = SampleTask(
                context.pages,
                call,
                context.sample_size,
                self._entry,
                self._policy,
                self._sampled,
            )
            context.queue(witness)

    def _sampled(self, sample: Sample | None) -> None:
        self._sample_came = True
        reason = self.check.sampled(sample, self._scans.partition)
        if reason is None and sample is not None:
            self._scans.partition.weigh(sample.shares, sample.total)
        elif reason is not None and self._scans.trusted:
            self.abandon_split(reason)
        self.settle()

    def abandon_split(self, reason: str) -> None:
        """Rely on the list of repositories no more."""
        if self._scans.abandon_split(reason, failed=self.failure is not None):
            self._readings.clear()
            self._at_seams.clear()
            self._unproven = False

    def settle(self) -> None:
        """End the registry's listing once no chain of it is open and nothing is awaited."""
        self.read_again()
        # What is done about a contradiction, or what was passed over, may leave nothing to do.
        while not (self._scans.open or self._waits or self._entry.status is not None):
            self._conclude()

    def _conclude(self) -> None:
        relied = self.split or self._scans.up is None
        reason = self.check.contradiction() if relied else None
        if not relied:
            self._doubt_seams()
        if self.failure is not None:
            self._entry.fail(self.failure)
        elif reason is not None:
            self.abandon_split(reason)
        elif not self._listed_again():
            self._end()

    def _doubt_seams(self) -> None:
        """Have the registry listed again where listing a repository alone has proven nothing."""
        up = self._scans.up
        doubted = self._unproven or not self._at_seams.isdisjoint(self.check.unlisted)
        if doubted and up is not None and None not in self._readings:
            self._readings[None] = Readings()
            self._readings[None].add(up.proof)
        self._unproven = False
        self._at_seams.clear()

    def read_again(self) -> None:
        """Have the repositories listed again, once almost all is listed."""
        if self._refreshed is not None or self.failure is not None:
            return
        # The first time as soon as can be, for it takes a call; once more after all else.
        ready = not self._scans.open if self._read_before else self._scans.settled
        if ready and (self.split or self.check.gone):
            self._refreshed, self._read_before = False, True
            self._refresh()

    @property
    def _waits(self) -> bool:
        awaited = self._refreshed is False or self._sample_came is False
        decides = self._scans.up is None or not self._context.wanted.all_repositories
        return awaited or (self.listed is None and decides)

    def _listed_again(self) -> bool:
        """List again what is not proven whole; False where nothing is, or it was in vain."""
        again = [
            name for name, one in self._readings.items() if one.count < self._policy.max_readings
        ]
        for name in again:
            readings = self._readings[name]
            if readings.count == 1:
                log.warning(
                    "listing_not_proven",
                    registry_id=self._entry.parent_id,
                    repository_name=name,
                    missing=readings.missing or None,
                    reason="images came in another order on another page, so that some may be "
                    "missing; they are listed again",
                )
            self._scans.begin(Direction.ASCENDING, name, reading=readings.count)
        return bool(again)

    def _end(self) -> None:
        if self._readings:
            missing = sum(one.missing for one in self._readings.values())
            lost = number(missing, "image") if missing else "some images"
            readings = self._policy.max_readings
            self._entry.doubt(
                f"the API gave images in another order on each page: of {readings} readings "
                f"none is whole, and {lost} may be missing from all of them; "
                "run the export again, or ask the operator of the API for a stable order"
            )
        elif self.left_out:
            left_out = number(len(self.left_out), "repository", "repositories")
            self._entry.skip(f"scope.repositories leaves out {left_out}")
        elif self.split:
            self._entry.complete(
                "the repositories were listed one by one, as the repository list names them"
            )
        else:
            self._entry.complete()

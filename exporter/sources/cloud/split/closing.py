"""How one registry's listing ends: what it still waits for, and what its scans relied on.

A split relies on the repository list. So before the listing ends, it reads the list again, for what
is new on it, and waits for the sample. If anything speaks against the list, one scan lists the
whole registry again. A scope that no scan has proven whole is listed again too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from exporter.crawl.coverage import ListingStatus
from exporter.errors import ApiError
from exporter.sources.cloud.split.check import Sample, SampleTask, SplitCheck
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.scan import Scan, ScanState
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.state import Asked, ListingState, Phase
from exporter.sources.cloud.split.unproven import Unproven
from exporter.wording import number


class Closing:
    """What a registry's listing has to know before it ends; `refresh` reads its list again.

    The listing tells it of each scan, page and failure. Nothing else changes what it knows.
    """

    def __init__(
        self,
        scans: Scans,
        state: ListingState,
        entry: ListingStatus,
        context: Context,
        refresh: Callable[[], None],
    ) -> None:
        self._listed: bool | None = None  # Whether the list is whole; None while it is not here.
        self._met: set[str] = set()  # Repositories on the pages of the registry's own scans.
        self._left_out: set[str] = set()  # Repositories that the user's filter leaves out.
        self._failure: ApiError | None = None  # The first after which something is missing.
        self._check = SplitCheck()
        self._unproven = Unproven(entry.parent_id, scans, context.policy)
        self._scans = scans
        self._state = state
        self._entry = entry
        self._context = context
        self._refresh = refresh
        self._read_before = False

    # The repository list.

    @property
    def list_is_whole(self) -> bool:
        """Whether the repository list is here, and all of it."""
        return bool(self._listed)

    def repositories_listed(
        self, names: Collection[str], left_out: Collection[str], *, whole: bool
    ) -> None:
        """Take the list; the user's filter leaves some out, and `whole` says if it is all."""
        self._left_out.update(left_out)
        self._listed = whole
        self._scans.take_repositories(names)
        if self._state.trusts_list and self._scans.partition.unlisted(self._met):
            self.abandon_split("repositories were met that are not listed")

    def doubt_list(self, names: Collection[str]) -> None:
        """Abandon the split where the list does not name repositories of the registry's pages."""
        relied_on = self._state.trusts_list and self._listed
        if relied_on and (unlisted := self._scans.partition.unlisted(names)):
            self.abandon_split(f"repository {unlisted[0]} has images, but is not listed")

    def abandon_split(self, reason: str) -> None:
        """Rely on the list of repositories no more."""
        if self._scans.abandon_split(reason, failed=self._failure is not None):
            self._unproven.clear()

    # Scans and their pages.

    def page_written(self, scan: Scan, names: Mapping[str, int]) -> None:
        """Take the repositories of a page, and how many images of each were kept."""
        wanted = self._context.filter
        if scan.repository is None:
            self._met.update(name for name, kept in names.items() if kept)
        if wanted is not None:
            self._left_out.update(name for name in names if not wanted(name))

    def scan_ended(self, scan: Scan) -> None:
        """Take a scan that is over: what it has not proven whole, or has shown twice."""
        if scan.state is ScanState.EXHAUSTED and scan.direction is Direction.ASCENDING:
            relied_on = scan.repository is not None or not self._state.is_split
            self._unproven.take(scan, relied_on=relied_on)
        self._unproven.list_repeated(scan)
        stopped, empty = scan.state is ScanState.STOPPED, scan.observed.last is None
        if scan.repository is not None and empty and not stopped:
            self._check.empty.add(scan.repository)

    def failed(self, error: ApiError) -> None:
        """Take an error after which something is missing."""
        self._failure = self._failure or error

    def refused(self, repository: str, error: ApiError) -> None:
        """Take note that a repository cannot be listed alone."""
        self._check.refused.add(repository)
        self.abandon_split(f"{error.scope} cannot be listed alone: {error.message}")

    def gone(self, repository: str) -> None:
        """Take note that a repository was not found; the list is read again after that."""
        self._check.gone.add(repository)
        self._unproven.forget(repository)
        if self._state.second_list.asked is Asked.ANSWERED:
            self._state.second_list.become(Asked.NOT_YET)

    # What it asks, and the end.

    def refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Take the list as it was read again; what is new on it is listed as well."""
        self._state.second_list.become(Asked.ANSWERED)
        self._check.listed_now = frozenset(names) if whole else None
        if self._state.is_split:
            self._scans.begin_alone(self._scans.partition.unlisted(names))
        self.settle()

    def ask_for_sample(self) -> None:
        """Have a sample taken, before anything is listed alone, and before the end."""
        question, context = self._state.sample, self._context
        if question.asked is not Asked.NOT_YET:
            return
        question.become(Asked.AWAITED)
        context.queue(
            SampleTask(
                context.pages,
                self._scans.registry_call,
                context.sample_size,
                self._entry,
                context.policy,
                self._sampled,
            )
        )

    def _sampled(self, sample: Sample | None) -> None:
        self._state.sample.become(Asked.ANSWERED)
        reason = self._check.sampled(sample, self._scans.partition)
        if reason is None and sample is not None:
            self._scans.take_sample(sample)
        elif reason is not None and self._state.trusts_list:
            self.abandon_split(reason)
        self.settle()

    def read_again(self) -> None:
        """Have the repositories listed again, once almost all is listed."""
        question = self._state.second_list
        if question.asked is not Asked.NOT_YET or self._failure is not None:
            return
        # The first time as soon as can be, for it takes a call; once more after all else.
        ready = not self._scans.open if self._read_before else self._scans.settled
        if ready and (self._state.is_split or self._check.gone):
            question.become(Asked.AWAITED)
            self._read_before = True
            self._refresh()

    def settle(self) -> None:
        """End the registry's listing once no scan of it is open and nothing is awaited."""
        self.read_again()
        # To rely on the list no more, or to list something again, may leave nothing to do.
        while not (self._scans.open or self._waits or self._state.is_done):
            self._conclude()

    @property
    def _waits(self) -> bool:
        state = self._state
        awaited = state.second_list.is_awaited or state.sample.is_awaited
        decides = self._scans.up is None or not self._context.wanted.all_repositories
        return awaited or (self._listed is None and decides)

    def _conclude(self) -> None:
        relied_on_list = self._state.is_split or self._scans.up is None
        reason = self._check.contradiction() if relied_on_list else None
        if not relied_on_list:
            self._unproven.doubt_registry(self._check)
        if self._failure is not None:
            self._entry.fail(self._failure)
            self._state.enter(Phase.DONE)
        elif reason is not None:
            self.abandon_split(reason)
        elif not self._unproven.list_again():
            self._end()
            self._state.enter(Phase.DONE)

    def _end(self) -> None:
        if not self._unproven.is_empty:
            missing, readings = self._unproven.missing, self._context.policy.max_readings
            lost = number(missing, "image") if missing else "some images"
            self._entry.doubt(
                f"the API gave images in another order on each page: of {readings} readings "
                f"none is whole, and {lost} may be missing from all of them; "
                "run the export again, or ask the operator of the API for a stable order"
            )
        elif self._left_out:
            left_out = number(len(self._left_out), "repository", "repositories")
            self._entry.skip(f"scope.repositories leaves out {left_out}")
        elif self._state.is_split:
            self._entry.complete(
                "the repositories were listed one by one, as the repository list names them"
            )
        else:
            self._entry.complete()

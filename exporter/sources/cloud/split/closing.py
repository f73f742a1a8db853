"""How one registry's listing ends: what it still waits for, and what its scans relied on.

A split relies on the repository list. So before the listing ends, it reads the list again, for what
is new on it, and waits for the sample. If anything speaks against the list, one scan lists the
whole registry again. A scope that no scan has proven whole is listed again too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from exporter.crawl.coverage import ListingStatus
from exporter.errors import ApiError
from exporter.sources.cloud.split.check import Sample, SampleTask, SplitCheck
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.estimate import sampled_sizes
from exporter.sources.cloud.split.scan import Scan
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.state import Asked, ListingState, Phase
from exporter.sources.cloud.split.unproven import Unproven
from exporter.wording import number


class Closing:
    """What a registry's listing has to know before it ends; `refresh` reads its list again.

    `listed` says whether the repository list is whole, None while it is not here. `met` are the
    repositories on the pages of the registry's own scans, `left_out` those that the user's filter
    leaves out. `failure` is the first error after which something is missing.
    """

    def __init__(
        self,
        scans: Scans,
        state: ListingState,
        entry: ListingStatus,
        context: Context,
        refresh: Callable[[], None],
    ) -> None:
        self.listed: bool | None = None
        self.met: set[str] = set()
        self.left_out: set[str] = set()
        self.failure: ApiError | None = None
        self.check = SplitCheck()
        self.unproven = Unproven(entry.parent_id, scans, context.policy)
        self._scans = scans
        self._state = state
        self._entry = entry
        self._context = context
        self._refresh = refresh
        self._read_before = False

    def exhausted(self, scan: Scan) -> None:
        """Take a scan that has come to the end of its listing."""
        relied_on = scan.repository is not None or not self._state.is_split
        self.unproven.take(scan, relied_on=relied_on)

    def gone(self, repository: str) -> None:
        """Take note that a repository was not found; the list is read again after that."""
        self.check.gone.add(repository)
        self.unproven.forget(repository)
        if self._state.second_list.asked is Asked.ANSWERED:
            self._state.second_list.become(Asked.NOT_YET)

    def refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Take the list as it was read again; what is new on it is listed as well."""
        self._state.second_list.become(Asked.ANSWERED)
        self.check.listed_now = frozenset(names) if whole else None
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
        scans = self._scans
        reason = self.check.sampled(sample, scans.partition)
        if reason is None and sample is not None:
            scans.sizes = sampled_sizes(
                scans.partition.names,
                sample.shares,
                sample.total,
                self._context.policy.unseen_share,
            )
        elif reason is not None and self._state.trusts_list:
            self.abandon_split(reason)
        self.settle()

    def abandon_split(self, reason: str) -> None:
        """Rely on the list of repositories no more."""
        if self._scans.abandon_split(reason, failed=self.failure is not None):
            self.unproven.clear()

    def read_again(self) -> None:
        """Have the repositories listed again, once almost all is listed."""
        question = self._state.second_list
        if question.asked is not Asked.NOT_YET or self.failure is not None:
            return
        # The first time as soon as can be, for it takes a call; once more after all else.
        ready = not self._scans.open if self._read_before else self._scans.settled
        if ready and (self._state.is_split or self.check.gone):
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
        return awaited or (self.listed is None and decides)

    def _conclude(self) -> None:
        relied_on_list = self._state.is_split or self._scans.up is None
        reason = self.check.contradiction() if relied_on_list else None
        if not relied_on_list:
            self.unproven.doubt_registry(self.check)
        if self.failure is not None:
            self._entry.fail(self.failure)
            self._state.enter(Phase.DONE)
        elif reason is not None:
            self.abandon_split(reason)
        elif not self.unproven.list_again():
            self._end()
            self._state.enter(Phase.DONE)

    def _end(self) -> None:
        if not self.unproven.is_empty:
            missing, readings = self.unproven.missing, self._context.policy.max_readings
            lost = number(missing, "image") if missing else "some images"
            self._entry.doubt(
                f"the API gave images in another order on each page: of {readings} readings "
                f"none is whole, and {lost} may be missing from all of them; "
                "run the export again, or ask the operator of the API for a stable order"
            )
        elif self.left_out:
            left_out = number(len(self.left_out), "repository", "repositories")
            self._entry.skip(f"scope.repositories leaves out {left_out}")
        elif self._state.is_split:
            self._entry.complete(
                "the repositories were listed one by one, as the repository list names them"
            )
        else:
            self._entry.complete()

"""How one registry's listing ends: what it waits for, and what its scans relied on.

- *A split relies on the repository list.* So before the listing ends, the list is read again to
  find new repositories, and the sample has come (`check`).
- *Lost trust does not return.* If either contradicts the list, or a repository is not on it or
  cannot be listed alone, one scan lists the whole registry again.
- *A scan that reaches its end proves itself* (`proof`). Each image is behind the one before it in
  an order without ties (`name,created_at,digest`), or no image came twice. If neither holds, ties
  came in another order on another page, and as many images are missing as came twice. The scope is
  then listed again, by digest, until all readings together are complete (`unproven`). If that
  cannot be proven after some readings, the listing is partial, and its message says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import structlog

from exporter.crawl.coverage import ListingStatus
from exporter.errors import ApiError
from exporter.sources.cloud.split.check import Sample, SampleTask, SplitCheck
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.ordering import Direction
from exporter.sources.cloud.split.scan import Scan, ScanState
from exporter.sources.cloud.split.scans import Scans
from exporter.sources.cloud.split.span import Span
from exporter.sources.cloud.split.state import Asked, ListingState, Phase
from exporter.sources.cloud.split.unproven import Unproven
from exporter.wording import number

log = structlog.get_logger()


class Closing:
    """The facts that a registry's listing needs before it ends; `refresh` reads its list again.

    Every scan, page and failure of the registry is reported here. Nothing else changes these facts.
    """

    def __init__(
        self,
        scans: Scans,
        state: ListingState,
        entry: ListingStatus,
        context: Context,
        refresh: Callable[[], None],
    ) -> None:
        self._listed: bool | None = None  # Whether the list is complete; None until it has come.
        self._met: set[str] = set()  # Repositories on the pages of the registry's own scans.
        self._left_out: set[str] = set()  # Repositories that the user's filter leaves out.
        self._failure: ApiError | None = None  # The first error after which images are missing.
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
        """Whether all of the repository list has come."""
        return bool(self._listed)

    def repositories_listed(
        self, names: Collection[str], left_out: Collection[str], *, whole: bool
    ) -> None:
        """Note the list; `whole` if these are all repositories.

        `left_out` are those that the user's filter leaves out.
        """
        self._left_out.update(left_out)
        self._listed = whole
        self._scans.take_repositories(names)
        if self._state.trusts_list and self._scans.partition.unlisted(self._met):
            self.abandon_split("images of repositories came that are not listed")

    def begin_split(self, span: Span) -> None:
        """Note the repositories of a span, of a list that a sample has confirmed already."""
        self._listed = True
        self._scans.take_repositories(span.names)
        for asked in (Asked.AWAITED, Asked.ANSWERED):
            self._state.sample.become(asked)
        self._check.confirmed(span.shares)
        self._scans.take_sizes(span.shares, span.images)

    def doubt_list(self, names: Collection[str]) -> None:
        """Abandon the split if the list lacks a repository on one of the registry's pages."""
        relied_on = self._state.trusts_list and self._listed
        if relied_on and (unlisted := self._scans.partition.unlisted(names)):
            self.abandon_split(f"repository {unlisted[0]} has images, but is not listed")

    def abandon_split(self, reason: str) -> None:
        """Stop relying on the list of repositories: the ascending scan lists everything again.

        If the user's repositories were to be listed one by one, without such a scan, it begins now.
        If nothing was listed one by one, it continues as it is.
        """
        was_split = self._state.is_split
        self._state.enter(Phase.UNSPLIT)
        if not was_split and self._scans.up is not None:
            return
        log.warning("split_given_up", registry_id=self._entry.parent_id, reason=reason)
        self._unproven.clear()
        self._scans.stop()
        if self._failure is None:
            self._scans.restart_whole()

    # Scans and their pages.

    def page_written(self, scan: Scan, names: Mapping[str, int]) -> None:
        """Note the repositories of a page, and how many images of each were kept."""
        wanted = self._context.filter
        if scan.repository is None:
            self._met.update(name for name, kept in names.items() if kept)
        if wanted is not None:
            self._left_out.update(name for name in names if not wanted(name))

    def scan_ended(self, scan: Scan) -> None:
        """Note what a scan has not proven complete, or has shown twice; then go on without it.

        If an ascending scan has reached its end alone, nothing is left for its partner.
        """
        if scan.state is ScanState.EXHAUSTED and scan.direction is Direction.ASCENDING:
            if scan.partner is not None:
                scan.partner.stop()
            relied_on = scan.repository is not None or not self._state.is_split
            self._unproven.take(scan, relied_on=relied_on)
        self._unproven.list_repeated(scan)
        stopped, empty = scan.state is ScanState.STOPPED, scan.observed.last is None
        if scan.repository is not None and empty and not stopped:
            self._check.empty.add(scan.repository)
        self._scans.ended(scan)
        self.settle()

    def failed(self, error: ApiError) -> None:
        """Note an error after which images are missing."""
        self._failure = self._failure or error

    def refused(self, repository: str, error: ApiError) -> None:
        """Note that a repository cannot be listed alone."""
        self._check.refused.add(repository)
        self.abandon_split(f"{error.scope} cannot be listed alone: {error.message}")

    def gone(self, repository: str) -> None:
        """Note that a repository was not found; the list is read again after that."""
        self._check.gone.add(repository)
        self._unproven.forget(repository)
        if self._state.second_list.asked is Asked.ANSWERED:
            self._state.second_list.become(Asked.NOT_YET)

    # What it asks, and the end.

    def refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Note the list as it was read again, and list the new repositories on it."""
        self._state.second_list.become(Asked.ANSWERED)
        self._check.listed_now = frozenset(names) if whole else None
        if self._state.is_split:
            self._scans.begin_alone(self._scans.partition.unlisted(names))
        self.settle()

    def ask_for_sample(self) -> None:
        """Ask for a sample, before any repository is listed alone, and before the end."""
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
        """List the repositories again, once almost all images are listed."""
        question = self._state.second_list
        if question.asked is not Asked.NOT_YET or self._failure is not None:
            return
        # First as soon as possible, because it takes a call; once more after everything else.
        ready = not self._scans.open if self._read_before else self._scans.settled
        if ready and (self._state.is_split or self._check.gone):
            question.become(Asked.AWAITED)
            self._read_before = True
            self._refresh()

    def settle(self) -> None:
        """End the registry's listing once no scan is open and nothing is awaited."""
        self.read_again()
        # It may abandon the split or list a scope again, and still open no scan.
        while not (self._scans.open or self._waits or self._state.is_done):
            self._conclude()
        if self._state.is_done:
            # A listing refers to itself, so that nothing else would free this for a long time.
            self._scans.known.forget()

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

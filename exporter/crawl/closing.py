"""How one registry's listing ends: what it still waits for, and what its chains relied on.

What was listed repository by repository relies on the list of them, and on the server's order. So
before the listing ends, the list is read again, for what has come into it; a witness is heard; what
the chains met nowhere is asked for; and where anything speaks against the list or the order, the
registry is listed anew, as one plain chain.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from exporter.crawl.chains import Chains
from exporter.crawl.context import Context
from exporter.crawl.ledger import Entry
from exporter.crawl.witness import Evidence, Sample, Witness
from exporter.errors import ApiError


class Closing:
    """What has to be known before a registry's listing ends; `refresh` has its list read again.

    `listed` says whether the repository list is whole, None while it is not here; `met` are the
    repositories on the pages of the registry's own chains, `left_out` those that the user's filter
    left out; `failure` is the first error after which something is missing.
    """

    def __init__(
        self, chains: Chains, entry: Entry, context: Context, refresh: Callable[[], None]
    ) -> None:
        self.listed: bool | None = None
        self.met: set[str] = set()
        self.left_out: set[str] = set()
        self.failure: ApiError | None = None
        self.evidence = Evidence()
        self._chains = chains
        self._entry = entry
        self._context = context
        self._refresh = refresh
        self._refreshed: bool | None = None  # Whether the list was read again; None: not asked.
        self._read_before = False
        self._heard: bool | None = None  # Whether the witness was; None: there is none.
        self._asked_for_passed_over = False

    @property
    def split(self) -> bool:
        """Whether repositories were claimed, and that is still relied on."""
        return self._chains.trusted and bool(self._chains.block)

    @property
    def may_claim(self) -> bool:
        """Whether claims may be made: a witness has spoken for them, and the end is not near."""
        return self._heard is True and self._refreshed is None

    def gone(self, repository: str) -> None:
        """Take note that a repository was not found; the list is read again after that."""
        self.evidence.gone.add(repository)
        if self._refreshed:
            self._refreshed = None

    def refreshed(self, names: Collection[str], *, whole: bool) -> None:
        """Take the list as it was read again; what has come into the block is listed as well."""
        self._refreshed = True
        self.evidence.listed_now = frozenset(names) if whole else None
        self._chains.listed_again = names
        if self.split:
            self._chains.begin_alone(self._chains.newcomers(names))
        self.settle()

    def call_witness(self) -> None:
        """Have a witness say what it can, before anything is claimed, and before the end."""
        if self._heard is None:
            self._heard = False
            context, call = self._context, self._chains.registry_call
            witness = Witness(
                context.fetcher, call, context.sample_size, self._entry, self._witnessed
            )
            context.queue(witness)

    def _witnessed(self, sample: Sample | None) -> None:
        self._heard = True
        reason = self.evidence.heard(sample, self._chains.block)
        if reason is None and sample is not None:
            self._chains.block.weigh(sample.shares, sample.total)
        elif reason is not None and self._chains.trusted:
            self.distrust(reason)
        self.settle()

    def distrust(self, reason: str) -> None:
        """Rely on claims no more."""
        self._chains.distrust(reason, failed=self.failure is not None)

    def settle(self) -> None:
        """End the registry's listing once no chain of it is open and nothing is awaited."""
        self.read_again()
        # What is done about a contradiction, or what was passed over, may leave nothing to do.
        while not (self._chains.open or self._waits or self._entry.status is not None):
            self._conclude()

    def _conclude(self) -> None:
        relied = self.split or self._chains.up is None
        reason = self.evidence.contradiction() if relied else None
        if self.failure is not None:
            self._entry.fail(self.failure)
        elif reason is not None:
            self.distrust(reason)
        elif passed_over := self._passed_over():
            self._chains.begin_alone(passed_over)
        else:
            self._end()

    def read_again(self) -> None:
        """Have the repositories listed again, once nothing more will be claimed."""
        if self._refreshed is not None or self.failure is not None:
            return
        # The first time as soon as can be, for it takes a call; once more after all else.
        ready = not self._chains.open if self._read_before else self._chains.settled
        if ready and (self.split or self.evidence.gone):
            self._refreshed, self._read_before = False, True
            self._refresh()

    @property
    def _waits(self) -> bool:
        awaited = self._refreshed is False or self._heard is False
        decides = self._chains.up is None or not self._context.wanted.all_repositories
        return awaited or (self.listed is None and decides)

    def _passed_over(self) -> list[str]:
        """Return, once, the listed repositories that chains which stopped at the block missed."""
        up = self._chains.up
        if self._asked_for_passed_over or not self.split or up is None:
            return []
        if not (up.met or up.stopped):  # It has come to its end, and has met everything.
            return []
        self._asked_for_passed_over = True
        return self._chains.block.passed_over(self.met)

    def _end(self) -> None:
        if self.left_out:
            self._entry.skip(
                f"{len(self.left_out)} repositories are left out by scope.repositories"
            )
        elif self.split:
            block = self._chains.block
            self._entry.complete(
                f"repositories from {block.first} to {block.last} were listed one by one, as the "
                "repository list names them"
            )
        else:
            self._entry.complete()

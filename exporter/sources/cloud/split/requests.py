"""What one registry's chains ask for: the page in hand, and the one after it, ahead of its turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from exporter.crawl.coverage import Entry
from exporter.crawl.pending import PendingPage
from exporter.crawl.scheduler import Job
from exporter.http.types import Call
from exporter.sources.cloud.decode.images import ImagesPage
from exporter.sources.cloud.decode.resources import Parents
from exporter.sources.cloud.pages import ImagesDecoder, images_request, key_of
from exporter.sources.cloud.split.context import Context
from exporter.sources.cloud.split.scan import ImagesChain
from exporter.sources.cloud.split.scans import Chains


class Asking:
    """Asks for the pages of a registry's chains; `job` is how a chain is queued.

    Calls for what was asked ahead in vain are counted in `entry`.
    """

    def __init__(
        self,
        parents: Parents,
        entry: Entry,
        context: Context,
        chains: Chains,
        job: Callable[[ImagesChain], Job],
    ) -> None:
        self.decoder = ImagesDecoder(parents, context.filter)
        self._entry = entry
        self._context = context
        self._chains = chains
        self._job = job

    def page(self, chain: ImagesChain, call: Call) -> PendingPage[ImagesPage]:
        """Return a chain's next page, asked for ahead or now."""
        ahead = chain.ahead
        if ahead is not None and ahead.request.key == key_of(call, chain.attempt):
            chain.ahead = None
            return ahead
        self.drop_ahead(chain)
        return self._ask(chain, call)

    def drop_ahead(self, chain: ImagesChain) -> None:
        """Give up what a chain has asked for ahead."""
        if chain.ahead is not None:
            chain.ahead.drop()
            self._entry.spent(chain.ahead.sent.calls)
            chain.ahead = None

    def _ask(self, chain: ImagesChain, call: Call) -> PendingPage[ImagesPage]:
        job = self._job(chain)
        request = images_request(
            call,
            chain.attempt,
            self.decoder,
            check=chain.chain.check,
            weight=lambda: job.weight,
            follow=partial(self._ask_ahead, chain),
        )
        return self._context.pages.start(request)

    def _ask_ahead(self, chain: ImagesChain, token: str) -> None:
        """Ask for the page after the one that has come, while that is decoded and dealt with."""
        call = chain.chain.following(token)
        if call is None or chain.stopped or chain.anew or self._chains.replay:
            return
        if chain.ahead is not None and chain.ahead.request.key == key_of(call, chain.attempt):
            return
        self.drop_ahead(chain)
        context = self._context
        wanted = context.may_ask_ahead(self._job(chain)) and self._chains.goes_on(chain)
        if wanted and not context.pages.is_stored(call, chain.attempt):
            chain.ahead = self._ask(chain, call)

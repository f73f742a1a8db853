"""What can be done about a call of an image chain that failed for good."""

from __future__ import annotations

from enum import Enum

import structlog

from exporter.crawl.chain import ImagesChain, Mode
from exporter.errors import ApiError, StatusError

log = structlog.get_logger()

MAX_RESTARTS = 3
"""How often one chain begins anew because its page token expired."""


class Remedy(Enum):
    """What becomes of the chain, and of the registry's listing with it."""

    AGAIN = "the chain goes on, begun anew"
    DONE = "the chain ends, and nothing is missing for it"
    WITHOUT = "the chain from above ends, and the others do without it"
    DISTRUST = "the chain ends, and the front has to list everything"
    FAILED = "the chain ends, and the listing is not complete"


def mend(chain: ImagesChain, error: ApiError) -> Remedy:
    """Decide about a failed call, and begin the chain anew where that helps.

    A 400 in the middle of a chain is an expired page token, at its beginning an `orderBy` or a
    repository's name that the API does not take (`API.md`, Errors). A repository that is gone was
    deleted meanwhile. A chain downwards is not needed where its partner has left nothing to it.
    """
    status = error.http_status if isinstance(error, StatusError) else None
    if status == 400 and _begins_anew(chain, error):
        return Remedy.AGAIN
    if chain.mode is Mode.DOWN:
        if chain.partner is not None and chain.partner.relies:
            return Remedy.FAILED
        log.info("descent_given_up", scope=error.scope, reason=error.reason)
        return Remedy.WITHOUT
    if chain.repository is not None and status == 400 and not chain.chain.pages:
        return Remedy.DISTRUST
    if chain.repository is not None and status == 404:
        log.warning("repository_vanished", repository_name=chain.repository)
        return Remedy.DONE
    return Remedy.FAILED


def _begins_anew(chain: ImagesChain, error: ApiError) -> bool:
    """Begin a chain anew after a 400: with another token, or with an order that is less wished."""
    if not chain.chain.pages:
        if chain.descend():
            log.warning("order_refused", scope=error.scope, reason=error.reason)
            return True
        return False
    if chain.restarts >= MAX_RESTARTS:
        return False
    chain.restarts += 1
    log.warning("listing_restarted", scope=error.scope, reason=error.reason)
    chain.restart()
    return True

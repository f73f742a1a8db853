"""What can be done about a call of an image chain that failed for good."""

from __future__ import annotations

from enum import Enum

import structlog

from exporter.api.status import is_passing
from exporter.crawl.chain import ImagesChain
from exporter.crawl.ordering import Mode
from exporter.errors import ApiError, StatusError, is_not_found, is_refused

log = structlog.get_logger()

_ABOUT_THIS_CALL = frozenset({400, 401, 403, 404})
"""Statuses without a code of the API that another way of listing the same images may not meet."""


class Remedy(Enum):
    """What becomes of the chain, and of the registry's listing with it."""

    AGAIN = "the chain goes on, begun anew"
    DONE = "the chain ends, and nothing is missing for it"
    GONE = "the chain ends, and nothing is missing if its repository was deleted meanwhile"
    WITHOUT = "the chain from above ends, and the others do without it"
    DISTRUST = "the chain ends, and the registry's own has to list everything"
    FAILED = "the chain ends, and the listing is not complete"


def mend(chain: ImagesChain, error: ApiError) -> Remedy:
    """Decide about a failed call, and begin the chain anew where that helps.

    A refusal in the middle of a chain is of an expired page token, at its beginning of an `orderBy`
    or a repository's name that the API does not take (`API.md`, Errors). A repository that cannot
    be listed alone may still be listed with its registry. A chain downwards is not needed, and none
    is where others have covered the rest.
    """
    if chain.stopped:
        return Remedy.DONE
    if _is_shortened(chain, error) or _begins_anew(chain, error):
        return Remedy.AGAIN
    if chain.mode is Mode.DOWN:
        log.info("descent_given_up", scope=error.scope, reason=error.reason)
        return Remedy.WITHOUT
    if chain.repository is None:
        return Remedy.FAILED
    if is_not_found(error):
        log.warning("repository_not_found", repository_name=chain.repository, reason=error.reason)
        return Remedy.GONE
    return Remedy.DISTRUST if _is_about_this_call(error) else Remedy.FAILED


def _is_about_this_call(error: ApiError) -> bool:
    """Say whether another way of listing the same images may not meet an error."""
    if not isinstance(error, StatusError):
        return False
    if error.code:
        return not is_passing(error.code)
    return error.http_status in _ABOUT_THIS_CALL


def _is_shortened(chain: ImagesChain, error: ApiError) -> bool:
    """Ask for fewer images a page where the page in hand is too large for what is in between."""
    return error.shorter_page_may_do and chain.shorten(error.reason)


def _begins_anew(chain: ImagesChain, error: ApiError) -> bool:
    """Begin a chain anew after a refusal: with another token, or an order that is less wished."""
    if not chain.chain.pages:
        if is_refused(error) and chain.descend():
            log.warning("order_refused", scope=error.scope, reason=error.reason)
            return True
        return False
    if not chain.restarts.may_help(chain.chain, error):
        return False
    chain.restart()
    return True

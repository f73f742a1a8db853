"""What can be done about a call that failed for good, and what is missing then."""

from __future__ import annotations

import pytest

from exporter.api import Call
from exporter.crawl.chain import ImagesChain
from exporter.crawl.mending import Remedy, mend
from exporter.crawl.ordering import Mode
from exporter.crawl.restarts import MAX_RESTARTS
from exporter.errors import ApiError, StatusError, UnreachableError

CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")


def refused(status: int, code: str = "") -> StatusError:
    return StatusError("no", call="GET /", scope="images", http_status=status, code=code)


SILENCE = UnreachableError("no answer", call="GET /", scope="images")


def chain_of(repository: str | None, mode: Mode = Mode.UP, *, pages: int = 0) -> ImagesChain:
    chain = ImagesChain(CALL, mode, repository, 10, 0)
    for number in range(pages):
        chain.chain.advance(f"token {number}", items=10)
    return chain


@pytest.mark.parametrize("repository", [None, "crp1/app"])
def test_a_refused_order_is_asked_for_more_modestly_down_to_none(repository: str | None) -> None:
    chain = chain_of(repository)
    remedies, orders = (
        [],
        [dict(chain.chain.call.params).get("orderBy") if chain.chain.call else ""],
    )
    while (remedy := mend(chain, refused(400))) is Remedy.AGAIN:
        remedies.append(remedy)
        assert chain.chain.call is not None
        orders.append(dict(chain.chain.call.params).get("orderBy"))
    assert orders == (
        ["created_at,digest", "created_at", None]
        if repository
        else ["name,created_at,digest", "name,created_at", "name", None]
    )
    assert remedy is (Remedy.DISTRUST if repository else Remedy.FAILED)


def test_a_page_token_that_expired_begins_a_chain_anew_a_few_times() -> None:
    remedies = []
    chain = chain_of(None)
    for attempt in range(MAX_RESTARTS + 1):
        chain.chain.advance(f"token {attempt}", items=10)
        remedies.append(mend(chain, refused(400)))
    assert remedies == [Remedy.AGAIN] * MAX_RESTARTS + [Remedy.FAILED]
    assert chain.attempt == MAX_RESTARTS


@pytest.mark.parametrize(
    ("repository", "error", "remedy"),
    [
        (None, refused(404, "NOT_FOUND"), Remedy.FAILED),
        (None, refused(403), Remedy.FAILED),
        (None, SILENCE, Remedy.FAILED),
        ("crp1/app", refused(404, "NOT_FOUND"), Remedy.GONE),
        # A gateway's, in front of another server than the registry's own chain comes to.
        ("crp1/app", refused(404), Remedy.DISTRUST),
        ("crp1/app", refused(403, "PERMISSION_DENIED"), Remedy.DISTRUST),
        ("crp1/app", refused(500), Remedy.FAILED),
        ("crp1/app", SILENCE, Remedy.FAILED),
    ],
)
def test_what_cannot_be_mended_is_missing_unless_its_registry_may_list_it(
    repository: str | None, error: ApiError, remedy: Remedy
) -> None:
    assert mend(chain_of(repository, pages=1), error) is remedy


@pytest.mark.parametrize("repository", [None, "crp1/app"])
@pytest.mark.parametrize("error", [refused(400), refused(403), SILENCE])
def test_a_chain_downwards_is_done_without(repository: str | None, error: ApiError) -> None:
    assert mend(chain_of(repository, Mode.DOWN), error) is Remedy.WITHOUT


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("error", [refused(404, "NOT_FOUND"), refused(400), SILENCE])
def test_an_error_of_what_others_have_covered_meanwhile_is_none(
    mode: Mode, error: ApiError
) -> None:
    chain = chain_of("crp1/app", mode, pages=1)
    chain.stopped = True
    assert mend(chain, error) is Remedy.DONE

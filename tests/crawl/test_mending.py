"""What can be done about a call that failed for good, and what is missing then."""

from __future__ import annotations

import pytest

from exporter.api import Call
from exporter.crawl.chain import ImagesChain, Mode
from exporter.crawl.mending import MAX_RESTARTS, Remedy, mend
from exporter.errors import ApiError, StatusError, UnreachableError
from exporter.tables.images import Cut

CALL = Call("container_registry", "/images", (("registryId", "crp1"),), "images of crp1")


def refused(status: int) -> StatusError:
    return StatusError("no", call="GET /", scope="images", http_status=status)


SILENCE = UnreachableError("no answer", call="GET /", scope="images")


def chain_of(mode: Mode, *, pages: int = 0) -> ImagesChain:
    chain = ImagesChain(CALL, mode, None if mode is Mode.FRONT else "crp1/app", 10, 0)
    for number in range(pages):
        chain.chain.advance(f"token {number}", items=10)
    return chain


def back_with_partner(cut: Cut | None) -> ImagesChain:
    """Return a chain from the back whose partner was given this cut."""
    front, back = chain_of(Mode.FRONT), chain_of(Mode.BACK)
    front.partner, back.partner = back, front
    if cut is not None:
        front.cut(cut)
    return back


@pytest.mark.parametrize("mode", [Mode.FRONT, Mode.ALONE])
def test_a_refused_order_is_asked_for_more_modestly_down_to_none(mode: Mode) -> None:
    chain = chain_of(mode)
    remedies, orders = (
        [],
        [dict(chain.chain.call.params).get("orderBy") if chain.chain.call else ""],
    )
    while (remedy := mend(chain, refused(400))) is Remedy.AGAIN:
        remedies.append(remedy)
        assert chain.chain.call is not None
        orders.append(dict(chain.chain.call.params).get("orderBy"))
    wanted = {Mode.FRONT: ["name,created_at", "name", None], Mode.ALONE: ["created_at", None]}
    assert orders == wanted[mode]
    assert remedy is (Remedy.DISTRUST if mode is Mode.ALONE else Remedy.FAILED)


def test_a_page_token_that_expired_begins_a_chain_anew_a_few_times() -> None:
    remedies = []
    chain = chain_of(Mode.FRONT)
    for attempt in range(MAX_RESTARTS + 1):
        chain.chain.advance(f"token {attempt}", items=10)
        remedies.append(mend(chain, refused(400)))
    assert remedies == [Remedy.AGAIN] * MAX_RESTARTS + [Remedy.FAILED]
    assert chain.attempt == MAX_RESTARTS


@pytest.mark.parametrize(
    ("mode", "error", "remedy"),
    [
        (Mode.FRONT, refused(404), Remedy.FAILED),
        (Mode.FRONT, refused(403), Remedy.FAILED),
        (Mode.FRONT, SILENCE, Remedy.FAILED),
        (Mode.ALONE, refused(404), Remedy.DONE),
        (Mode.ALONE, refused(403), Remedy.FAILED),
        (Mode.ALONE, SILENCE, Remedy.FAILED),
    ],
)
def test_what_cannot_be_mended_is_missing_but_for_a_repository_that_is_gone(
    mode: Mode, error: ApiError, remedy: Remedy
) -> None:
    assert mend(chain_of(mode, pages=1), error) is remedy


@pytest.mark.parametrize("error", [refused(400), refused(403), SILENCE])
@pytest.mark.parametrize(
    ("cut", "remedy"),
    [
        (None, Remedy.DONE),
        # The front ended at the claims behind the repository, and has all that is before them.
        (Cut(names_before="crp1/b"), Remedy.DONE),
        (Cut(but_not=("i1",)), Remedy.FAILED),
        (Cut(names_before="crp1/b", created_until=None, but_not=()), Remedy.DONE),
    ],
    ids=["nothing", "what is claimed", "an image", "claims alone"],
)
def test_a_chain_from_the_back_is_missing_only_where_its_partner_left_something_to_it(
    cut: Cut | None, remedy: Remedy, error: ApiError
) -> None:
    assert mend(back_with_partner(cut), error) is remedy

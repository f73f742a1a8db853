"""A chain: which call comes next, when it ends, and that it always does."""

from __future__ import annotations

import pytest

from exporter.errors import AnswerError
from exporter.sources.cloud.novelty import MOST_EMPTY_PAGES, MOST_STALE_PAGES
from exporter.sources.cloud.paging import PageCursor
from tests.api.scripted import IMAGES


def params(chain: PageCursor) -> dict[str, str]:
    assert chain.call is not None
    return dict(chain.call.params)


def test_a_chain_walks_from_token_to_token_until_there_is_none() -> None:
    chain = PageCursor(IMAGES, page_size=500)
    assert params(chain) == {"registryId": "crp1", "pageSize": "500"}
    chain.advance("p2", items=500)
    assert params(chain) == {"registryId": "crp1", "pageSize": "500", "pageToken": "p2"}
    chain.advance("p3", items=0)
    assert params(chain)["pageToken"] == "p3"
    chain.advance("", items=7)
    assert chain.call is None
    assert chain.pages == 3


@pytest.mark.parametrize("ring", [["a", "a"], ["a", "b", "c", "a"]])
def test_a_token_that_comes_again_ends_the_chain(ring: list[str]) -> None:
    chain = PageCursor(IMAGES, page_size=10)
    for token in ring[:-1]:
        chain.advance(token, items=10)
    with pytest.raises(AnswerError, match="the same page token twice") as caught:
        chain.advance(ring[-1], items=10)
    assert caught.value.scope == IMAGES.scope


def test_empty_pages_without_end_end_the_chain() -> None:
    chain = PageCursor(IMAGES, page_size=10)
    for number in range(MOST_EMPTY_PAGES):
        chain.advance(f"p{number}", items=0)
    with pytest.raises(AnswerError, match="101 empty pages in a row"):
        chain.advance("one more", items=0)


def test_a_page_with_items_starts_the_count_of_empty_ones_anew() -> None:
    chain = PageCursor(IMAGES, page_size=10)
    for number in range(3 * MOST_EMPTY_PAGES):
        chain.advance(f"p{number}", items=number % MOST_EMPTY_PAGES == 0)
    assert chain.pages == 3 * MOST_EMPTY_PAGES


def test_empty_pages_among_pages_that_repeat_do_not_put_the_end_off() -> None:
    chain = PageCursor(IMAGES, page_size=10)
    page = [f"image-{number}" for number in range(10)]

    def walk() -> None:
        for number in range(10 * MOST_STALE_PAGES):
            items = [] if number % 3 else page
            chain.advance(f"p{number}", items=len(items), sketch=items)

    with pytest.raises(AnswerError, match="nothing but what this listing has shown before"):
        walk()
    assert chain.pages < 2 * MOST_STALE_PAGES


def test_a_restarted_chain_begins_at_the_first_page_and_may_see_the_same_tokens() -> None:
    chain = PageCursor(IMAGES.with_params(pageToken="stale"), page_size=10)
    chain.advance("p2", items=10)
    chain.restart()
    assert "pageToken" not in params(chain)
    assert chain.pages == 0
    chain.advance("p2", items=10)
    assert params(chain)["pageToken"] == "p2"

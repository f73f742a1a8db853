"""Whether calls only wait for each other at the host is told from how long they take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from multidict import CIMultiDict

from exporter.crawl.call_times import CallTimes
from exporter.crawl.decoders import Decoders
from exporter.crawl.page_store import NullPageStore
from exporter.crawl.pending import PageRequest, Peek
from exporter.crawl.pipeline import PagePipeline
from exporter.crawl.progress import Progress
from exporter.http.types import Answer, Call, Counts, PageT, Received, Sent
from exporter.page import PageKey

FULL, SHORT = 1_000_000, 5_000


def times(*seconds: float, body_bytes: int = FULL) -> CallTimes:
    noted = CallTimes()
    for each in seconds:
        noted.note(each, body_bytes)
    return noted


def test_nothing_is_known_before_the_first_call() -> None:
    assert not CallTimes().are_queueing
    assert not times(30.0).are_queueing


def test_calls_that_take_several_times_as_long_as_the_fastest_are_queueing() -> None:
    assert times(0.1, *[0.5] * 8).are_queueing
    assert not times(0.1, *[0.25] * 8).are_queueing


def test_they_are_not_once_they_are_fast_again() -> None:
    assert not times(0.1, *[0.9] * 20, *[0.15] * 8).are_queueing


def test_calls_that_stall_say_nothing_of_the_others() -> None:
    assert not times(*[0.1, 0.1, 0.1, 30.0] * 5).are_queueing


def test_what_takes_hardly_any_time_may_vary() -> None:
    assert not times(0.001, *[0.15] * 8).are_queueing


def test_short_pages_do_not_make_long_ones_slow() -> None:
    noted = times(*[0.5] * 8)
    for _ in range(3):
        noted.note(0.01, SHORT)
    noted.note(0.5, FULL)
    assert not noted.are_queueing


class Host:
    """A host whose calls take a time that is only told."""

    counts = Counts()

    def __init__(self) -> None:
        self.seconds = 0.0

    async def get(
        self,
        call: Call,
        decode: Callable[[Received], Awaitable[PageT]],
        *,
        weight: float = 0.0,
        sent: Sent | None = None,
    ) -> Answer[PageT]:
        body = b"{}" * 1000
        page = await decode(Received(body, CIMultiDict()))
        return Answer(page, body, 1, None, len(body), self.seconds, {})


async def test_more_calls_save_no_time_while_those_under_way_queue_at_the_host() -> None:
    host = Host()
    with Decoders(1) as decoders:
        pipeline = PagePipeline(host, NullPageStore(), Progress(), decoders)

        async def get(number: int) -> None:
            pending = pipeline.start(
                PageRequest(
                    Call("container_registry", "/images", (), "images"),
                    key=PageKey(f"page {number}"),
                    decode=len,
                    check=lambda _: None,
                    pages_left=lambda: 0.0,
                    peek=lambda _: Peek("", last=True),
                )
            )
            pending.turn.set()
            (await pipeline.arrived(pending)).reservation.release()

        for number, seconds in enumerate([0.5] * 5 + [5.0] * 20):
            host.seconds = seconds
            await get(number)
            # By the tenth call, half of them were slow.
            assert pipeline.behind == (number >= 9), number

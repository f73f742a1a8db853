"""Threads that decode: what goes first of what waits, and what a failure is to whoever waits."""

from __future__ import annotations

import asyncio
import hashlib
import threading

import pytest

from exporter.crawl.decoders import ENOUGH_UNWRITTEN, MOST_UNWRITTEN, Decoders


async def test_of_what_waits_the_heaviest_is_decoded_first_and_of_equals_the_oldest() -> None:
    begun, go_on = threading.Event(), threading.Event()
    decoded: list[bytes] = []

    def partition(body: bytes) -> bytes:
        begun.set()
        assert go_on.wait(600)
        return body

    def decode(body: bytes) -> bytes:
        decoded.append(body)
        return body

    with Decoders(1) as decoders:
        first = asyncio.create_task(decoders.run(partition, b"first", weight=0.0))
        await asyncio.to_thread(begun.wait, 60)
        bodies = {b"light": 1.0, b"older": 5.0, b"younger": 5.0, b"heavy": 9.0}
        waiting = [
            asyncio.create_task(decoders.run(decode, body, weight=weight))
            for body, weight in bodies.items()
        ]
        await asyncio.sleep(0)
        go_on.set()
        assert await first == b"first"
        assert await asyncio.gather(*waiting) == list(bodies)
    assert decoded == [b"heavy", b"older", b"younger", b"light"]


async def test_what_cannot_be_decoded_raises_where_it_is_awaited_and_stops_nothing() -> None:
    def fail(body: bytes) -> bytes:
        raise ValueError(body)

    with Decoders(1) as decoders:
        with pytest.raises(ValueError, match="bad"):
            await decoders.run(fail, b"bad", weight=1.0)
        assert await decoders.run(bytes.upper, b"good", weight=1.0) == b"GOOD"
        assert decoders.backlog == 0.0


async def test_while_many_pages_wait_to_be_written_only_one_is_decoded_at_a_time() -> None:
    both = threading.Barrier(2)

    def meet(body: bytes) -> bytes:
        both.wait(600)
        return body

    at_once, most = 0, 0
    counting = threading.Lock()

    def count(body: bytes) -> bytes:
        nonlocal at_once, most
        with counting:
            at_once += 1
            most = max(most, at_once)
        hashlib.sha256(body * 500_000).digest()  # Lets go of the GIL, as decoding does.
        with counting:
            at_once -= 1
        return body

    with Decoders(2) as decoders:
        for _ in range(ENOUGH_UNWRITTEN):
            decoders.handed_over()
        await asyncio.gather(*(decoders.run(count, b"page", weight=1.0) for _ in range(50)))
        assert most == 1
        decoders.written()
        await asyncio.gather(*(decoders.run(meet, b"page", weight=1.0) for _ in range(2)))


async def test_once_too_many_pages_wait_to_be_written_none_is_decoded_until_one_is() -> None:
    with Decoders(2) as decoders:
        for _ in range(MOST_UNWRITTEN):
            decoders.handed_over()
        waiting = asyncio.create_task(decoders.run(bytes.upper, b"page", weight=1.0))
        done, _ = await asyncio.wait([waiting], timeout=0.1)  # Less of it proves less.
        assert not done
        decoders.written()
        assert await waiting == b"PAGE"


async def test_the_end_does_not_wait_for_what_nobody_will_write_any_more() -> None:
    with Decoders(2) as decoders:
        for _ in range(MOST_UNWRITTEN):
            decoders.handed_over()
        left = [asyncio.create_task(decoders.run(bytes.upper, b"a", weight=1.0)) for _ in range(9)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*left) == [b"A"] * 9

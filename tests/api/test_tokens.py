"""The token of the moment: renewed in time, once for all who wait, and used until its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from exporter.errors import CredentialsError
from exporter.sources.cloud.credentials.token import Token
from exporter.sources.cloud.credentials.tokens import Tokens


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Issuer:
    """A source that numbers its tokens; `failure` is raised instead, `life` is None for ever."""

    clock: Clock
    life: float | None = 43_200.0
    name: str = "the test"
    issued: int = 0
    failure: CredentialsError | None = None
    asked: int = 0

    def changed(self) -> bool:
        return False

    async def fetch(self) -> Token:
        self.asked += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.issued += 1
        return Token(SecretStr(f"t{self.issued}"), self.life)


@dataclass
class Kept:
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.source = Issuer(self.clock)
        self.tokens = Tokens(self.source, clock=self.clock)

    async def get(self) -> str:
        return (await self.tokens.get()).get_secret_value()


DOWN = CredentialsError("no answer")


async def test_many_who_wait_for_a_token_cause_one_exchange() -> None:
    kept = Kept()
    assert set(await asyncio.gather(*(kept.get() for _ in range(100)))) == {"t1"}
    assert kept.source.issued == 1
    kept.clock.now += 3600
    assert set(await asyncio.gather(*(kept.get() for _ in range(100)))) == {"t2"}
    assert kept.source.issued == 2


@pytest.mark.parametrize(("life", "event"), [(None, "token_read"), (3600.0, "token_renewed")])
async def test_what_is_only_read_is_not_told_as_renewed(life: float | None, event: str) -> None:
    kept = Kept()
    kept.source.life = life
    with capture_logs() as logs:
        await kept.get()
    assert [log["event"] for log in logs] == [event]


@pytest.mark.parametrize(
    ("life", "good_for"), [(43_200.0, 3600.0), (3600.0, 3480.0), (300.0, 270.0), (None, 1e9)]
)
async def test_a_token_is_renewed_hourly_or_before_it_ends(
    life: float | None, good_for: float
) -> None:
    kept = Kept()
    kept.source.life = life
    assert await kept.get() == "t1"
    kept.clock.now += good_for - 1
    assert await kept.get() == "t1"
    if life is not None:
        kept.clock.now += 1
        assert await kept.get() == "t2"


async def test_one_who_gives_up_waiting_does_not_take_the_token_from_the_others() -> None:
    kept = Kept()
    first, second = asyncio.create_task(kept.get()), asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "t1"
    assert kept.source.issued == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_refused_token_is_renewed_once_for_all_who_sent_it() -> None:
    kept = Kept()
    old = await kept.tokens.get()
    fresh = await asyncio.gather(*(kept.tokens.renew(old) for _ in range(50)))
    assert {token.get_secret_value() for token in fresh} == {"t2"}
    assert (await kept.tokens.renew(old)).get_secret_value() == "t2"
    assert kept.source.issued == 2


async def test_a_token_that_is_still_good_is_used_while_renewing_fails() -> None:
    kept = Kept()
    await kept.get()
    kept.source.failure = DOWN
    kept.clock.now += 3600
    with capture_logs() as logs:
        assert await kept.get() == "t1"
        assert await kept.get() == "t1"
    assert [log["event"] for log in logs] == ["token_not_renewed"]
    assert kept.source.asked == 2
    kept.clock.now += 43_200
    with pytest.raises(CredentialsError):
        await kept.get()
    kept.source.failure = None
    assert await kept.get() == "t2"


async def test_a_renewal_that_fails_under_a_refused_token_is_told_to_who_was_refused() -> None:
    kept = Kept()
    old = await kept.tokens.get()
    kept.source.failure = DOWN
    kept.clock.now += 3600
    due, refused = await asyncio.gather(
        kept.tokens.get(), kept.tokens.renew(old), return_exceptions=True
    )
    assert (due, refused) == (DOWN, DOWN)
    assert kept.source.asked == 2


async def test_everyone_who_waits_for_a_failed_exchange_is_told() -> None:
    kept = Kept()
    kept.source.failure = CredentialsError("refused")
    outcomes = await asyncio.gather(*(kept.get() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, CredentialsError) for outcome in outcomes)
    assert kept.source.asked == 1


async def test_closing_stops_an_exchange_nobody_waits_for() -> None:
    kept = Kept()
    waiter = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    waiter.cancel()
    await kept.tokens.close()
    assert kept.source.issued == 0
    assert waiter.cancelled() or waiter.cancelling()

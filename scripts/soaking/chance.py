"""The world of a seed: the estate, its server, the settings, and the times of disturbances."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from exporter.emulator import Behaviour, Estate, Fault, Faults, Outage, Quirks, Shape
from exporter.emulator.faults import HOPELESS, PAGING, TRANSIENT
from exporter.emulator.shape import SIZES

SHAPES = {
    "many registries": Shape(clouds=2, folders=5, registries=20, repositories=60, images=900),
    "one giant registry": Shape(repositories=40, images=1200, empty_share=0.0),
    "one giant repository": Shape(repositories=1, images=800, empty_share=0.0),
    "every oddity": Shape(
        clouds=3, folders=9, registries=12, repositories=60, images=600, quirks=Quirks.all()
    ),
}
# If a page changes between two readings, that is a finding about the run, not about the estate.
_KINDS = sorted((TRANSIENT | PAGING) - HOPELESS - {Fault.CHANGED_TWICE})
_MOST_FAULTS = 0.1
_NO_IDS = ["", "null", "12345", "[]", '"\\ud800"']


@dataclass(frozen=True)
class World:
    """The world of one seed; `about` describes it in a line."""

    seed: int
    shape: Shape
    behaviour: Behaviour
    faults: Faults
    sections: dict[str, Any]
    split_early: bool
    nights: int
    about: str

    @property
    def code(self) -> int:
        """The status of an undisturbed run: partial, if ids cannot be read."""
        return 3 if self.faults.spoilt else 0


def draw(seed: int) -> World:
    """Return the world of a seed, always the same for the same seed."""
    chance = random.Random(seed)
    name = chance.choice(sorted(SHAPES))
    shape = replace(
        SHAPES[name],
        seed=seed,
        layers=chance.choice([1, 3, 8]),
        same_times=chance.choice([1, 1, 3, 10_000]),
        repeat_share=0.2,
        # By the seed alone: what is drawn below stays as it was.
        size_of=SIZES[seed % len(SIZES)],
    )
    kinds = chance.sample(_KINDS, chance.choice([0, 1, 3, 6]))
    rates = {kind.value: chance.uniform(0.002, _MOST_FAULTS / len(kinds)) for kind in kinds}
    behaviour = Behaviour(
        latency=chance.choice([0.0, 0.005, 0.02]),
        jitter=chance.choice([0.0, 0.01]),
        rate=chance.choice([None, None, None, 150.0]),
        order_by=chance.choice(["honoured", "honoured", "honoured", "ignored"]),
        descending=chance.choice(["honoured", "honoured", "ignored", "refused"]),
        ties=chance.choice(["honoured", "honoured", "ignored", "refused", "reshuffled"]),
        misplaced=chance.choice([0, 0, 1, 3]),
        collation=chance.choice(["bytes", "bytes", "words"]),
        reshuffle=chance.random() < 0.7,
        gzip=chance.random() < 0.3,
        pretty=chance.random() < 0.2,
        # Drawn separately, so that the rest of a seed's world does not change.
        byte_order_mark=random.Random(f"mark {seed}").random() < 0.2,
        **_gateway(random.Random(f"gateway {seed}")),
    )
    outages = _outages(random.Random(f"outages {seed}")) + _storms(random.Random(f"storms {seed}"))
    spoilt, repeated = _odd_rows(shape, random.Random(f"odd rows {seed}"))
    sections = {
        "limits": {
            "concurrency": chance.choice([1, 4, 16]),
            "page_size": chance.choice([10, 25, 100]),
            "request_timeout": 1.0,
            "max_page_bytes": 1 << 20,
        },
        "output": {"formats": chance.choice([["parquet", "ndjson"], ["parquet"]])},
    }
    split_early = chance.random() < 0.6 and not shape.quirks.unlisted_repository
    about = (
        f"{name}, {behaviour.order_by} order, descending {behaviour.descending}, "
        f"ties {behaviour.ties}, {behaviour.misplaced} misplaced, "
        f"{sections['limits']['concurrency']} slots, pages of {sections['limits']['page_size']}, "
        f"faults: {', '.join(sorted(rates)) or 'none'}, {len(outages)} outages"
        f"{', a gateway' if behaviour.largest_body else ''}"
        f"{', spoilt ids' if spoilt else ''}{', repeated rows' if repeated else ''}"
    )
    return World(
        seed=seed,
        shape=shape,
        behaviour=behaviour,
        faults=Faults(
            rates,
            seed=seed,
            oversize_bytes=2 << 20,
            drip_seconds=0.01,
            drip_bytes=512,
            outages=outages,
            spoilt=spoilt,
            repeated=repeated,
        ),
        sections=sections,
        split_early=split_early,
        nights=chance.choice([1, 2, 3]),
        about=about,
    )


def _gateway(chance: random.Random) -> dict[str, Any]:
    """Return the gateway's bound on an answer, or nothing for most seeds."""
    if chance.random() < 0.7:
        return {}
    return {
        "largest_body": chance.choice([20_000, 60_000]),
        "past_largest": chance.choice(["429", "413", "502", "504", "cut"]),
        "bound_to_size": chance.random() < 0.5,
    }


def _odd_rows(shape: Shape, chance: random.Random) -> tuple[dict[str, str], dict[str, bool]]:
    """Return images whose ids cannot be read, and those twice on a page; none for most seeds."""
    ids = [str(image["id"]) for image in Estate(shape).images()]
    spoilt = {
        one: chance.choice(_NO_IDS) for one in chance.sample(ids, chance.choice([0] * 5 + [2]))
    }
    repeated = chance.sample(ids, chance.choice([0, 0, 0, 5]))
    return spoilt, dict.fromkeys((one for one in repeated if one not in spoilt), False)


def _outages(chance: random.Random) -> tuple[Outage, ...]:
    """Return the times when the whole service is down; none for most seeds."""
    kinds = [Fault.RESET, Fault.HANG, Fault.HTTP_502, Fault.HTTP_503]
    return tuple(
        Outage(chance.randrange(5, 500), chance.uniform(0.2, 4.0), chance.choice(kinds))
        for _ in range(chance.choice([0, 0, 1, 2]))
    )


def _storms(chance: random.Random) -> tuple[Outage, ...]:
    """Return the times when the service refuses every call; none for most seeds."""
    if chance.random() < 0.85:
        return ()
    return (Outage(chance.randrange(5, 500), chance.uniform(0.5, 20.0), Fault.HTTP_429),)

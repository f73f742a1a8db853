"""What a registry's own scans have listed is remembered only as long as a split may need it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import ClassVar

import pytest

from exporter.sources.cloud.split import scans
from exporter.sources.cloud.split.known import KnownImages
from exporter.sources.cloud.split.policy import SplitPolicy
from exporter.sources.cloud.summary import Images
from tests.crawl.model import Image, Memory, World, walk
from tests.policies import EARLY, NO_DESCENT

WORLD = World(
    tuple(Image(f"{path}{at}", path, at) for path in "abcdef" for at in range(20)),
    frozenset("abcdef"),
    page_size=10,
)


class Recorded(KnownImages):
    """Notes the most that it ever remembered."""

    made: ClassVar[list[Recorded]] = []

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most_of_all = 0
        self.made.append(self)

    def add(self, page: Images) -> None:
        super().add(page)
        self.most_of_all = max(self.most_of_all, len(self))


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "KnownImages", Recorded)
    monkeypatch.setattr(Recorded, "made", [])


@pytest.mark.parametrize("policy", [EARLY, NO_DESCENT], ids=["from both ends", "split"])
async def test_nothing_is_remembered_once_the_listing_has_ended(policy: SplitPolicy) -> None:
    done = await walk(replace(WORLD, policy=policy), Memory(), random.Random(3))
    assert done.entry.status == "complete"
    (known,) = Recorded.made
    assert known.most_of_all >= WORLD.page_size
    assert len(known) == 0


async def test_nothing_is_remembered_of_a_registry_that_may_not_be_split() -> None:
    patterns = tuple(f"{path}*" for path in sorted(WORLD.listed))
    done = await walk(replace(WORLD, include=patterns), Memory(), random.Random(3))
    assert done.memory.staged().keys() == {image.id for image in WORLD.images}
    (known,) = Recorded.made
    assert known.most_of_all == 0

"""What a sample by digest tells of a registry."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from exporter.sources.cloud.decode.sample import SamplePage
from exporter.sources.cloud.split.check import Sample, SplitCheck
from exporter.sources.cloud.split.partition import RepositoryPartition
from exporter.sources.cloud.split.policy import SplitPolicy


def digests_of(count: int) -> list[str]:
    digests = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(count))
    return sorted(f"sha256:{digest}" for digest in digests)


def page_of(digests: list[str], *, more: bool = True, name: str = "crp1/a") -> SamplePage:
    return SamplePage(
        listed=len(digests),
        counts=Counter({name: len(digests)}),
        digests_rise=digests == sorted(digests),
        first=digests[0],
        last=digests[-1],
        next_token="more" if more else "",
    )


def sample_of(*pages: SamplePage) -> Sample:
    sample = Sample(SplitPolicy())
    for page in pages:
        sample.add(page)
    return sample


@pytest.mark.parametrize("count", [3_000, 40_000])
def test_how_many_images_there_are_is_told_from_how_far_the_digests_reach(count: int) -> None:
    digests = digests_of(count)
    sample = sample_of(page_of(digests[:600]), page_of(digests[600:1000]))
    assert sample.total == pytest.approx(count, rel=0.15)


def test_a_whole_sample_is_counted() -> None:
    assert sample_of(page_of(digests_of(700), more=False)).total == 700


@pytest.mark.parametrize(
    "digests",
    [
        [f"sha256:{number:064x}" for number in range(1000)],
        [f"sha512:{number:0128x}" for number in range(1000)],
        ["", "latest"],
    ],
)
def test_digests_that_are_not_spread_evenly_tell_no_number(digests: list[str]) -> None:
    assert sample_of(page_of(digests)).total is None


def test_what_speaks_against_a_split() -> None:
    digests = digests_of(1000)
    listed = RepositoryPartition(["crp1/a"])
    assert SplitCheck().sampled(sample_of(page_of(digests)), listed) is None
    assert SplitCheck().sampled(None, listed) is not None
    assert SplitCheck().sampled(sample_of(page_of(digests[:100])), listed) is not None
    assert SplitCheck().sampled(sample_of(page_of(digests[:100], more=False)), listed) is None
    backwards = sample_of(page_of(digests[500:]), page_of(digests[:500]))
    assert SplitCheck().sampled(backwards, listed) is not None
    reason = SplitCheck().sampled(sample_of(page_of(digests, name="crp1/b")), listed)
    assert reason == "repository crp1/b has images, but is not listed"

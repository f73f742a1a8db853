"""Whenever the power goes, what was synced is enough to go on with, and nothing false is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from exporter.emulator import Behaviour, Shape
from exporter.staging import stage
from tests.conftest import ServeCloud
from tests.e2e.clouds import Cloud
from tests.e2e.commands import BOTH, Exporter
from tests.e2e.power import Disk, PowerLoss
from tests.e2e.worlds import check_against, world_of
from tests.oracle.snapshots import read_snapshot, snapshot_ids

SHAPE = Shape(clouds=2, folders=3, registries=4, repositories=12, images=400, layers=2)
SERVER = Behaviour(latency=0.02, reshuffle=False)
# Whether a chain is split depends on how fast answers come; and with it how many pages there are.
LIMITS = {**BOTH, "limits": {"page_size": 10, "concurrency": 4, "split_listings": False}}


def run(cloud: Cloud, exporter: Exporter, *, every: float, lasts: int | None = None) -> Disk:
    """Export with a commit every so many seconds, on a disk with power for so many syncs."""
    exporter.output.mkdir()
    disk = Disk(exporter.output, lasts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "COMMIT_SECONDS", every)
        disk.listen(patch)
        try:
            exporter.export(LIMITS, snapshot_id="night")
        except PowerLoss:
            disk.lose_power()
    return disk


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """Return how many syncs a whole run asks for that commits at its end alone, and its pages."""
    with Cloud(SHAPE, SERVER) as cloud:
        disk = run(cloud, Exporter(tmp_path_factory.mktemp("whole"), cloud), every=1000)
        return disk.syncs, len(cloud.calls.of("images"))


def pages_kept(output: Path) -> int:
    """Return how many pages of images the staging that survived holds."""
    journals = list(output.glob(".staging/*/journal.sqlite"))
    if not journals:
        return 0
    with closing(sqlite3.connect(journals[0])) as database:
        query = "SELECT count(*) FROM pages WHERE key LIKE '%/images?%'"
        return int(database.execute(query).fetchone()[0])


def check_again(cloud: Cloud, exporter: Exporter, pages: int) -> None:
    """Check what the loss has left, then that the next run comes to the truth from there."""
    published = snapshot_ids(exporter.output)
    for snapshot_id in published:
        check_against(read_snapshot(exporter.output, snapshot_id), world_of(cloud.estate))
    kept = pages_kept(exporter.output)
    cloud.calls.clear()
    check_against(exporter.export(LIMITS, snapshot_id="night"), world_of(cloud.estate))
    assert len(cloud.calls.of("images")) <= (0 if published else pages - kept * 0.9)


@pytest.mark.parametrize("lasts", [2, 20, 36])
def test_pages_that_were_synced_while_listing_are_not_asked_for_again(
    lasts: int,
    whole: tuple[int, int],
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    cloud = serve_cloud(SHAPE, SERVER)
    exporter = exporter_for(cloud)
    assert run(cloud, exporter, every=0.01, lasts=lasts).syncs == lasts
    # At worst each answer, those about clouds and registries before them, was synced by itself.
    assert pages_kept(exporter.output) or lasts < 30
    check_again(cloud, exporter, whole[1])


@pytest.mark.parametrize("short", [1, 2, 3, 9, 100])
def test_after_listing_nothing_is_asked_for_again_and_nothing_false_is_published(
    short: int,
    whole: tuple[int, int],
    serve_cloud: ServeCloud,
    exporter_for: Callable[[Cloud], Exporter],
) -> None:
    syncs, pages = whole
    cloud = serve_cloud(SHAPE, SERVER)
    exporter = exporter_for(cloud)
    assert run(cloud, exporter, every=1000, lasts=syncs - short).syncs == syncs - short
    assert pages_kept(exporter.output) >= pages * 0.9
    check_again(cloud, exporter, pages)

"""Another source than the cloud goes all the way, from its API to a published snapshot."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from exporter import Settings, export
from exporter.errors import CredentialsError, SettingsError
from exporter.settings import Output
from exporter.snapshots.manifest import Manifest
from tests.e2e.waiting import staged_pages, until
from tests.oracle.snapshots import Snapshot, read_only_snapshot
from tests.sources.fake import FakeSource
from tests.sources.library import CALLS, SHELVES, Library, images_of

ROOT = Path(__file__).parents[2]
STOPPED_AT = 9
"""The call at which a run is stopped, before it is answered."""


def settings_for(out: Path) -> Settings:
    return Settings(output=Output(url=str(out)))


async def exported(library: Library, out: Path, *, slots: int = 4) -> Manifest:
    return await export(settings_for(out), source=FakeSource(library.url, slots=slots))


def ids_in(snapshot: Snapshot) -> list[str]:
    return sorted(row["image_id"] for row in snapshot.tables["images"])


def ids_on(*shelves: str) -> list[str]:
    return sorted(
        f"{shelf}/{image['box']}@{image['sha']}" for shelf in shelves for image in images_of(shelf)
    )


async def verified(out: Path, snapshot: Snapshot) -> bool:
    """Say whether `verify` has nothing against a snapshot."""
    command = [sys.executable, "-m", "exporter", "verify", snapshot.id, "--output", str(out)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    return await process.wait() == 0


async def test_all_of_another_source_is_listed_and_published(tmp_path: Path) -> None:
    async with Library().served() as library:
        library.busy = 2
        manifest = await exported(library, tmp_path)
        assert Counter(library.calls).total() == CALLS + 2
        assert len(set(library.calls)) == CALLS
    snapshot = read_only_snapshot(tmp_path)
    assert (manifest.status, manifest.source) == ("complete", {"url": library.url})
    assert (manifest.requests.calls, manifest.requests.retries) == (CALLS + 2, 2)
    assert ids_in(snapshot) == ids_on(*SHELVES)
    total = next(row for row in snapshot.tables["size_totals"] if row["scope"] == "total")
    assert total["image_count"] == sum(SHELVES.values())
    images = [image for shelf in SHELVES for image in images_of(shelf)]
    layers = {sha: size for image in images for sha, size in image["parts"].items()}
    assert total["stored_size"] == sum(layers.values())
    assert snapshot.statuses() == {
        ("registries", "*"): "complete",
        **{(name, shelf): "complete" for name in ("repositories", "images") for shelf in SHELVES},
    }
    assert await verified(tmp_path, snapshot)


async def test_what_another_source_may_not_read_is_denied_in_its_own_words(tmp_path: Path) -> None:
    async with Library().served() as library:
        library.closed = {"bible"}
        manifest = await exported(library, tmp_path)
    snapshot = read_only_snapshot(tmp_path)
    assert manifest.status == "partial"
    assert ids_in(snapshot) == ids_on("atlas", "codex", "diary")
    denied = [row for row in snapshot.tables["coverage"] if row["status"] != "complete"]
    assert [(row["listing"], row["parent_id"], row["status"]) for row in denied] == [
        ("images", "bible", "denied")
    ]
    assert "403 PERMISSION_DENIED (shelf bible is locked)" in denied[0]["message"]
    assert await verified(tmp_path, snapshot)


async def test_a_key_that_is_not_accepted_ends_the_run(tmp_path: Path) -> None:
    async with Library().served() as library:
        with pytest.raises(CredentialsError, match="The key from the librarian is not accepted"):
            await export(settings_for(tmp_path), source=FakeSource(library.url, key="sesame"))


async def test_an_output_is_of_one_source(tmp_path: Path) -> None:
    async with Library().served() as library, Library().served() as other:
        await exported(library, tmp_path)
        with pytest.raises(SettingsError, match=f"source.url was {library.url} and is {other.url}"):
            await exported(other, tmp_path)
        assert other.calls == []


def all_is_staged(out: Path) -> bool:
    """Say whether all pages before the call at which a run is stopped are durably staged."""
    return staged_pages(out) == STOPPED_AT - 1


async def cancel_at(library: Library, out: Path) -> None:
    """Cancel a run at a call, once every page before it is durably staged."""
    run = asyncio.create_task(exported(library, out, slots=1))

    async def meanwhile() -> None:
        if len(library.calls) == STOPPED_AT:
            await asyncio.to_thread(until, partial(all_is_staged, out), "all pages are staged")
            run.cancel()
            await asyncio.wait([run])

    library.meanwhile = meanwhile
    with pytest.raises(asyncio.CancelledError):
        await run


Stop = Callable[[Library, Path], Awaitable[None]]

RUN = """
import asyncio, sys
from pathlib import Path
from tests.sources.library import Library
from tests.sources.test_fake import exported
library = Library()
library.url = sys.argv[1]
asyncio.run(exported(library, Path(sys.argv[2]), slots=1))
"""


async def kill_at(library: Library, out: Path) -> None:
    """Kill a run at a call, once every page before it is durably staged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, library.url, str(out), cwd=ROOT
    )

    async def meanwhile() -> None:
        if len(library.calls) == STOPPED_AT:
            await asyncio.to_thread(until, partial(all_is_staged, out), "all pages are staged")
            process.send_signal(signal.SIGKILL)

    library.meanwhile = meanwhile
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("stop", [cancel_at, kill_at])
async def test_a_run_that_was_stopped_asks_for_no_page_twice(stop: Stop, tmp_path: Path) -> None:
    async with Library().served() as library:
        await stop(library, tmp_path)
        before, library.calls, library.meanwhile = library.calls, [], None
        manifest = await exported(library, tmp_path, slots=1)
        after = library.calls
    # The call that the stop left without an answer is made again, and no other.
    assert set(before) & set(after) == {before[-1]}
    assert (len(before), len(before) + len(after)) == (STOPPED_AT, CALLS + 1)
    assert manifest.status == "complete"
    snapshot = read_only_snapshot(tmp_path)
    assert ids_in(snapshot) == ids_on(*SHELVES)
    assert await verified(tmp_path, snapshot)

"""What failed is tried again by the run that resumes this one, and the rest is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from exporter import Settings, export
from exporter.errors import IncompleteError
from exporter.settings import Output
from exporter.settings.model import Limits
from tests.oci.scripted import ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for
from tests.oracle.snapshots import Snapshot, read_only_snapshot

Breaks = Callable[["Broken", str, str], bool]
"""Whether a part and a reference of a repository are what is broken."""


def a_tag(_: Broken, part: str, reference: str) -> bool:
    return part == "manifests" and reference == "v1"


def a_config(registry: Broken, part: str, reference: str) -> bool:
    return part == "blobs" and reference == registry.config("team/app", "v1")


class Broken(ScriptedRegistry):
    """A registry in which a part of team/app fails, until it is mended."""

    def __init__(self, breaks: Breaks) -> None:
        super().__init__()
        self.is_broken = True
        self.fill("team/other", "v1", "v2")

        def way(_: web.Request, part: str, reference: str) -> web.Response | None:
            if self.is_broken and breaks(self, part, reference):
                return error(500, "UNKNOWN", "the disk is broken")
            return None

        self.fill("team/app", "v0", "v1", "v2", way=way)

    def config(self, repository: str, tag: str) -> str:
        """Return the digest of an image's config."""
        manifest = json.loads(self.blobs.content[self.tags[repository][tag]])
        return str(manifest["config"]["digest"])


def strict(host: str, folder: Path) -> Settings:
    output = Output(url=str(folder / "out"), formats=["parquet"], on_partial="fail")
    limits = Limits(attempts=1)
    return settings_for(host, folder).model_copy(update={"output": output, "limits": limits})


def assert_whole(snapshot: Snapshot, registry: ScriptedRegistry) -> None:
    tags = {(row["repository_name"], row["tag"], row["digest"]) for row in snapshot.tables["tags"]}
    assert tags == {
        (f"{registry.host}/{name}", tag, digest)
        for name, found in registry.tags.items()
        for tag, digest in found.items()
    }
    assert {row["architecture"] for row in snapshot.tables["images"]} == {"amd64"}
    assert len(snapshot.tables["images"]) == 5
    assert not snapshot.tables["findings"]


@pytest.mark.parametrize("breaks", [a_tag, a_config])
async def test_a_run_that_goes_on_tries_again_what_failed_and_nothing_else(
    breaks: Breaks, tmp_path: Path
) -> None:
    registry = Broken(breaks)
    async with registry.served():
        with pytest.raises(IncompleteError, match=r"the disk is broken.*run again to resume"):
            await export(strict(registry.host, tmp_path))
        registry.is_broken = False
        registry.asked.clear()
        manifest = await export(strict(registry.host, tmp_path))
    assert manifest.status == "complete"
    assert_whole(read_only_snapshot(tmp_path / "out", ("parquet",)), registry)
    assert not any("/team/other/" in path for path in registry.asked)
    assert all(count == 1 for count in registry.asked.values())
    # Which registry it is, the tag, and the configs, which wait until all tags are known.
    assert sum(registry.asked.values()) <= 5


@pytest.mark.parametrize("is_last", [False, True])
async def test_a_run_that_was_stopped_tries_again_until_it_went_on_without(
    is_last: bool, tmp_path: Path
) -> None:
    registry = Broken(a_tag)
    stop_at = registry.config("team/app", "v0") if is_last else registry.tags["team/other"]["v2"]

    def stop(request: web.Request) -> web.Response | None:
        """Stop the run while team/app waits, or once it has gone on without what failed."""
        waits = registry.asked["GET /v2/team/app/manifests/v1"] > 0
        if waits and registry.is_broken and request.path.rpartition("/")[2] in (stop_at, "late"):
            registry.is_broken = False
            run.cancel()
        return None

    registry.tags["team/other"]["late"] = registry.tags["team/other"]["v2"]
    if is_last:
        del registry.tags["team/other"]["late"]
    registry.authorized = stop
    async with registry.served():
        settings = settings_for(registry.host, tmp_path)
        settings = settings.model_copy(update={"limits": Limits(attempts=1, concurrency=1)})
        run = asyncio.create_task(export(settings))
        with pytest.raises(asyncio.CancelledError):
            await run
        manifest = await export(settings)
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    if not is_last:
        assert manifest.status == "complete"
        assert_whole(snapshot, registry)
        return
    assert manifest.status == "partial"
    name = f"{registry.host}/team/app"
    tags = {row["tag"] for row in snapshot.tables["tags"] if row["repository_name"] == name}
    assert tags == {"v0", "v2"}
    assert snapshot.statuses()["manifests", name] == "partial"


@pytest.mark.parametrize("breaks", [a_tag, a_config])
async def test_a_published_snapshot_has_all_but_what_failed(breaks: Breaks, tmp_path: Path) -> None:
    registry = Broken(breaks)
    async with registry.served():
        settings = settings_for(registry.host, tmp_path)
        manifest = await export(settings.model_copy(update={"limits": Limits(attempts=1)}))
    assert manifest.status == "partial"
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    name = f"{registry.host}/team/app"
    listing = "manifests" if breaks is a_tag else "configs"
    assert snapshot.statuses()[listing, name] in ("partial", "failed")
    tags = {row["tag"] for row in snapshot.tables["tags"] if row["repository_name"] == name}
    assert tags == ({"v0", "v2"} if breaks is a_tag else {"v0", "v1", "v2"})
    unread = [row for row in snapshot.tables["images"] if row["architecture"] is None]
    assert len(unread) == (breaks is a_config)


async def test_manifests_that_are_refused_leave_the_others_of_their_repository(
    tmp_path: Path,
) -> None:
    registry = ScriptedRegistry()

    def refusing(*broken: str) -> Callable[[web.Request, str, str], web.Response | None]:
        def way(_: web.Request, part: str, reference: str) -> web.Response | None:
            if part != "manifests":
                return None
            if reference in broken:
                return error(500, "UNKNOWN")
            return error(403, "DENIED") if reference in ("v1", "v2") else None

        return way

    registry.fill("denied", "v0", "v1", "v2", way=refusing())
    registry.fill("broken", "v0", "v1", "v2", way=refusing("v2"))
    limits = Limits(attempts=1)
    async with registry.served():
        settings = settings_for(registry.host, tmp_path).model_copy(update={"limits": limits})
        manifest = await export(settings)
    assert manifest.status == "partial"
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    assert sorted(row["tag"] for row in snapshot.tables["tags"]) == ["v0", "v0"]
    rows = {
        row["parent_id"].partition("/")[2]: row
        for row in snapshot.tables["coverage"]
        if row["listing"] == "manifests"
    }
    # Another try may help where not all is a matter of rights.
    assert (rows["denied"]["status"], rows["broken"]["status"]) == ("denied", "partial")
    for row in rows.values():
        assert row["message"].startswith("2 manifests could not be read, among them: ")
        assert row["rows"] == 1

"""Which repositories are listed: a catalog in pages, one that is refused, and names instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from exporter import export
from exporter.errors import DeniedError, IncompleteError, ScopeError
from exporter.settings import Repositories, Scope
from tests.oci.scripted import ScriptedRegistry, error
from tests.oci.test_misbehaving import settings_for
from tests.oracle.snapshots import latest_id, read_only_snapshot

NAMES = ("a", "a/b", "a-b", "c", "d")


def registry_of(*names: str) -> ScriptedRegistry:
    registry = ScriptedRegistry()
    for name in names:
        registry.fill(name, "v1")
    return registry


async def test_a_catalog_comes_in_pages_in_any_order(tmp_path: Path) -> None:
    registry = registry_of(*NAMES)

    def catalog(request: web.Request) -> web.Response:
        if int(request.query.get("n", 0)) > 2:
            return error(400, "UNSUPPORTED")
        names = list(NAMES)
        place = names.index(request.query["last"]) + 1 if "last" in request.query else 0
        shown = names[place : place + 2]
        more = place + 2 < len(names)
        link = {"Link": f'</prefix/v2/_catalog?last={shown[-1]}>; rel="next"'} if more else {}
        return web.json_response({"repositories": shown}, headers=link)

    registry.catalog = catalog
    only = Scope(repositories=Repositories(exclude=["a-*"]))
    async with registry.served():
        settings = settings_for(registry.host, tmp_path).model_copy(update={"scope": only})
        manifest = await export(settings)
    assert manifest.status == "complete"
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    listed = sorted(row["repository_name"] for row in snapshot.tables["repositories"])
    assert listed == sorted(f"{registry.host}/{name}" for name in NAMES if name != "a-b")
    assert snapshot.statuses()["repositories", registry.host] == "skipped"


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (lambda _: error(401, "UNAUTHORIZED"), DeniedError),
        (lambda _: error(403, "DENIED"), DeniedError),
        (lambda _: error(404, "UNSUPPORTED"), IncompleteError),
    ],
)
async def test_where_there_is_no_catalog_names_are_asked_for(
    answer: object, refusal: type[Exception], tmp_path: Path
) -> None:
    registry = registry_of("a", "b/c")
    registry.catalog = answer  # type: ignore[assignment] # one of two that are made above
    async with registry.served():
        with pytest.raises(refusal, match="name the repositories in oci"):
            await export(settings_for(registry.host, tmp_path))
        named = {"repositories": ["a", "b/c"]}
        manifest = await export(settings_for(registry.host, tmp_path, named))
    assert manifest.status == "complete"
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    assert len(snapshot.tables["images"]) == 2
    assert snapshot.statuses()["repositories", registry.host] == "skipped"
    totals = {row["scope_id"]: row["complete"] for row in snapshot.tables["size_totals"]}
    assert totals[registry.host] is False
    assert totals[f"{registry.host}/a"] is True


async def test_a_name_that_is_not_there_is_missing_and_alone_it_is_an_error(
    tmp_path: Path,
) -> None:
    registry = registry_of("a")
    async with registry.served():
        both = settings_for(registry.host, tmp_path, {"repositories": ["a", "mistyped"]})
        manifest = await export(both)
        alone = settings_for(registry.host, tmp_path / "alone", {"repositories": ["mistyped"]})
        with pytest.raises(ScopeError, match="mistyped"):
            await export(alone)
    assert manifest.status == "partial"
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    assert [row["repository_name"] for row in snapshot.tables["repositories"]] == [
        f"{registry.host}/a"
    ]
    assert snapshot.statuses()["tags", f"{registry.host}/mistyped"] == "failed"


async def test_a_pattern_that_matches_nothing_is_missing(tmp_path: Path) -> None:
    registry = registry_of("a")
    only = Scope(repositories=Repositories(include=["a", "teem/*"]))
    async with registry.served():
        settings = settings_for(registry.host, tmp_path).model_copy(update={"scope": only})
        manifest = await export(settings)
    assert manifest.status == "partial"
    statuses = read_only_snapshot(tmp_path / "out", ("parquet",)).statuses()
    assert statuses["images", "teem/*"] == "failed"


async def test_a_tag_that_goes_meanwhile_leaves_the_night_whole(tmp_path: Path) -> None:
    """A busy registry loses a tag in any night, and still has a latest snapshot."""
    registry = ScriptedRegistry()
    listed: list[str] = []

    def moving(request: web.Request, part: str, reference: str) -> web.Response | None:
        if part == "tags/list":
            listed.append(request.path_qs)
            tags = ["stays", "goes"] if len(listed) == 1 else ["stays"]
            return web.json_response({"tags": tags})
        return error(404, "MANIFEST_UNKNOWN") if reference == "goes" else None

    registry.fill("moving", "stays", "goes", way=moving)
    registry.fill("other", "v1")
    async with registry.served():
        manifest = await export(settings_for(registry.host, tmp_path))
    assert (manifest.status, manifest.coverage["vanished"]) == ("complete", 1)
    assert latest_id(tmp_path / "out") == manifest.snapshot_id
    snapshot = read_only_snapshot(tmp_path / "out", ("parquet",))
    assert {row["complete"] for row in snapshot.tables["size_totals"]} == {True}
    (row,) = [row for row in snapshot.tables["coverage"] if row["status"] == "vanished"]
    assert row["parent_id"] == f"{registry.host}/moving"
    assert row["message"] == (
        "1 tag is gone: listed first, then not found, and no longer listed (goes)"
    )

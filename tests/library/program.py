"""A user's program that uses the whole public API: type checkers read it, and no test runs it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import assert_type

import duckdb

from exporter import (
    Diff,
    Manifest,
    Progress,
    ReclaimPlan,
    ReclaimPolicy,
    Settings,
    Snapshot,
    __version__,
    diff,
    errors,
    export,
    list_snapshots,
    open_snapshot,
    plan,
    prune,
    reclaim,
    verify,
)
from exporter.settings import Output, Scope


async def inventory(settings: Settings) -> Manifest:
    """Take an inventory, watched by another task; return the manifest."""
    progress = Progress()
    planned = await plan(settings)
    assert_type(planned.registries, int)

    async def watch() -> None:
        while True:
            moment = progress.statistics()
            assert_type(moment.images, int)
            assert_type(moment.seconds_left, float | None)
            await asyncio.sleep(1)

    watcher = asyncio.create_task(watch())
    try:
        return assert_type(
            await export(settings, snapshot_id="night", replace=True, progress=progress), Manifest
        )
    except errors.ApiError as error:
        assert_type(error.scope, str)
        raise
    except errors.ExporterError as error:
        raise SystemExit(assert_type(error.exit_code, int)) from error
    finally:
        watcher.cancel()


def largest(snapshot: Snapshot) -> list[str]:
    """Return the largest repositories of a snapshot, by DuckDB."""
    assert_type(snapshot.manifest.status == "complete", bool)
    assert_type([file.path for file in snapshot.files("images")], list[str])
    assert_type(snapshot.paths("images"), list[Path])
    with duckdb.connect() as connection:
        snapshot.register(connection, ["size_totals"])
        rows = connection.execute("SELECT scope_id FROM size_totals LIMIT 5").fetchall()
    sql, parameters = "FROM tags WHERE tag = $tag", {"tag": "latest"}
    # PyArrow comes without types.
    snapshot.query(sql, parameters)  # pyright: ignore[reportUnknownMemberType]
    return [str(row[0]) for row in rows]


def worth(snapshot: Snapshot) -> float:
    """Return what deleting old images without a tag would save a month."""
    rules = [{"untagged": True, "expire_period": "48h"}, {"tag_regexp": ".*", "retained_top": 5}]
    with reclaim(snapshot, rules) as plan:
        assert_type(plan, ReclaimPlan)
        assert_type([one.registry_id for one in plan.left_out], list[str])
        assert_type(plan.freed_size, int)
        assert_type(plan.count("images"), int)
    policy = ReclaimPolicy(untagged=True, older_than=timedelta(days=30), registries=["crp1"])
    with reclaim(snapshot, policy) as plan:
        return assert_type(plan.monthly_saving(0.0243), float)


def lost(before: Snapshot, after: Snapshot) -> int:
    """Return how many images are gone, and look at what differs."""
    with diff(before, after) as found:
        assert_type(found, Diff)
        assert_type(found.before.snapshot_id, str)
        assert_type(found.totals["stored_size_delta"], int | None)
        return assert_type(found.counts["image_removed"], int)


async def main() -> None:
    """Take an inventory, look at it and keep a week of them."""
    settings = Settings(
        scope=Scope(registries=["crp0123456789abcdefg"]),
        output=Output(url="s3://inventory/registry", formats=["parquet"]),
    )
    manifest = await inventory(settings)
    assert_type(manifest.tables["images"].rows, int)
    with open_snapshot(settings, manifest.snapshot_id) as snapshot:
        print(__version__, assert_type(snapshot, Snapshot).url, largest(snapshot))  # noqa: T201
        print(worth(snapshot))  # noqa: T201
    for info in list_snapshots("s3://inventory/registry"):
        assert_type(info.snapshot_id, str)
        assert_type(info.stored_size, int | None)
    for problem in verify(Path("snapshots"), "latest"):
        assert_type(problem.where, str)
        assert_type(str(problem), str)
    choice = await prune(settings, keep_daily=7, dry_run=True)
    assert_type(choice.remove, tuple[str, ...])
    assert_type([kept.reasons for kept in choice.keep], list[tuple[str, ...]])


def mistakes(settings: Settings) -> None:
    """Make mistakes; a checker that does not find one of them says that it is ignored in vain."""
    from exporter import exprot  # type: ignore[attr-defined] # noqa: F401, PLC0415

    export("s3://inventory/registry")  # type: ignore[arg-type, unused-coroutine]
    verify(7)  # type: ignore[arg-type]
    reclaim(open_snapshot(settings), policy=7)  # type: ignore[arg-type]
    diff(open_snapshot(settings), "latest")  # type: ignore[arg-type]
    open_snapshot(settings).table("images")  # type: ignore[attr-defined]
    list_snapshots(settings)[0].size  # type: ignore[attr-defined] # noqa: B018


if __name__ == "__main__":
    asyncio.run(main())

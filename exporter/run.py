"""One export from beginning to end: the story of the program."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from exporter import __version__
from exporter.api import Client
from exporter.crawl import Estate, Fetcher, Ledger, Progress, Unkept
from exporter.derive import derive, drop_duplicates
from exporter.errors import ExporterError, IncompleteError, LockedError
from exporter.settings import Settings
from exporter.snapshot import (
    Destination,
    Lock,
    Manifest,
    Place,
    Policy,
    Requests,
    Stage,
    StagedFile,
    check_free,
    discard,
    image_counts,
    new_snapshot_id,
    open_place,
    plain_row,
    planned,
    prune,
    publish,
    read_manifest,
    staging_root,
    write_ndjson,
    write_table,
)
from exporter.tables import TABLES

log = structlog.get_logger()

DECODERS = 2
"""Threads that decode pages; PyArrow lets go of the GIL while they do."""


async def export(
    settings: Settings,
    *,
    snapshot_id: str | None = None,
    replace: bool = False,
    fresh: bool = False,
    wait: float = 0.0,
    progress: Progress | None = None,
) -> Manifest:
    """Take an inventory and publish it as a snapshot; return its manifest.

    `snapshot_id` is by default the start in UTC, or that of unfinished staging of the same
    settings, which is then gone on with. `replace` allows an id that exists; `fresh` starts over
    instead of going on; `wait` is for how many seconds another run is waited for. The manifest's
    `status` says whether the snapshot is complete.

    Raises one of `exporter.errors`. Cancelled, it keeps what is staged.
    """
    progress = progress or Progress()
    started = datetime.now(UTC)
    destination = Destination.open(settings.output.url)
    destination.check_writable()
    root = staging_root(destination, settings.output.staging)
    new_id = snapshot_id or _free_id(destination, new_snapshot_id(started))
    async with only_run(root, new_id, wait):
        place = open_place(
            root,
            snapshot_id=snapshot_id,
            new_id=new_id,
            fingerprint=_fingerprint(settings),
            now=started,
            resume_within=settings.output.resume_within,
            fresh=fresh,
        )
        with structlog.contextvars.bound_contextvars(
            run_id=uuid.uuid4().hex, snapshot_id=place.snapshot_id
        ):
            try:
                manifest = await _export(settings, destination, place, replace, progress)
            except ExporterError as error:
                # Without a traceback: the error's own words are made to be enough.
                log.error("export_failed", error=str(error), exit_code=error.exit_code)  # noqa: TRY400
                raise
            discard(place.path)
            await asyncio.to_thread(_retain, settings, destination, manifest, root)
            log.info("export_finished", **summary(manifest))
    return manifest


def _retain(settings: Settings, destination: Destination, manifest: Manifest, root: Path) -> None:
    """Apply `output.keep`; the snapshot is published, so a failure here does not fail the run."""
    if manifest.status != "complete" or settings.output.keep is None:
        return
    try:
        prune(destination, Policy(**settings.output.keep.model_dump()), staged=_staged(root))
    except ExporterError as error:
        log.error("prune_failed", error=str(error))  # noqa: TRY400 - its own words are enough


async def _export(
    settings: Settings, destination: Destination, place: Place, replace: bool, progress: Progress
) -> Manifest:
    files: list[StagedFile] = []
    begun = planned(place.path)
    if begun is not None:
        log.info("publishing_resumed")
        manifest = begun
    else:
        check_free(destination, place.snapshot_id, replace=replace)
        log.info("export_started", resumed=place.resumed, output=settings.output.url)
        progress.phase = "listing"
        listed = await _list(settings, destination, place, progress)
        progress.phase = "deriving"
        manifest, files = await asyncio.to_thread(_conclude, settings, place, listed)
    progress.phase = "publishing"
    published = await asyncio.to_thread(
        publish, destination, manifest, files, staging=place.path, replace=replace
    )
    progress.phase = "done"
    return published


@dataclass(frozen=True)
class _Listed:
    """What the crawl leaves: the ledger, the small tables, the parts, and what it cost."""

    ledger: Ledger
    tables: dict[str, pa.Table]
    parts: list[StagedFile]
    requests: Requests


async def _list(
    settings: Settings, destination: Destination, place: Place, progress: Progress
) -> _Listed:
    ledger = Ledger(progress)
    expected = await asyncio.to_thread(image_counts, destination)
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as decoders:
        async with Client(settings) as client, Stage(place.path) as stage:
            if not place.resumed:
                stage.note(
                    snapshot_id=place.snapshot_id,
                    fingerprint=_fingerprint(settings),
                    started_at=place.started_at.isoformat(),
                )
            elif stage.kept_before:
                log.info("export_resumed", pages=stage.kept_before)
            progress.client = client
            estate = Estate(
                settings,
                client,
                Fetcher(client, stage, progress, decoders),
                stage,
                ledger,
                progress,
                expected_images=expected,
            )
            await _unwrapped(estate)
            _refuse_what_is_not_published(settings, ledger)
            parts = await stage.finish()
            counts = client.counts
    requests = Requests(
        calls=counts.calls + progress.calls_before,
        retries=counts.retries + progress.retries_before,
        throttled=counts.throttled,
        bytes=counts.wire_bytes + progress.wire_bytes_before,
    )
    return _Listed(ledger, estate.tables(), parts, requests)


async def _unwrapped(estate: Estate) -> None:
    """Run the crawl, and raise the first error instead of the group that a task group raises."""
    try:
        await estate.run()
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def _refuse_what_is_not_published(settings: Settings, ledger: Ledger) -> None:
    missing = [entry for entry in ledger.entries() if not entry.whole]
    if not missing:
        return
    first = missing[0]
    reason = f"{first.listing} of {first.parent_id} ended as {first.status}: {first.message}"
    if ledger.empty:
        raise IncompleteError(f"Nothing could be listed, and nothing is published: {reason}.")
    if settings.output.on_partial == "fail":
        raise IncompleteError(
            f"{len(missing)} of {len(ledger.entries())} listings are not complete, and "
            f"output.on_partial is fail, so nothing is published: {reason}."
        )


def _conclude(
    settings: Settings, place: Place, listed: _Listed
) -> tuple[Manifest, list[StagedFile]]:
    """Derive what follows from the staged rows, and say what the snapshot is made of."""
    staging = place.path
    for name, rows in listed.tables.items():
        write_table(staging, TABLES[name], [rows])
    staged = {part.table for part in listed.parts} | listed.tables.keys()
    for name, table in TABLES.items():
        if table.kind == "listed" and name not in staged:
            write_table(staging, table, [])
    for dropped in drop_duplicates(staging):
        listed.ledger.drop_rows(dropped.table, dropped.registry_id, dropped.rows)
    write_table(staging, TABLES["coverage"], [listed.ledger.table()])
    derive(staging)
    files = []
    for name, table in TABLES.items():
        paths = sorted((staging / "parquet" / name).glob("part-*.parquet"))
        if "parquet" in settings.output.formats:
            files += [
                StagedFile(name, "parquet", path, pq.read_metadata(path).num_rows) for path in paths
            ]
        if "ndjson" in settings.output.formats:
            files += write_ndjson(paths, table, staging)
    manifest = Manifest(
        generator=f"registry-exporter/{__version__}",
        snapshot_id=place.snapshot_id,
        status="complete" if listed.ledger.complete else "partial",
        started_at=place.started_at,
        finished_at=datetime.now(UTC),
        source=_source(settings),
        scope=settings.scope.model_dump(mode="json"),
        totals=plain_row(_total(staging)),
        coverage=listed.ledger.counts(),
        requests=listed.requests,
    )
    return manifest, files


def _total(staging: Path) -> dict[str, Any]:
    paths = sorted((staging / "parquet" / "size_totals").glob("part-*.parquet"))
    row: dict[str, Any] = pq.read_table(paths, filters=[("scope", "=", "total")]).to_pylist()[0]
    return row


def summary(manifest: Manifest) -> dict[str, Any]:
    """Return what a run came to, for the log, `--summary-json` and whoever called `export`."""
    fields = ("snapshot_id", "status", "started_at", "finished_at")
    content = manifest.model_dump(mode="json", by_alias=True)
    return {
        **{name: content[name] for name in fields},
        "seconds": (manifest.finished_at - manifest.started_at).total_seconds(),
        "rows": {name: entry.rows for name, entry in manifest.tables.items()},
        "totals": content["totals"],
        "coverage": content["coverage"],
        "requests": content["requests"],
    }


@dataclass(frozen=True)
class Plan:
    """What an export would list: the ledger of its discovery, and the fewest calls it takes."""

    ledger: Ledger
    registries: int
    fewest_calls: int


async def plan(settings: Settings, *, progress: Progress | None = None) -> Plan:
    """Discover clouds, folders and registries, and nothing below them; nothing is written.

    The fewest calls are those of the discovery, and for each registry one for its repositories
    and one for each page of its images that the last complete snapshot lets expect. Raises one
    of `exporter.errors`.
    """
    progress = progress or Progress(phase="listing")
    ledger = Ledger(progress)
    try:
        expected = image_counts(Destination.open(settings.output.url))
    except ExporterError:
        expected = {}
    with ThreadPoolExecutor(1) as decoders:
        async with Client(settings) as client:
            progress.client = client
            fetcher = Fetcher(client, Unkept(), progress, decoders)
            estate = Estate(
                settings, client, fetcher, Unkept(), ledger, progress, with_images=False
            )
            await _unwrapped(estate)
    _refuse_what_is_not_published(settings, ledger)
    registries = estate.registry_ids()
    pages = [-(-expected.get(one, 1) // settings.limits.page_size) for one in registries]
    calls = client.counts.calls + len(registries) + sum(max(1, count) for count in pages)
    return Plan(ledger, len(registries), calls)


@asynccontextmanager
async def only_run(root: Path, snapshot_id: str, wait: float) -> AsyncIterator[None]:
    """Hold the output's lock; raises `LockedError` once `wait` seconds have passed."""
    deadline = asyncio.get_running_loop().time() + wait
    lock = Lock(root, snapshot_id)
    while True:
        try:
            lock.__enter__()
            break
        except LockedError:
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(0.2)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _staged(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir()}


def _free_id(destination: Destination, new_id: str) -> str:
    """Return the id, numbered if a snapshot of the same second has it already."""
    ids = [new_id, *(f"{new_id}-{number}" for number in range(2, 1000))]
    return next(one for one in ids if read_manifest(destination, one) is None)


def _source(settings: Settings) -> dict[str, Any]:
    return {
        "profile": settings.profile,
        "domain": settings.api_domain,
        "endpoints": settings.endpoints.model_dump(exclude_none=True),
    }


def _fingerprint(settings: Settings) -> str:
    """Return a digest of the settings that decide what is listed, by which calls."""
    decisive = {
        "source": _source(settings),
        "scope": settings.scope.model_dump(mode="json"),
        "page_size": settings.limits.page_size,
        "output": settings.output.url,
    }
    return hashlib.sha256(orjson.dumps(decisive, option=orjson.OPT_SORT_KEYS)).hexdigest()

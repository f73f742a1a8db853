"""One export from beginning to end; read this first."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from exporter.crawl.progress import Progress
from exporter.errors import ExporterError, ImplausibleError
from exporter.inventory import IN_PROCESS, Inventory, Take, look_ahead
from exporter.logs import keep_off_stdout
from exporter.output import open_output
from exporter.report.publishing import check_packages, publish_report
from exporter.resuming import Workspaces, finished_before
from exporter.settings import Settings
from exporter.snapshots.catalog import holdings
from exporter.snapshots.hints import image_counts
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.prune import prune, prune_unsound
from exporter.snapshots.publish import check_free, publish
from exporter.snapshots.retention import Policy
from exporter.snapshots.withheld import withhold
from exporter.sources.base import Source
from exporter.sources.plan import Plan, Survey
from exporter.staging.hold import hold
from exporter.staging.layout import first_free, new_snapshot_id
from exporter.staging.workspace import Workspace, clean_up, staged_ids, staging_root
from exporter.storage.destination import Destination
from exporter.threads import Stop, in_thread
from exporter.trust import refuse_another_scope, refuse_implausible

log = structlog.get_logger()


async def export(
    settings: Settings,
    *,
    snapshot_id: str | None = None,
    replace: bool = False,
    fresh: bool = False,
    wait: float = 0.0,
    accept_shrink: bool = False,
    new_scope: bool = False,
    source: Source | None = None,
    inventory: Inventory = IN_PROCESS,
    progress: Progress | None = None,
    on_published: Callable[[Manifest], None] = lambda _: None,
) -> Manifest:
    """Take an inventory and publish it as a snapshot; return its manifest.

    `snapshot_id` is the id of the snapshot. By default it is that of unfinished staging with the
    same settings, which this run then resumes, or else the start in UTC. `replace` allows an id
    that exists. `fresh` starts over instead of resuming. `wait` is how many seconds to wait for
    another run of the output. `accept_shrink` publishes a result however few images it has; if an
    earlier run withheld one, nothing is listed again. `new_scope` allows another source or scope
    than the output's own. `source` lists instead of the source in the settings. `inventory` is who
    lists and derives: this process, or others for it. The manifest's `status` says whether the
    snapshot is complete. `on_published` receives the manifest, in some thread, as soon as the
    snapshot is published: after that, the run only removes old ones.

    Raises one of `exporter.errors`. If it is cancelled, it keeps the staging, and raises
    `CancelledError` once none of its threads works there any more.
    """
    progress = progress or Progress()
    source = source or source_of(settings)
    keep_off_stdout()
    # The default id is chosen under the lock, so a run that waits has the id of its real start.
    with structlog.contextvars.bound_contextvars(run_id=uuid.uuid4().hex, snapshot_id=snapshot_id):
        try:
            destination = open_output(settings)
            await asyncio.to_thread(destination.check_writable)
            async with hold(destination, settings.output.staging, snapshot_id, wait):
                started = progress.clock.now()
                before, published = await asyncio.to_thread(holdings, destination)
                identity, scope = source.identity(), source.scope()
                refuse_another_scope(settings, identity, scope, before, new_scope=new_scope)
                new_id = snapshot_id or first_free(
                    new_snapshot_id(started), published.ids.__contains__
                )
                structlog.contextvars.bind_contextvars(snapshot_id=new_id)
                workspaces = Workspaces(
                    settings,
                    destination,
                    identity,
                    scope,
                    snapshot_id=snapshot_id,
                    new_id=new_id,
                    published=published,
                    now=started,
                    replace=replace,
                    accept_shrink=accept_shrink,
                    resumes=inventory.resumes,
                )
                place = workspaces.open(fresh=fresh)
                check_packages(settings)

                def check(manifest: Manifest) -> None:
                    if not accept_shrink:
                        refuse_implausible(settings, manifest, before, new_scope=new_scope)

                work = partial(
                    _list_and_publish,
                    settings,
                    source,
                    destination,
                    take=inventory.take,
                    replace=replace,
                    progress=progress,
                    check=check,
                    on_published=on_published,
                )
                manifest = await workspaces.work(place, work, progress)
                await in_thread(partial(_retain, settings, destination, manifest))
                await in_thread(lambda _: publish_report(settings, destination, manifest))
        except ExporterError as error:
            # Without a traceback: the error's text is enough.
            log.error("export_failed", message=str(error), exit_code=error.exit_code)  # noqa: TRY400
            raise
        except asyncio.CancelledError as stop:
            log.error("export_stopped", message=str(stop) or "The run was cancelled.")  # noqa: TRY400
            raise
        log.info("export_finished", **summary(manifest))
    return manifest


def source_of(settings: Settings) -> Source:
    """Return the source that the settings name."""
    # No run needs both, and each is as much to import as all the rest of the program.
    if settings.source == "oci":
        from exporter.sources.oci.source import OciSource  # noqa: PLC0415

        return OciSource(settings)
    from exporter.sources.cloud.source import CloudSource  # noqa: PLC0415

    return CloudSource(settings)


def _survey_of(settings: Settings) -> Survey:
    """Return what looks ahead in the source that the settings name."""
    if settings.source == "oci":
        from exporter.sources.oci.survey import OciSurvey  # noqa: PLC0415

        return OciSurvey(settings)
    from exporter.sources.cloud.plan import CloudSurvey  # noqa: PLC0415

    return CloudSurvey(settings)


async def _list_and_publish(
    settings: Settings,
    source: Source,
    destination: Destination,
    place: Workspace,
    *,
    take: Take,
    replace: bool,
    progress: Progress,
    check: Callable[[Manifest], None],
    on_published: Callable[[Manifest], None],
) -> Manifest:
    """Publish a result that is staged, or list the scope first; `check` refuses a result."""
    finished = finished_before(settings, place)
    if finished is not None:
        manifest, files, may_replace = finished
        replace = replace or may_replace
    else:
        check_free(destination, place.snapshot_id, replace=replace)
        log.info("export_started", resumed=place.resumed, output=settings.output.url)
        manifest, files = await take(settings, source, destination, place, progress)
        try:
            check(manifest)
        except ImplausibleError:
            await in_thread(lambda _: withhold(place.path, manifest, files))
            raise
    progress.phase = "publishing"

    def publish_all(stop: Stop) -> Manifest:
        def moved(step: str) -> None:
            # Once all files are moved, it is quicker to finish than to resume later.
            if step.startswith("moved "):
                stop.check()

        published = publish(
            destination, manifest, files, staging=place.path, replace=replace, on_step=moved
        )
        # Noted here: if the run is cancelled at this moment, its caller gets no return value.
        progress.phase = "done"
        on_published(published)
        clean_up(place.path)
        return published

    return await in_thread(publish_all)


def _retain(settings: Settings, destination: Destination, manifest: Manifest, stop: Stop) -> None:
    """Apply `output.keep`; the snapshot is published, so a failure here does not fail the run.

    If the snapshot did not become the latest, only others of that kind are removed, so that they do
    not fill the disk.
    """
    if manifest.status == "complete" and not manifest.is_sound:
        log.warning(
            "latest_not_moved",
            reason="a part of the scope vanished while it was listed; the next run lists it again",
        )
    keep = settings.output.keep
    if keep is None:
        return
    root = staging_root(destination, settings.output.staging)
    try:
        if manifest.is_sound:
            prune(
                destination,
                Policy(**keep.model_dump()),
                staged=staged_ids(root),
                resume_within=settings.output.resume_within,
                on_step=lambda _: stop.check(),
            )
        else:
            prune_unsound(destination, keep.partial, on_step=lambda _: stop.check())
    except ExporterError as error:
        log.error("prune_failed", error=str(error))  # noqa: TRY400 - its text is enough


def summary(manifest: Manifest) -> dict[str, Any]:
    """Return the outcome of a run, for the log and `--summary-json`."""
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


async def plan(settings: Settings, *, progress: Progress | None = None) -> Plan:
    """Look for what an export would list, without listing images; nothing is written.

    In a cloud, these are clouds, folders and registries; of OCI registries, their repositories, and
    some tags and manifests (`sources.oci.survey.OciPlan`). The image counts of the last complete
    snapshot in `output.url` say what to expect. Raises one of `exporter.errors`.
    """
    try:
        expected = await asyncio.to_thread(image_counts, open_output(settings))
    except ExporterError:
        expected = {}
    survey = _survey_of(settings)
    return await look_ahead(settings, survey, expected, progress or Progress(phase="listing"))

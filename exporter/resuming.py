"""Which staging a run works in, what is done already there, and what happens to it on a failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial

import structlog

from exporter.crawl.progress import Progress
from exporter.errors import (
    DeniedError,
    ExporterError,
    ImplausibleError,
    LostStagingError,
    OutageError,
    ScopeError,
)
from exporter.settings import Settings
from exporter.snapshots.identity import subject
from exporter.snapshots.manifest import Manifest
from exporter.snapshots.publish import planned
from exporter.snapshots.withheld import withheld
from exporter.staging.layout import StagedFile
from exporter.staging.unfinished import Published
from exporter.staging.workspace import Workspace, discard, open_place, staging_root
from exporter.storage.destination import Destination
from exporter.trust import fingerprint

log = structlog.get_logger()


class Workspaces:
    """The workspaces that one run may use, under the output's lock: one, or another after it.

    `source` and `scope` are the manifest's. `snapshot_id` is the id that the user named, `new_id`
    the one of a new snapshot. `published` is what the output has, `now` the run's start. `resumes`
    says whether the staging of this run, if it fails, is of use to a later one. The others are as
    for `export`.
    """

    def __init__(
        self,
        settings: Settings,
        destination: Destination,
        source: Mapping[str, object],
        scope: Mapping[str, object],
        *,
        snapshot_id: str | None,
        new_id: str,
        published: Published,
        now: datetime,
        replace: bool,
        accept_shrink: bool,
        resumes: bool = True,
    ) -> None:
        self._settings = settings
        self._resumes = resumes
        self._find = partial(
            open_place,
            staging_root(destination, settings.output.staging),
            snapshot_id=snapshot_id,
            new_id=new_id,
            fingerprint=fingerprint(settings, source, scope, destination.identity),
            subject=subject(source, scope),
            published=published,
            now=now,
            resume_within=settings.output.resume_within,
            take_withheld=accept_shrink,
            replace=replace,
        )

    def open(self, *, fresh: bool) -> Workspace:
        """Return the workspace to begin in; with `fresh`, it is a new one.

        A publication that was begun for other settings is given up. Raises `SettingsError` and
        `OutputError`.
        """
        place = self._take(fresh=fresh)
        try:
            begun = planned(place.path)
        except LostStagingError as error:
            return self._instead_of(place, error)
        if begun is None or _is_wanted(begun, self._settings):
            return place
        log.warning(
            "publication_given_up", reason="output.formats or output.on_partial has changed"
        )
        return self._take(fresh=True)

    async def work(
        self,
        place: Workspace,
        work: Callable[[Workspace], Awaitable[Manifest]],
        progress: Progress,
    ) -> Manifest:
        """Do the work in a workspace, or in another one if the staging there turns out broken.

        If it fails, the staging stays for the next run, unless that could resume nothing. Raises
        what `work` raises.
        """
        try:
            return await work(place)
        except ImplausibleError:
            raise
        except LostStagingError as error:
            if not place.resumed:
                raise
            progress.start_over()
            return await self.work(self._instead_of(place, error), work, progress)
        except ExporterError as error:
            in_vain = isinstance(error, ScopeError | DeniedError)
            listed = self._resumes and progress.pages
            if in_vain or not (place.resumed or listed):
                discard(place.path)
            elif self._resumes and isinstance(error, OutageError):
                error.keeps_staging()
            raise

    def _take(self, *, fresh: bool) -> Workspace:
        place = self._find(fresh=fresh)
        structlog.contextvars.bind_contextvars(snapshot_id=place.snapshot_id)
        return place

    def _instead_of(self, lost: Workspace, error: LostStagingError) -> Workspace:
        """Discard staging that turned out to be broken, and return another workspace."""
        log.warning(
            "staging_discarded",
            message=f"The unfinished snapshot {lost.snapshot_id} is discarded: {error}",
            reason="it cannot be resumed",
            staged_snapshot_id=lost.snapshot_id,
        )
        discard(lost.path)
        return self._take(fresh=False)


def _is_wanted(begun: Manifest, settings: Settings) -> bool:
    """Return whether these settings would publish the snapshot that an earlier run has begun."""
    formats = {file.format for file in begun.files}
    publishes = begun.status == "complete" or settings.output.on_partial == "publish"
    return publishes and formats == set(settings.output.formats)


def finished_before(
    settings: Settings, place: Workspace
) -> tuple[Manifest, list[StagedFile], bool] | None:
    """Return the result that an earlier run left to publish: its manifest, files and `replace`.

    `replace` says that the earlier run was allowed to replace a snapshot. The result is a
    publication that was begun, which has its own list of files, or a withheld result in the formats
    that the settings name. None if there is neither. Raises `IntegrityError` and
    `LostStagingError`.
    """
    begun = planned(place.path)
    if begun is not None:
        log.info("publishing_resumed")
        return begun, [], False
    held = withheld(place.path)
    if held is None or {file.format for file in held[1]} != set(settings.output.formats):
        return None
    log.info("publishing_withheld")
    return *held, place.replaces

"""Publishing: a staged snapshot becomes a published one, or replaces one, step by step.

Everything is decided first, and written to `publish.json` in the staging folder: the manifest, the
place of each file, and the files to remove afterwards. Each step can be done twice, so a run that
is killed between two steps can be resumed there:

1. Leftovers of a snapshot that never came to exist are removed from the snapshot's folders.
2. The files move to their places. No manifest names them yet: the snapshot does not exist.
3. `manifests/<id>.json.sha256` is written. It comes before the manifest, because a manifest must
   never exist without its checksum. A checksum without a manifest is harmless.
4. `manifests/<id>.json` is written. From this moment the snapshot exists.
5. `manifests/latest.json` is written, if the snapshot is the newest complete one.
6. The replaced snapshot's files are removed, its checksum first.

If a snapshot is replaced, its new parts are numbered after the old ones, so a path in a manifest
never changes its content. A reader of the old manifest finds its files whole, or, after step 6,
finds them missing and reads the manifest again. Between steps 3 and 4 the `.sha256` has the
checksums of both manifests, so it is never wrong. `latest.json` may name the old version until step
5, which comes before its files are removed. A reader that lists the folders instead of reading
manifests sees both versions from step 2 to 6. No order of steps can avoid that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exporter.errors import IntegrityError, LostStagingError, OutputError, SettingsError
from exporter.snapshots.catalog import snapshot_files
from exporter.snapshots.latest import point_latest
from exporter.snapshots.layout import LATEST, manifest_path
from exporter.snapshots.manifest import Manifest, sha256, sidecar
from exporter.snapshots.publication import (
    PublicationPlan,
    hash_file,
    make_plan,
    read_plan,
    write_plan,
)
from exporter.staging.layout import StagedFile, check_snapshot_id
from exporter.storage.destination import Destination
from exporter.tables.schemas import TABLES
from exporter.wording import option, switch

OnStep = Callable[[str], None]

FINISHED = "the next export, or `registry-exporter prune`, finishes that"
"""For messages: how an interrupted publication is finished."""


def check_free(destination: Destination, snapshot_id: str, *, replace: bool) -> None:
    """Refuse an id that is taken or invalid, before a run makes any call.

    Raises `SettingsError`; with `replace`, only for an invalid id.
    """
    check_snapshot_id(snapshot_id)
    if not replace and destination.size(manifest_path(snapshot_id)) is not None:
        raise SettingsError(
            f"Snapshot {snapshot_id} already exists in {destination.url}: use "
            f"{switch('replace')} to replace it as a whole, or another {option('snapshot_id')}."
        )


def publish(
    destination: Destination,
    manifest: Manifest,
    staged: Sequence[StagedFile],
    *,
    staging: Path,
    replace: bool = False,
    on_step: OnStep | None = None,
) -> Manifest:
    """Publish the staged files; return the manifest with its `tables` filled in.

    The caller has the output's lock. If `staging` has the plan of a run that was killed while it
    published, that plan is carried out, and `manifest` and `staged` are ignored. `on_step` is
    called with each step once it is done.

    Raises `SettingsError` if the snapshot exists and `replace` is false, `IncompleteError` if a
    partial snapshot would replace a complete one (which stays, and `latest.json` with it),
    `IntegrityError` if the staged files are not a whole snapshot, and `OutputError`.
    """
    tell = on_step or silent
    plan = read_plan(staging)
    if plan is None:
        check_free(destination, manifest.snapshot_id, replace=replace)
        _check_whole(staged)
        plan = make_plan(destination, manifest, staged, staging)
        write_plan(staging, plan)
        tell("planned")
    return _carry_out(destination, plan, staging, tell)


def planned(staging: Path) -> Manifest | None:
    """Return the manifest that a killed run was publishing from `staging`, None if there is none.

    Its files may have moved already, so the only thing to do with it is to `publish` it. Raises
    `IntegrityError` for a plan that cannot be read.
    """
    plan = read_plan(staging)
    return None if plan is None else plan.parsed()


def _carry_out(
    destination: Destination, plan: PublicationPlan, staging: Path, tell: OnStep
) -> Manifest:
    manifest, data = plan.parsed(), plan.manifest.encode()
    path = manifest_path(manifest.snapshot_id)
    digest = sha256(data)
    current = destination.read(path)
    found = None if current is None else sha256(current)
    if found not in (None, digest, plan.replaced_sha256):
        raise SettingsError(
            f"Snapshot {manifest.snapshot_id} already exists in {destination.url} and is not the "
            f"one that was there when publishing began: use another {option('snapshot_id')}."
        )
    if found != digest:
        for stray in _strays(destination, plan, manifest):
            destination.delete(stray)
            tell(f"removed {stray}")
        _move_all(destination, plan, manifest, staging, tell)
        sums = (digest,) if found is None else (found, digest)
        destination.write_atomically(f"{path}.sha256", sidecar(manifest.snapshot_id, *sums))
        tell("summed")
        destination.write_atomically(path, data)
        tell("published")
    _finish(destination, plan, manifest, digest, tell)
    return manifest


def _finish(
    destination: Destination, plan: PublicationPlan, manifest: Manifest, digest: str, tell: OnStep
) -> None:
    """Do the steps after the snapshot exists; an error says that it exists, and what is left."""
    is_named = False
    try:
        point_latest(destination)
        is_named = True
        tell("latest")
        if plan.replaced_sha256 is not None:
            sums = f"{manifest_path(manifest.snapshot_id)}.sha256"
            destination.write_atomically(sums, sidecar(manifest.snapshot_id, digest))
            tell("summed")
        for old in plan.replaced_files:
            destination.delete(old)
            tell(f"removed {old}")
    except OutputError as error:
        left = (
            "what it replaces is not all removed" if is_named else f"{LATEST} does not name it yet"
        )
        if not (is_named or manifest.is_sound):
            left = f"{LATEST} could not be checked"
        raise OutputError(
            f"Snapshot {manifest.snapshot_id} is published and {manifest.status}, only {left}: "
            f"{str(error).removesuffix('.')}; {FINISHED}."
        ) from error


def _strays(destination: Destination, plan: PublicationPlan, manifest: Manifest) -> list[str]:
    ours = {move.path for move in plan.moves} | set(plan.replaced_files)
    return [path for path in snapshot_files(destination, manifest.snapshot_id) if path not in ours]


def _move_all(
    destination: Destination, plan: PublicationPlan, manifest: Manifest, staging: Path, tell: OnStep
) -> None:
    wanted = {file.path: file for file in manifest.files}

    def move(source: Path, path: str) -> str:
        if source.exists():
            destination.move_in(source, path)
        else:
            # A killed run has moved it; it must still be the same file.
            size = destination.size(path)
            if size != wanted[path].bytes or hash_file(destination, path) != wanted[path].sha256:
                raise LostStagingError(
                    f"{destination.url}/{path} was moved there by a run that was then stopped, and "
                    f"is gone or changed since: start the snapshot over with {switch('fresh')}."
                )
        return path

    pool = ThreadPoolExecutor(destination.parallel)
    try:
        moves = [pool.submit(move, staging / one.source, one.path) for one in plan.moves]
        for moved in moves:
            tell(f"moved {moved.result()}")
    finally:
        pool.shutdown(cancel_futures=True)


def _check_whole(staged: Sequence[StagedFile]) -> None:
    rows: dict[str, dict[str, int]] = {name: {} for name in TABLES}
    for file in staged:
        counts = rows[file.table]
        counts[file.format] = counts.get(file.format, 0) + file.rows
    formats = {file.format for file in staged}
    for name, counts in rows.items():
        if not counts or set(counts) != formats:
            raise IntegrityError(f"Table {name} is not staged in every format; nothing published.")
        if len(set(counts.values())) > 1:
            raise IntegrityError(f"The formats of table {name} differ in rows; nothing published.")


def silent(_step: str) -> None:
    """Ignore the step."""

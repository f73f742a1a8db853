"""The plan of a publication: everything that is decided before the first file moves.

It is written to the staging folder and synced. So a run that is killed while it publishes can be
resumed, although some of its files have left the staging folder.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.errors import IncompleteError, IntegrityError, LostStagingError
from exporter.snapshots.catalog import reports, snapshot_files
from exporter.snapshots.layout import manifest_path, published_path
from exporter.snapshots.manifest import File, Manifest, sha256, table_entry
from exporter.snapshots.manifests import next_publication
from exporter.staging.layout import PLAN, StagedFile, part_name
from exporter.storage.destination import Destination
from exporter.storage.local import Folder
from exporter.storage.os_errors import output_errors
from exporter.tables.schemas import TABLES
from exporter.wording import option, switch

_HASHERS = 2
_CHUNK = 1 << 20


class Move(BaseModel):
    """One file's way: `source` below the staging folder, `path` below the destination."""

    model_config = ConfigDict(frozen=True)

    source: str
    path: str


class PublicationPlan(BaseModel):
    """The steps of a publication; `manifest` is the manifest's exact text.

    `replaced_sha256` is the SHA-256 of the manifest that is replaced, None if none is.
    `replaced_files` are removed once no manifest names them any more.
    """

    model_config = ConfigDict(frozen=True)

    manifest: str
    moves: list[Move]
    replaced_sha256: str | None
    replaced_files: list[str]

    def parsed(self) -> Manifest:
        """Return the manifest; raises `LostStagingError`."""
        try:
            return Manifest.parse(self.manifest.encode(), f"The manifest in {PLAN}")
        except IntegrityError as error:
            raise LostStagingError(
                f"{str(error).removesuffix('.')}: start the snapshot over with {switch('fresh')}."
            ) from None


def make_plan(
    destination: Destination, manifest: Manifest, staged: Sequence[StagedFile], staging: Path
) -> PublicationPlan:
    """Hash the staged files and decide their places; nothing is written.

    Raises `IncompleteError` if a snapshot that may not be the latest would replace one that may.
    The older one, and a `latest.json` that names it, are worth more than a newer fragment.
    """
    snapshot_id = manifest.snapshot_id
    current = destination.read(manifest_path(snapshot_id))
    if current is not None and not manifest.is_sound and _is_sound(current):
        flaw = "is partial" if manifest.status == "partial" else "misses what vanished meanwhile"
        raise IncompleteError(
            f"Snapshot {snapshot_id} is complete and the new result {flaw}, so it was not "
            "replaced: run again once the missing scopes answer, or use another "
            f"{option('snapshot_id')}."
        )
    replaced = [] if current is None else snapshot_files(destination, snapshot_id)
    numbers = _next_numbers(replaced)
    with ThreadPoolExecutor(_HASHERS) as pool:
        sums = list(pool.map(_hash_staged, staged))
    files: dict[str, list[File]] = {name: [] for name in TABLES}
    moves = []
    for one, (size, digest) in zip(staged, sums, strict=True):
        folder = published_path(snapshot_id, one.table, "", one.format)
        path = folder + part_name(numbers[folder], one.format)
        numbers[folder] += 1
        moves.append(Move(source=one.path.relative_to(staging).as_posix(), path=path))
        files[one.table].append(
            File(path=path, format=one.format, rows=one.rows, bytes=size, sha256=digest)
        )
    stated = {
        "tables": {name: table_entry(name, parts) for name, parts in files.items()},
        "publication": next_publication(destination),
    }
    whole = manifest.model_copy(update=stated)
    return PublicationPlan(
        manifest=whole.to_bytes().decode(),
        moves=moves,
        replaced_sha256=None if current is None else sha256(current),
        replaced_files=[*replaced, *reports(destination, snapshot_id)] if replaced else [],
    )


def write_plan(staging: Path, plan: PublicationPlan) -> None:
    """Write the plan to the staging folder, durably; raises `OutputError`."""
    data = orjson.dumps(plan.model_dump(), option=orjson.OPT_INDENT_2)
    Folder(staging).write_atomically(PLAN, data)


def read_plan(staging: Path) -> PublicationPlan | None:
    """Return the plan in a staging folder, None if there is none; raises `IntegrityError`."""
    data = Folder(staging).read(PLAN)
    if data is None:
        return None
    try:
        return PublicationPlan.model_validate_json(data)
    except ValidationError:
        raise LostStagingError(
            f"{staging / PLAN} is broken, so what was being published cannot be finished: start "
            f"the snapshot over with {switch('fresh')}."
        ) from None


def hash_file(destination: Destination, path: str) -> str:
    """Return the SHA-256 of a file of the destination, in hex; raises `OutputError`."""
    with destination.open_input(path) as file:
        return _digest(file)


def _hash_staged(staged: StagedFile) -> tuple[int, str]:
    with output_errors(f"read {staged.path}"), staged.path.open("rb") as file:
        digest = _digest(file)
        return file.tell(), digest


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _is_sound(data: bytes) -> bool:
    try:
        return Manifest.parse(data).is_sound
    except IntegrityError:
        return False


def _next_numbers(paths: Sequence[str]) -> defaultdict[str, int]:
    numbers: defaultdict[str, int] = defaultdict(int)
    for path in paths:
        folder, _, name = path.rpartition("/")
        found = re.match(r"part-(\d+)\.", name)
        if found:
            numbers[f"{folder}/"] = max(numbers[f"{folder}/"], int(found[1]) + 1)
    return numbers

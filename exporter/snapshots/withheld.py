"""A withheld result: listed and derived, but published only if a person decides so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.errors import IntegrityError
from exporter.snapshots.manifest import Manifest
from exporter.staging.layout import WITHHELD, Format, StagedFile
from exporter.storage.local import Folder
from exporter.wording import switch


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    table: str
    format: Format
    path: str
    rows: int


class _Withheld(BaseModel):
    model_config = ConfigDict(frozen=True)

    manifest: str
    files: list[_File]


def withhold(staging: Path, manifest: Manifest, staged: Sequence[StagedFile]) -> None:
    """Record a withheld result in the staging folder, durably; raises `OutputError`."""
    files = [
        _File(
            table=one.table,
            format=one.format,
            path=one.path.relative_to(staging).as_posix(),
            rows=one.rows,
        )
        for one in staged
    ]
    content = _Withheld(manifest=manifest.to_bytes().decode(), files=files).model_dump()
    Folder(staging).write_atomically(WITHHELD, orjson.dumps(content, option=orjson.OPT_INDENT_2))


def withheld(staging: Path) -> tuple[Manifest, list[StagedFile]] | None:
    """Return the manifest and the files of a withheld result, None if there is none.

    Raises `IntegrityError` if it cannot be read.
    """
    data = Folder(staging).read(WITHHELD)
    if data is None:
        return None
    try:
        content = _Withheld.model_validate_json(data)
    except ValidationError:
        raise IntegrityError(
            f"{staging / WITHHELD} is broken, so what it names cannot be published: list it again "
            f"with {switch('fresh')}."
        ) from None
    manifest = Manifest.parse(content.manifest.encode(), f"The manifest in {WITHHELD}")
    files = [
        StagedFile(one.table, one.format, staging / one.path, one.rows) for one in content.files
    ]
    return manifest, files

"""Many snapshots made from one, by copies: publishing each would take a test's time."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

from exporter.snapshots.layout import manifest_path
from exporter.snapshots.manifest import Manifest, rfc3339


def repeat(output: Path, snapshot_id: str, count: int) -> list[str]:
    """Copy a published snapshot to `count` later nights, and return their ids in order."""
    text = (output / manifest_path(snapshot_id)).read_text("utf-8")
    first = Manifest.parse(text.encode())
    ids = []
    for night in range(1, count + 1):
        name = f"{snapshot_id}-{night:03}"
        copied = json.loads(text.replace(f"={snapshot_id}/", f"={name}/"))
        copied["snapshot_id"] = name
        copied["publication"] = first.publication + night
        for time in ("started_at", "finished_at"):
            copied[time] = rfc3339(getattr(first, time) + timedelta(days=night))
        for file in first.files:
            target = output / file.path.replace(f"={snapshot_id}/", f"={name}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(output / file.path, target)
        (output / manifest_path(name)).write_text(json.dumps(copied), "utf-8")
        ids.append(name)
    return ids

"""The program's own folder among the user's caches."""

from __future__ import annotations

import os
from pathlib import Path


def own_cache() -> Path | None:
    """Return the folder, which need not exist; None for a user without a home folder."""
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        caches = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:
        return None
    return caches / "registry-exporter"

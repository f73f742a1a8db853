"""The lock of this machine for a warehouse that has none of its own: a file in the cache folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from exporter.staging.workspace import cache_folder
from exporter.storage.durable import make_folder


def lock_folder(identity: str) -> Path:
    """Return the folder whose lock stands for a warehouse; `identity` is what names the warehouse.

    Raises `SettingsError` and `OSError`.
    """
    own = hashlib.sha256(os.fsencode(identity)).hexdigest()[:16]
    folder = cache_folder() / "registry-exporter" / "loads" / own
    make_folder(folder, mode=0o700)
    return folder

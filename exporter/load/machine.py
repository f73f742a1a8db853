"""The lock of this machine for a warehouse that has none of its own: a file in the cache folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from exporter.errors import SettingsError
from exporter.storage.durable import make_folder
from exporter.storage.own_cache import own_cache


def lock_folder(identity: str) -> Path:
    """Return the folder whose lock stands for a warehouse; `identity` is what names the warehouse.

    Raises `SettingsError` and `OSError`.
    """
    own = hashlib.sha256(os.fsencode(identity)).hexdigest()[:16]
    cache = own_cache()
    if cache is None:
        raise SettingsError(
            "There is no place for the lock of this load, for this user has no home folder: set "
            "XDG_CACHE_HOME or HOME."
        )
    folder = cache / "loads" / own
    make_folder(folder, mode=0o700)
    return folder

"""What survives a power loss: a file once it is synced, its name once its folder is."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def fsync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a power loss; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o755) -> None:
    """Make a folder and its parents durably, each with this mode or less; raises `OSError`."""
    # `mkdir(parents=True)` would give parents the default mode, which others may write to under a
    # lax umask.
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=mode, exist_ok=True)
        fsync(one.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(folder))

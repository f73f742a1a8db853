"""Durable writes: a file survives a power loss once it is synced, its name once its folder is.

Shares (sshfs, CIFS, Azure Files) do not support everything that a disk does. "Not supported" is
ignored there, because nothing better is possible. A disk's error is an error everywhere.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

_UNKNOWN = frozenset(
    {errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY}
)
"""Errors that mean "not supported"; EIO and ENOSPC never do."""
_UNCHANGEABLE = _UNKNOWN | {errno.EPERM, errno.EACCES, errno.EROFS}
_TAKEN = frozenset({errno.EEXIST, errno.EPERM, errno.EACCES, errno.ENOTEMPTY})


def fsync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a power loss; raises `OSError`."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        if is_folder and error.errno in _UNKNOWN | {errno.EISDIR}:
            return  # A share whose folders cannot be opened.
        raise
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    """Make what was written to an open file or folder survive a power loss; raises `OSError`."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise


def restrict(path: Path, mode: int) -> None:
    """Restrict the mode of a file or a folder, if its file system has modes; raises `OSError`."""
    try:
        path.chmod(mode)
    except OSError as error:
        if error.errno not in _UNCHANGEABLE:
            raise


def replace(source: Path, target: Path) -> None:
    """Move a file, and replace the one at its new path if there is one; raises `OSError`.

    Some shares cannot replace a file by a move. There it is removed first, and missing for a
    moment.
    """
    try:
        source.replace(target)
    except OSError as error:
        if error.errno not in _TAKEN or not target.is_file():
            raise
        try:
            target.unlink()
        except OSError:
            raise error from None
        source.replace(target)


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

"""What survives a power loss: a file once it is synced, its name once its folder is.

Shares (sshfs, CIFS, Azure Files) know less than a disk does: what they answer that they do not know
is let pass, for nothing better is to be had there. What a disk reports is an error everywhere.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

_UNKNOWN = frozenset(
    {errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY}
)
"""What file systems answer that do not know what they are asked for; EIO and ENOSPC never."""
_UNCHANGEABLE = _UNKNOWN | {errno.EPERM, errno.EACCES, errno.EROFS}
_TAKEN = frozenset({errno.EEXIST, errno.EPERM, errno.EACCES, errno.ENOTEMPTY})


def fsync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a power loss; raises `OSError`."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        if is_folder and error.errno in _UNKNOWN | {errno.EISDIR}:
            return  # A share whose folders cannot even be opened.
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
    """Take rights from a file or a folder, where its file system knows rights; raises `OSError`."""
    try:
        path.chmod(mode)
    except OSError as error:
        if error.errno not in _UNCHANGEABLE:
            raise


def replace(source: Path, target: Path) -> None:
    """Move a file over another, which may be there; raises `OSError`.

    Some shares move nothing over a file: it is removed before, and is missing for an instant.
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

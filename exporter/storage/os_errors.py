"""Messages for errors of the operating system: one sentence that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.errors import OutputError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "the file would be larger than this process or file system allows",
    errno.EACCES: "permission is denied; give this user access or name another {setting}",
    errno.EPERM: "permission is denied; give this user access or name another {setting}",
    errno.EROFS: "the file system is read-only; mount it for writing or name another {setting}",
    errno.ENOTDIR: "a file stands where a folder is needed; move it or name another {setting}",
    errno.EEXIST: "a file stands where a folder is needed; move it or name another {setting}",
    errno.EIO: "the disk reports an input/output error; check it before running again",
}


@contextmanager
def output_errors(doing: str) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError` that says what failed, and what to do.

    `doing` completes "Cannot …". PyArrow's file systems raise `OSError` too, mostly without an
    error number and with their own text.
    """
    try:
        yield
    except OSError as error:
        text = " ".join(str(error.strerror or error).split())
        reason = (
            known(error, "output.url") or f"{text}; check that the place exists and may be used"
        )
        raise OutputError(f"Cannot {doing}: {reason}.") from error


def is_full(error: OutputError) -> bool:
    """Return whether an error means that no space, or no quota, is left."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def known(error: OSError, setting: str) -> str:
    """Return the reason of an error, and what to do, as a clause; empty if unknown.

    `setting` names the setting that can point to another place.
    """
    return _ADVICE.get(error.errno or 0, "").format(setting=setting)

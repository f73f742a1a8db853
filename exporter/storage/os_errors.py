"""What the operating system refuses, in words: one sentence that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.errors import OutputError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "the file would be larger than this process or file system allows",
    errno.EACCES: "permission is denied; give this user access or name another output.url",
    errno.EPERM: "permission is denied; give this user access or name another output.url",
    errno.EROFS: "the file system is read-only; mount it for writing or name another output.url",
    errno.ENOTDIR: "a file stands where a folder is needed; move it or name another output.url",
    errno.EEXIST: "a file stands where a folder is needed; move it or name another output.url",
    errno.EIO: "the disk reports an input/output error; check it before running again",
}


@contextmanager
def output_errors(doing: str) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError` that says what could not be done, and what to do.

    `doing` completes "Cannot …". PyArrow's file systems raise `OSError` as well, mostly
    without an error number and with a text of their own.
    """
    try:
        yield
    except OSError as error:
        known = _ADVICE.get(error.errno or 0)
        text = " ".join(str(error.strerror or error).split())
        raise OutputError(
            f"Cannot {doing}: {known or text + '; check that the place exists and may be used'}."
        ) from error

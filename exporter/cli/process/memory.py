"""How this process handles memory: fewer searches for garbage, and freed memory given back."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # From glibc's malloc.h.
_ARENAS = 2
_KEPT_FREE = 16 * 1024 * 1024
_LARGE_BLOCK = 8 * 1024 * 1024


def tune_memory() -> None:
    """Set up Python's collector, PyArrow's allocator and, where it is glibc, the C library.

    Call it before PyArrow is imported.
    """
    # Hardly anything here is garbage that only a collection finds, and looking for it as often as
    # Python does by default takes a tenth of a short run's time.
    gc.set_threshold(100_000, 20, 100)
    # PyArrow's own allocators keep freed memory: some 90 MB more at an export's peak.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    _limit_arenas()


@contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage while a block imports, and never again among all that is there by then.

    Modules stay to the end of the process, and to look through those of a command once takes a
    sixteenth of the time that it needs to start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _limit_arenas() -> None:
    """Have glibc give back freed memory, but not at once.

    By default each thread has an arena of its own, which keeps memory that others could use, and
    takes ever larger blocks from it: some 100 MB more at the peak of a fast export. With a single
    arena, the threads wait for each other, which takes a fifteenth of the processor's time. With
    blocks of a megabyte given back at once, getting them again takes a tenth of it.
    """
    with suppress(OSError, AttributeError):
        glibc = ctypes.CDLL(None)
        glibc.mallopt(_M_ARENA_MAX, _ARENAS)
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        glibc.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)

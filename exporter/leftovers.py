"""Files and folders for a while: a process that leaves at once removes them first."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_paths: set[Path] = set()


@contextmanager
def removed_at_once(path: Path) -> Iterator[None]:
    """Have `remove_leftovers` remove a file or a folder if it is called during the block."""
    _paths.add(path)
    try:
        yield
    finally:
        _paths.discard(path)


def remove_leftovers() -> None:
    """Remove what the blocks that are under way would remove; errors are ignored."""
    for path in tuple(_paths):
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.unlink(missing_ok=True)

"""How a command that only reads snapshots ends where they cannot be read: with exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from exporter.errors import ExporterError, OutputError


@contextmanager
def reading() -> Iterator[None]:
    """Raise `OutputError` of the block, whose exit code tells of writing, as `ExporterError`."""
    try:
        yield
    except OutputError as error:
        raise ExporterError(str(error)) from error

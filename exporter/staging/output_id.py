"""The id of a local output: two containers may have different volumes at one path.

An id in the output tells the two outputs apart, so they never share a staging folder.
"""

from __future__ import annotations

import uuid

from exporter.storage.local import Folder

_PATH = ".staging/output-id"


def output_id(output: Folder) -> bytes:
    """Return the id of an output, empty if it has none yet; raises `OutputError`."""
    return output.read(_PATH) or b""


def give_id(output: Folder) -> None:
    """Give an output an id if it has none; the caller holds its lock. Raises `OutputError`."""
    if not output_id(output):
        output.write_atomically(_PATH, uuid.uuid4().hex.encode())

"""A reader beside the runs: at every moment `latest.json` must name a whole snapshot."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PAUSE = 0.01


class Reader:
    """Reads the latest snapshot again and again within its `with` block.

    `complaints` are the problems that it found, `read` the number of whole snapshots that it found.
    """

    def __init__(self, output: Path) -> None:
        self.complaints: list[str] = []
        self.read = 0
        self._output = output
        self._latest = output / "manifests" / "latest.json"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_PAUSE):
            text = self._text()
            if text is None:
                continue
            complaint = self._broken(json.loads(text))
            # A replaced or pruned snapshot is removed only once `latest.json` names another.
            if complaint and self._text() == text:
                self.complaints.append(complaint)
            self.read += not complaint

    def _text(self) -> str | None:
        try:
            return self._latest.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _broken(self, manifest: dict[str, Any]) -> str:
        if manifest["status"] != "complete":
            return f"latest.json names a snapshot that is {manifest['status']}"
        for file in (file for table in manifest["tables"].values() for file in table["files"]):
            try:
                content = (self._output / file["path"]).read_bytes()
            except FileNotFoundError:
                return f"latest.json names {file['path']}, which is missing"
            if hashlib.sha256(content).hexdigest() != file["sha256"]:
                return f"latest.json names {file['path']}, which is another file"
        return ""

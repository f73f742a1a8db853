"""The exporter with each call timed, and with a fixed number of calls at once if one is named.

`python -m benchmark.oci.watched LEVEL PATH ARGUMENT …`: with LEVEL 0 the limiter is as it is. The
times are written to PATH. It replaces parts of the exporter, so it must be the same version.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NoReturn

from exporter.__main__ import main
from exporter.http import limiter
from exporter.http.transport import Transport

_KINDS = {"/manifests/": "manifests", "/blobs/": "blobs"}


class _Fixed:
    """A level that no answer changes (`queueing.QueueWatch`)."""

    def __init__(self, level: int) -> None:
        self.level = level

    def uses(self, _now: float, _under_way: int) -> None:
        """Learn nothing."""

    def answered(self, _seconds: float, _level: int) -> None:
        """Learn nothing."""

    def begin_anew(self) -> None:
        """Forget nothing."""


def watch(level: int, path: Path) -> None:
    """Time the calls of this process, and write the times once it ends."""
    if level:
        limiter.QueueWatch = lambda most, *_: _Fixed(min(level, most))  # type: ignore[assignment,misc]
    times: dict[str, list[float]] = defaultdict(list)
    moments: list[float] = []
    send, leave = Transport.send, os._exit

    async def timed(self: Transport, url: str, **options: Any) -> Any:
        began = time.perf_counter()
        reply = await send(self, url, **options)
        ended = time.perf_counter()
        moments.extend((began, ended))
        kind = next((kind for part, kind in _KINDS.items() if part in url), "lists")
        times[kind].append(ended - began)
        return reply

    def write_and_leave(code: int) -> NoReturn:
        content = {"listing": max(moments) - min(moments), "times": times}
        path.write_text(json.dumps(content), encoding="utf-8")
        leave(code)

    Transport.send = timed  # type: ignore[method-assign,assignment]
    os._exit = write_and_leave  # type: ignore[assignment]


if __name__ == "__main__":
    watch(int(sys.argv[1]), Path(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()

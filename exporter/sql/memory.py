"""The memory that this process may use: the machine's, or less if a control group limits it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_LIMITS = ("memory.max", "memory.high", "memory.limit_in_bytes")
"""The files of cgroup v2 (the hard limit, and the one that slows a process down), and of v1."""
MOST_FOR_READERS = 1_000_000_000
"""The most bytes for DuckDB's buffers while it reads a published snapshot."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def usable_memory(system: Path = Path("/")) -> int:
    """Return how many bytes of memory this process may use at most.

    This is the least of the machine's memory and the limits of all control groups (cgroup v1 or v2)
    around the process: a group's limit also applies to the groups inside it. Docker, Kubernetes and
    systemd (`MemoryMax`) use them. `system` is the folder with /proc and /sys.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_group_limits(system)])


def limit_for_readers(most: int = MOST_FOR_READERS) -> str:
    """Return DuckDB's `memory_limit` for work on a published snapshot: beyond it, DuckDB spills.

    `most` is in bytes; less is taken where less may be used.
    """
    return f"{min(most, usable_memory() // 2)}B"


def _group_limits(system: Path) -> Iterator[int]:
    for group in _groups(system):
        for name in _LIMITS:
            # A group without a limit says "max", or has no such file.
            with suppress(OSError, ValueError):
                yield int((group / name).read_text(encoding="ascii"))


def _groups(system: Path) -> Iterator[Path]:
    """Yield the folders of the control groups that may limit memory, from the inside outwards."""
    paths = _own_paths(system)
    for root, mounted, controllers in _mounts(system):
        path = next((paths[name] for name in controllers if name in paths), None)
        if path is None:
            continue
        # A container may see only its own group, at the top of the mount.
        inside = PurePosixPath(path)
        inside = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
        for part in (inside, *inside.parents):
            yield system / mounted.lstrip("/") / part


def _own_paths(system: Path) -> dict[str, str]:
    """Return the path of this process's control group by controller; v2's is called ``""``."""
    paths = {}
    for line in _lines(system / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        paths.update({name: path.lstrip("/") for name in controllers.split(",")})
    return paths


def _mounts(system: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield each mounted hierarchy: the group at its top, its folder and its controllers.

    The format is that of proc(5), /proc/pid/mountinfo.
    """
    for line in _lines(system / "proc/self/mountinfo"):
        mount, _, source = line.partition(" - ")
        kind, *_, options = source.split()
        root, mounted = (_unescaped(part) for part in mount.split()[3:5])
        if kind == "cgroup2":
            yield root.lstrip("/"), mounted, ("",)
        elif kind == "cgroup" and "memory" in options.split(","):
            yield root.lstrip("/"), mounted, ("memory",)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []  # Not Linux, or hidden: only the machine's memory is known.


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)

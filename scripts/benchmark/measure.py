"""One process from its start to its end, measured from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """The cost of one process.

    Attributes:
        seconds: Wall time from its start to its end.
        user: CPU seconds in its own code, with the processes that it started and waited for.
        system: CPU seconds in the kernel, likewise.
        peak_bytes: Resident memory at its highest. Of several processes it is the largest one's,
            not their sum, which is to the advantage of a contender that starts workers.
        exit_code: 0 if all went well, negative for a signal.

    """

    seconds: float
    user: float
    system: float
    peak_bytes: int
    exit_code: int


def measure(command: list[str], log: Path, environment: Mapping[str, str]) -> Measured:
    """Run a command to its end with its output in `log`; return its cost.

    The kernel counts a new process's memory from that of its parent, so the calling process must
    be small: it imports nothing large.
    """
    with log.open("wb") as output:
        redirected = [(os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)]
        started = time.perf_counter()
        pid = os.posix_spawn(command[0], command, environment, file_actions=redirected)
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - started
    return Measured(
        seconds=seconds,
        user=usage.ru_utime,
        system=usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,
        exit_code=os.waitstatus_to_exitcode(status),
    )


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """Keep so many cores busy during the block, each with a process that only counts."""
    command = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()

"""Commands that are forked from a process that has loaded already what they load.

Loading takes two thirds of a short command's time, and the tests end to end run hundreds. Here each
command still is a process of its own, with the arguments, environment, folder and streams that it
is given, and begins with the program's `main`. Only the loading is done once, in `forking`. What
depends on how Python itself starts is not for this: see `suits`.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_READ_AT_START = ("ARROW_", "COVERAGE_", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON")


def suits(environment: Mapping[str, str]) -> bool:
    """Say whether nothing in a command's environment is read before its `main`."""
    return not any(name.startswith(_READ_AT_START) for name in environment)


class Forked:
    """A command that was forked: what `subprocess.Popen` is to one that was started."""

    def __init__(self, warm: Warm, pid: int) -> None:
        self.pid = pid
        self._warm = warm
        self._ended = os.pidfd_open(pid)
        self._code: int | None = None

    def send_signal(self, number: int) -> None:
        """Send a signal; a process that has ended already hears nothing."""
        # The number is no other process's before the exit code was asked for.
        if self._code is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(9)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal; raises `TimeoutExpired`."""
        if self._code is None:
            poll = select.poll()
            poll.register(self._ended, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("exporter", timeout or 0)
            os.close(self._ended)
            self._code = self._warm.ask({"ended": self.pid})
        return self._code


class Warm:
    """The process that forks."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forking.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # As little as a command is given: its locale, and so its encoding, is the same.
            env={"PATH": os.environ.get("PATH", "")},
        )
        atexit.register(self.end)

    def end(self) -> None:
        """Let it end, and wait for that."""
        with self._process:
            pass

    def start(
        self,
        arguments: list[str],
        streams: tuple[Path, Path],
        environment: Mapping[str, str],
        folder: Path,
        before: str,
    ) -> Forked:
        """Begin a command; its stdout and stderr go to two files that exist.

        `before` is Python that its process runs first.
        """
        wish = {
            "arguments": arguments,
            "streams": [os.devnull, *map(str, streams)],
            "environment": dict(environment),
            "folder": str(folder),
            "before": before,
        }
        return Forked(self, self.ask(wish))

    def ask(self, wish: Mapping[str, Any]) -> int:
        """Have one thing done, and return the number that it is answered with."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        with self._turn:
            stdin.write(json.dumps(wish).encode() + b"\n")
            stdin.flush()
            return int(stdout.readline())


@cache
def warm() -> Warm:
    """Return this process's one, begun at the first command; it ends when this process does."""
    return Warm()

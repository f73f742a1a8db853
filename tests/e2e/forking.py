"""Run as a program: loads what commands load, then forks into a command for each line of stdin.

A line is JSON: what `warm.Warm` wishes. To each it answers a line with a number: the process id of
a command that was begun, or the exit code of one that has ended.
"""

# ruff: noqa: E402 - what happens to be installed stays outside, as in the command
from __future__ import annotations

import os

from exporter.cli.process.optional_packages import block_optional_packages

# As `main` does, before anything else is loaded.
block_optional_packages()
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

import gc
import json
import sys
import time
from contextlib import suppress

import pyarrow.dataset  # noqa: F401 - read by what derives and verifies

import exporter.__main__
import exporter.cli.config
import exporter.cli.export
import exporter.cli.list
import exporter.cli.plan
import exporter.cli.process.loading
import exporter.cli.process.metrics
import exporter.cli.prune
import exporter.cli.terminal.screen
import exporter.cli.verify
import exporter.load.duckdb
import exporter.settings.document
import exporter.sources.cloud.plan
import exporter.sources.oci.survey
from exporter.cli.app import main
from exporter.cli.process.signals import end_at_signals

with suppress(ModuleNotFoundError):  # Older ones do without.
    import typer._adapters  # noqa: F401 - read by every command that has arguments
with suppress(ModuleNotFoundError):  # Other versions are tested without the extras.
    import exporter.load.postgresql


def serve() -> None:
    """Fork and reap until stdin ends."""
    while line := sys.stdin.buffer.readline():
        wish = json.loads(line)
        if "ended" in wish:
            answer = os.waitstatus_to_exitcode(os.waitpid(wish["ended"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                become(**wish)
                main()
        os.write(1, b"%d\n" % answer)


def become(
    arguments: list[str],
    streams: list[str],
    environment: dict[str, str],
    folder: str,
    before: str,
) -> None:
    """Make this process what the command finds itself in when it is started."""
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = [str(exporter.__main__.__file__), *arguments]
    sys.path[0] = folder
    if before:
        end_at_signals()  # As in the command itself, which does nothing else before.
        exec(before, {})


if __name__ == "__main__":
    sys.meta_path.pop(0)
    gc.freeze()
    serve()
    os._exit(0)

"""The command as people run it: a process of its own, an empty home, a settings file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter import Settings, export
from tests.e2e.clouds import Cloud
from tests.e2e.warm import Forked, suits, warm
from tests.oracle.snapshots import (
    FORMATS,
    Snapshot,
    latest_id,
    read_only_snapshot,
    read_snapshot,
    snapshot_ids,
)
from tests.policies import EARLY, as_python

Sections = Mapping[str, Any]
"""Settings as the file nests them."""

BOTH: Sections = {"output": {"formats": [*FORMATS]}}
"""Settings of an export in both formats."""
LIMIT = 300
"""Seconds after which a command that does not end is a failure; it takes one or two."""


@dataclass(frozen=True)
class Run:
    """One run of the command that has ended, and where its snapshot would be."""

    code: int
    stdout: str
    stderr: str
    output: Path

    def snapshot(self, formats: tuple[str, ...] = FORMATS) -> Snapshot:
        """Read the one snapshot at the destination, checked through and through."""
        return read_only_snapshot(self.output, formats)

    @property
    def published(self) -> list[str]:
        """The ids of the snapshots at the destination."""
        return snapshot_ids(self.output)

    @property
    def latest(self) -> str | None:
        """The id of the newest complete snapshot at the destination."""
        return latest_id(self.output)

    @property
    def said(self) -> str:
        """What stderr says in sentences: lines of text, and messages of events in JSON."""
        return "\n".join(said for line in self.stderr.splitlines() for said in _sentences(line))

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log's lines of JSON."""
        return [json.loads(line) for line in self.stderr.splitlines() if _is_event(line)]


class Process:
    """A run of the command that is under way."""

    def has_logged(self, event: str) -> bool:
        """Say whether an event is in its log by now."""
        return f'"event":"{event}"' in self._exporter.said_so_far(self._name)

    def __init__(
        self, exporter: Exporter, process: subprocess.Popen[bytes] | Forked, name: str
    ) -> None:
        self._exporter, self._process, self._name = exporter, process, name

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal; one that has ended already hears nothing."""
        self._process.send_signal(number)

    def wait(self, seconds: float = LIMIT) -> Run:
        """Return the run once it has ended; raises `TimeoutExpired` and kills it before that."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        return self._exporter.read_run(code, self._name)


class Exporter:
    """Runs the command in a folder of its own.

    Attributes:
        folder: Holds the settings file, the empty home and, by default, the output.
        output: Where snapshots go, unless the settings name another place.
        environment: All that the command's environment holds.
        cold: Whether each command is begun with a Python of its own, which takes twice as long.
    """

    def __init__(self, folder: Path, cloud: Cloud | None = None, *, cold: bool = False) -> None:
        self.cold = cold
        self.folder = folder
        self.output = folder / "snapshots"
        self.home = folder / "home"
        self.home.mkdir()
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.environ.get("PATH", ""),
            "REGISTRY_IAM_TOKEN": Cloud.token,
            # Coverage of the command itself is measured through these, where it is measured.
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        }
        self._cloud = cloud
        self._runs = 0

    def for_cloud(self, cloud: Cloud) -> Exporter:
        """Return the command for another cloud, with the same folder and output."""
        other = copy(self)
        other._cloud = cloud
        return other

    def settings(self, sections: Sections | None = None) -> dict[str, Any]:
        """Return settings for the cloud in use, with some sections put over them."""
        told: dict[str, Any] = {
            "credentials": {"iam_token": "${REGISTRY_IAM_TOKEN}"},
            "limits": {"concurrency": 8, "page_size": 20, "outage": "30s"},
            "output": {"url": str(self.output)},
        }
        if self._cloud:
            services = ("container_registry", "resource_manager", "iam")
            told["endpoints"] = dict.fromkeys(services, self._cloud.url)
        return _merge(told, sections or {})

    def write_config(self, sections: Sections | None = None) -> Path:
        """Write the settings file and return where it is."""
        path = self.folder / "settings.yaml"
        path.write_text(yaml.safe_dump(self.settings(sections)), encoding="utf-8")
        return path

    def export(self, sections: Sections | None = None, **wishes: Any) -> Snapshot:
        """Run the library's `export` in this very process; read and check what it published.

        Takes a third of the command's time, so that the many runs in which only the rows
        matter can be many; and writes Parquet alone, unless the sections say otherwise. Raises
        what `export` raises.
        """
        own = {"credentials": {"iam_token": Cloud.token}, "output": {"formats": ["parquet"]}}
        told = _merge(self.settings(own), sections or {})
        manifest = asyncio.run(export(Settings(**told), **wishes))
        return read_snapshot(self.output, manifest.snapshot_id, tuple(told["output"]["formats"]))

    def run(self, *flags: str, sections: Sections | None = None) -> Run:
        """Run `export` with the settings and some flags, to its end."""
        return self.start(*flags, sections=sections).wait()

    def start(
        self, *flags: str, sections: Sections | None = None, split_early: bool = False
    ) -> Process:
        """Begin `export` with the settings and some flags."""
        config = str(self.write_config(sections))
        return self.start_command(
            *("export", "--config", config, "--log-format", "json", *flags),
            before=as_python(EARLY) if split_early else "",
        )

    def run_with_small_disk(self, bytes_per_file: int, *flags: str) -> Run:
        """Run `export` where no file can grow beyond so many bytes, as on a disk that is full."""
        limit = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes_per_file},) * 2)"
        )
        config = str(self.write_config())
        flags = ("--config", config, "--log-format", "json", *flags)
        limited = copy(self)
        # Neither coverage's data nor bytecode would fit: both are left out of such a process.
        limited.environment = {
            name: value
            for name, value in self.environment.items()
            if not name.startswith("COVERAGE_")
        } | {"PYTHONDONTWRITEBYTECODE": "1"}
        run = limited.start_command("export", *flags, before=limit).wait()
        self._runs = limited._runs
        return run

    def command(self, *arguments: str) -> Run:
        """Run any command to its end."""
        return self.start_command(*arguments).wait()

    def start_command(self, *arguments: str, before: str = "") -> Process:
        """Begin any command; `before` is Python that its process runs first."""
        self._runs += 1
        name = f"run-{self._runs}"
        # The handlers first, as in the command itself: `before` may import what takes long.
        launch = "from exporter.cli.process.signals import end_at_signals; end_at_signals()\n"
        launch += f"import sys; sys.argv[0] = 'registry-exporter'; {before}\n"
        launch += "import runpy; runpy.run_module('exporter', run_name='__main__', alter_sys=True)"
        line = [sys.executable, "-c", launch] if before else [sys.executable, "-m", "exporter"]
        streams = self._stream(name, "stdout"), self._stream(name, "stderr")
        with streams[0].open("wb") as stdout, streams[1].open("wb") as stderr:
            if not self.cold and suits(self.environment):
                warmed = warm().start([*arguments], streams, self.environment, self.folder, before)
                return Process(self, warmed, name)
            process = subprocess.Popen(
                [*line, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=self.environment,
                cwd=self.folder,
            )
        return Process(self, process, name)

    def read(self) -> Run:
        """Return what lies at the destination, whichever run put it there."""
        return Run(0, "", "", self.output)

    def read_run(self, code: int, name: str) -> Run:
        """Return a run that has ended with this code; `name` says which."""
        stdout, stderr = (
            self._stream(name, each).read_text("utf-8") for each in ("stdout", "stderr")
        )
        return Run(code, stdout, stderr, self.output)

    def said_so_far(self, name: str) -> str:
        """Return what a run has written to stderr by now; `name` says which."""
        return self._stream(name, "stderr").read_text("utf-8")

    def _stream(self, name: str, kind: str) -> Path:
        return self.folder / f"{name}.{kind}"


def _sentences(line: str) -> list[str]:
    if not _is_event(line):
        return [line]
    message = json.loads(line).get("message", "")
    return [f"registry-exporter: {sentence}" for sentence in message.splitlines()]


def _is_event(line: str) -> bool:
    return line.startswith("{")


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = _merge(under, value) if both and under is not None else value
    return merged

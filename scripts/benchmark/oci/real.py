"""Debian's docker-registry, run on a made-up registry in a folder of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.oci.estate import Repository
from benchmark.oci.filled import fill

_STARTING = 30.0


@contextmanager
def docker_registry(repositories: Iterable[Repository]) -> Iterator[str]:
    """Serve repositories on a loopback address, and return it as `host:port`."""
    if shutil.which("docker-registry") is None:
        raise FileNotFoundError("install Debian's package docker-registry first")
    folder = Path(tempfile.mkdtemp(prefix="registry-bench-"))
    try:
        fill(folder / "data", repositories)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{probe.getsockname()[1]}"
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": host, "secret": "of the benchmark"},
        }
        (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        command = ["docker-registry", "serve", str(folder / "config.yml")]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                _await(host, process)
                yield host
            finally:
                process.terminate()
    finally:
        shutil.rmtree(folder)


def _await(host: str, process: subprocess.Popen[bytes]) -> None:
    name, _, port = host.partition(":")
    until = time.monotonic() + _STARTING
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((name, int(port))) == 0:
                return
        time.sleep(0.05)
    raise ChildProcessError("docker-registry does not start")

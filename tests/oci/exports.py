"""Exports of registries by the real command, with settings in a file and a cache of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.commands import LIMIT, Run

ROOT = Path(__file__).parents[2]


def command(
    folder: Path,
    registry: Mapping[str, Any],
    *,
    oci: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[list[str], dict[str, str], Path]:
    """Return a command line, its environment and its output."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "out"
    content = {
        "source": "oci",
        "oci": {"cache": str(folder / "cache"), "registries": [dict(registry)], **(oci or {})},
        "output": {"url": str(output)},
        **(settings or {}),
    }
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(content))
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("REGISTRY_", "DOCKER_", "XDG_"))
    }
    environment["HOME"] = str(folder)
    line = [sys.executable, "-m", "exporter", "export", "--config", str(file)]
    return [*line, "--log-format", "json"], environment, output


def export(
    folder: Path,
    registry: Mapping[str, Any],
    *,
    oci: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    flags: tuple[str, ...] = (),
) -> Run:
    """Run an export to its end."""
    line, environment, output = command(folder, registry, oci=oci, settings=settings)
    done = subprocess.run(
        [*line, *flags],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr, output)

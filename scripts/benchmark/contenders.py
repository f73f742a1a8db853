"""The contenders: how each program is started, and where it leaves its rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.emulated import Cloud
from benchmark.scenarios import Scenario

Command = Callable[[Cloud, Scenario, Path], list[str]]


@dataclass(frozen=True)
class Contender:
    """One program that lists the whole estate.

    Attributes:
        name: Its name on the command line and in the tables.
        about: A description in a few words.
        command: Makes its command line for a cloud, a scenario and an empty folder of its own.
        images: The path of its image rows below that folder.
        layers: The path of its layer rows.
        id_column: The column of `images` with the image's id.
        pages: Contenders with the same text here ask for the same pages, so that one untimed
            run of any of them fills the emulator's page cache for all.

    """

    name: str
    about: str
    command: Command
    images: str
    layers: str
    id_column: str
    pages: str


def _exporter(*formats: str, split: bool = True) -> Command:
    def command(cloud: Cloud, scenario: Scenario, folder: Path) -> list[str]:
        services = ("container_registry", "resource_manager", "iam")
        settings = {
            "endpoints": dict.fromkeys(services, cloud.url),
            "credentials": {"iam_token": cloud.token},
            "limits": {
                "concurrency": scenario.slots,
                "page_size": scenario.page_size,
                "split_listings": split,
            },
            "output": {"url": str(folder / "snapshots"), "formats": list(formats)},
        }
        config = folder / "settings.yaml"
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        program = [sys.executable, "-m", "exporter", "export"]
        return [*program, "--config", str(config), "--log-format", "json"]

    return command


def _rival(module: str) -> Command:
    def command(cloud: Cloud, scenario: Scenario, folder: Path) -> list[str]:
        told = {
            "--url": cloud.url,
            "--token": cloud.token,
            "--output": str(folder / "output"),
            "--slots": str(scenario.slots),
            "--page-size": str(scenario.page_size),
        }
        arguments = [part for pair in told.items() for part in pair]
        return [sys.executable, "-m", f"benchmark.rivals.{module}", *arguments]

    return command


_SNAPSHOT = ("snapshots/parquet/images", "snapshots/parquet/layers", "image_id")
_TWO_FILES = ("output/images.parquet", "output/layers.parquet", "image_id")
_BUCKET = ("output/bucket/registry/images", "output/bucket/registry/images__layers", "id")

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(
            "floor",
            "only fetches, parses, writes two tables",
            _rival("floor"),
            *_TWO_FILES,
            pages="page after page",
        ),
        Contender(
            "exporter", "all tables, Parquet", _exporter("parquet"), *_SNAPSHOT, pages="exporter"
        ),
        Contender(
            "exporter+ndjson",
            "all tables, Parquet and NDJSON",
            _exporter("parquet", "ndjson"),
            *_SNAPSHOT,
            pages="exporter",
        ),
        Contender(
            "exporter-unsplit",
            "all tables, Parquet, listings never split",
            _exporter("parquet", split=False),
            *_SNAPSHOT,
            pages="exporter-unsplit",
        ),
        Contender(
            "dlt",
            "REST API source, parallelized",
            _rival("dlt_pipeline"),
            *_BUCKET,
            "page after page",
        ),
        Contender(
            "sequential",
            "requests and PyArrow",
            _rival("sequential"),
            *_TWO_FILES,
            "page after page",
        ),
    )
}
"""The contenders by name, in the order of their runs. Of those that ask for the same pages, the
first one fills the emulator's page cache at the least cost."""

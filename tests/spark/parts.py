"""A scope listed in parts, one after the other in the test's own process, as Spark's tasks do."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.crawl.progress import Progress
from exporter.derive.unique import keep_first
from exporter.emulator import Fault, Faults
from exporter.inventory import CrawlResult
from exporter.settings import load_settings
from exporter.spark.discovering import Discovered, discover
from exporter.spark.partitions import PartitionResult, SettingsReference
from exporter.spark.reading import read_partition
from exporter.staging.layout import staged_parts
from exporter.staging.parquet import write_table
from exporter.tables.schemas import TABLES
from tests.oracle.compare import differences
from tests.oracle.readers import read_parquet
from tests.oracle.schema import KEYS
from tests.oracle.values import Tables

LISTED = ("clouds", "folders", "registries", "repositories", "images", "layers", "config_blobs")

FAULTS = (Fault.HTTP_429, Fault.HTTP_500, Fault.RESET, Fault.TRUNCATED, Fault.HTML)
FEW_FAULTS = Faults(rates=dict.fromkeys(FAULTS, 0.01))
"""5% of all calls go wrong."""


@dataclass
class Parts:
    """A scope that was listed in parts: what the driver found, and what each part returned."""

    found: Discovered
    results: Sequence[PartitionResult]
    merged: CrawlResult
    folder: Path

    def tables(self) -> Tables:
        """Return the rows of the listed tables, as the parts have them."""
        folders = [self.folder / spec.name for spec in self.found.specs]
        for folder in folders:
            keep_first(folder)
        for name, rows in self.merged.source.tables.items():
            write_table(self.folder / "small", TABLES[name], [rows])
        return {
            table: [
                row
                for folder in (*folders, self.folder / "small")
                for path in staged_parts(folder, table)
                for row in read_parquet(path, table)
            ]
            for table in (*LISTED, "image_references")
        }


def list_in_parts(
    config: Path,
    folder: Path,
    *,
    slots: int,
    expected: Mapping[str, int],
    meanwhile: Callable[[], None] = lambda: None,
) -> Parts:
    """List a scope in parts; each spec and each result is pickled on its way, as Spark does.

    `meanwhile` is called once the driver has found what there is.
    """
    settings = load_settings(config)
    reference = SettingsReference(str(config))
    found = asyncio.run(discover(settings, reference, expected, slots, Progress()))
    meanwhile()
    results = []
    for spec in found.specs:
        sent, told, share = pickle.loads(pickle.dumps((spec, found.settings, found.share)))
        result = read_partition(sent, told, share, folder / spec.name, attempt="first")
        results.append(pickle.loads(pickle.dumps(result)))
    return Parts(found, results, found.merged(results), folder)


def check_rows(found: Tables, wanted: Tables, tables: Sequence[str] = LISTED) -> None:
    """Hold rows against those of a snapshot: the same in each table, each once."""
    for table in tables:
        difference = differences(wanted[table], found[table], KEYS[table])
        assert not difference, f"{table}: {difference}"

"""A crawl of an emulated estate, without what comes before and after it in an export."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from exporter.crawl.coverage import Coverage
from exporter.crawl.decoders import Decoders
from exporter.crawl.progress import Progress
from exporter.emulator import STATIC_TOKEN, CallLog, Emulator, Estate, LoggedCall, Shape
from exporter.inventory import make_crawl, run_source
from exporter.settings import Credentials, Endpoints, Limits, Settings
from exporter.sources.base import SourceResult
from exporter.sources.cloud.source import CloudSource
from exporter.staging.stage import Stage
from tests.policies import SURE, use

PAGE_SIZE = 10
GIANT_REGISTRY = Shape(repositories=24, images=360, layers=1, empty_share=0.0)
GIANT_REPOSITORY = Shape(repositories=1, images=200, layers=1, empty_share=0.0)
MANY_SMALL = Shape(clouds=2, folders=4, registries=24, repositories=48, images=120, layers=1)


class Log(CallLog):
    """A log that tells a test of each call as it is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.on_answer: Callable[[LoggedCall], None] = lambda _: None

    def leave(self, call: LoggedCall) -> None:
        super().leave(call)
        self.on_answer(call)


class KeptPages(Stage):
    """A stage that knows which pages it was handed, and cancels the run after so many of them."""

    def __init__(self, staging: Path, cancel_after: int | None = None) -> None:
        super().__init__(staging)
        self.keys: list[str] = []
        self._left = cancel_after
        self.run: asyncio.Task[SourceResult] | None = None

    async def keep(
        self,
        key: str,
        summary: bytes,
        body: bytes,
        tables: Mapping[str, pa.Table],
        *,
        inline: bool = False,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        await super().keep(key, summary, body, tables, inline=inline, written=written)
        self.keys.append(key)
        if self._left is not None and self.run is not None:
            self._left -= 1
            if not self._left:
                self.run.cancel()


@dataclass
class Outcome:
    """What a crawl came to; `images` and `layers` are None where it was cancelled."""

    coverage: Coverage
    progress: Progress
    calls: int
    kept: list[str]
    images: list[dict[str, Any]] | None = None
    layers: int = 0
    tables: dict[str, pa.Table] = field(default_factory=dict)
    repositories: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        assert self.images is not None
        return sorted(row["image_id"] for row in self.images)


def settings_for(url: str, **sections: Any) -> Settings:
    """Return settings that ask one address for everything, in pages of `PAGE_SIZE`."""
    limits = {"page_size": PAGE_SIZE, "concurrency": 12, "attempts": 3}
    return Settings(
        endpoints=Endpoints(container_registry=url, resource_manager=url, iam=url),
        credentials=Credentials(iam_token=SecretStr(STATIC_TOKEN)),
        limits=Limits.model_validate(limits | sections.pop("limits", {})),
        **sections,
    )


async def crawl(
    url: str,
    staging: Path,
    *,
    cancel_after: int | None = None,
    expected: Mapping[str, int] | None = None,
    decoders: type[Decoders] = Decoders,
    **sections: Any,
) -> Outcome:
    """Crawl what is served at `url`, or go on with it, staging below `staging`.

    `expected` are images per registry of an earlier snapshot, `decoders` what decodes pages.
    """
    settings = settings_for(url, **sections)
    progress, source = Progress(phase="listing"), CloudSource(settings)
    with decoders(1) as pool:
        async with source.open_client() as client, KeptPages(staging, cancel_after) as stage:
            slots = settings.limits.concurrency
            crawl = make_crawl(source, client, stage, pool, progress, slots, expected)
            stage.run = asyncio.create_task(run_source(source, crawl))
            with suppress(asyncio.CancelledError):
                await stage.run
            done = Outcome(crawl.coverage, progress, client.counts.calls, stage.keys)
            if stage.run.cancelled():
                return done
            parts = await stage.finish()
            rows = {
                name: [part.path for part in parts if part.table == name]
                for name in ("images", "layers", "repositories")
            }
            done.images = [
                row for path in rows["images"] for row in pq.read_table(path).to_pylist()
            ]
            done.layers = sum(pq.read_metadata(path).num_rows for path in rows["layers"])
            done.repositories = sorted(
                name
                for path in rows["repositories"]
                for name in pq.read_table(path)["repository_name"].to_pylist()
            )
            done.tables = dict(stage.run.result().tables)
    return done


def check_rows(done: Outcome, estate: Estate, *, once: bool = True) -> None:
    """Check that exactly the estate's images were staged; `once`: each of them once."""
    truth = {image["id"]: image for image in estate.images()}
    assert done.images is not None
    assert {row["image_id"] for row in done.images} == truth.keys()
    if once:
        assert [id_ for id_, count in Counter(done.ids).items() if count > 1] == []
        assert done.layers == sum(len(image.get("layers", [])) for image in truth.values())
    folders = {registry["id"]: registry["folderId"] for registry in estate.registries()}
    clouds = {folder["id"]: folder["cloudId"] for folder in estate.folders()}
    for row in done.images:
        image = truth[row["image_id"]]
        assert row["repository_name"] == image["name"]
        assert row["registry_id"] == image["name"].partition("/")[0]
        assert row["folder_id"] == folders[row["registry_id"]]
        assert row["cloud_id"] == clouds[row["folder_id"]]


def fewest_pages(estate: Estate, page_size: int = PAGE_SIZE) -> int:
    """Return the fewest calls that list the images of every registry."""
    counts = [len(estate.image_numbers(registry["id"])) for registry in estate.registries()]
    return sum(max(1, ceil(count / page_size)) for count in counts)


def repositories_asked(log: CallLog) -> set[str]:
    """Return the repositories whose images were asked for one by one."""
    return {call.query["repositoryName"] for call in log.of("images") if _named(call)}


def _named(call: LoggedCall) -> bool:
    return "repositoryName" in call.query


def split_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let listings of a few pages be split, so that worlds can be small."""
    use(monkeypatch, replace(SURE, min_pages_left=2.0, min_pages_before_down=2.0))


def serve(estate: Estate, *args: Any) -> Emulator:
    """Return an emulator whose log a test can listen to."""
    emulator = Emulator(estate, *args)
    emulator.calls = Log()
    return emulator


def on_answer(emulator: Emulator, act: Callable[[LoggedCall], None]) -> None:
    """Have `act` told of each call that is answered from now on."""
    assert isinstance(emulator.calls, Log)
    emulator.calls.on_answer = act

"""The floor: the least work that turns these pages into two tables.

It fetches with the exporter's concurrency, parses with the fastest known reader (`pyarrow.json`
with an explicit schema, on two threads) and writes `images` and `layers`. It checks nothing,
retries nothing, keeps no journal and derives nothing.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from benchmark.rivals.task import Task, read_task

BLOB = pa.struct([("id", pa.string()), ("digest", pa.string()), ("size", pa.string())])
IMAGE = pa.struct(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("digest", pa.string()),
        ("compressedSize", pa.string()),
        ("config", BLOB),
        ("layers", pa.list_(BLOB)),
        ("tags", pa.list_(pa.string())),
        ("createdAt", pa.timestamp("ns")),
    ]
)
PAGE = pa.schema([("images", pa.list_(IMAGE)), ("nextPageToken", pa.string())])
TEXT = pa.dictionary(pa.int32(), pa.string())
IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("name", TEXT),
        ("digest", pa.string()),
        ("compressed_size", pa.int64()),
        ("config_digest", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("created_at", pa.timestamp("us")),
    ]
)
LAYERS = pa.schema(
    [
        ("image_id", TEXT),
        ("blob_id", pa.string()),
        ("digest", pa.string()),
        ("size", pa.int64()),
    ]
)
PAGES_PER_ROW_GROUP = 8


class Writer:
    """Two Parquet files; several pages make a row group. Used by one thread."""

    def __init__(self, task: Task) -> None:
        task.output.mkdir(parents=True, exist_ok=True)
        self._images = self._open(task, "images", IMAGES, ["name"])
        self._layers = self._open(task, "layers", LAYERS, ["image_id", "digest"])
        self._pending: list[tuple[pa.Table, pa.Table]] = []

    def _open(self, task: Task, name: str, schema: pa.Schema, repeating: list[str]) -> Any:
        path = task.output / f"{name}.parquet"
        options = {"compression": "zstd", "compression_level": 1, "store_schema": False}
        return pq.ParquetWriter(path, schema, use_dictionary=repeating, **options)

    def add(self, page: tuple[pa.Table, pa.Table]) -> None:
        """Add a page's rows."""
        self._pending.append(page)
        if len(self._pending) >= PAGES_PER_ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the pending rows."""
        for writer, some in zip(
            (self._images, self._layers), zip(*self._pending, strict=True), strict=False
        ):
            rows = pa.concat_tables(some).unify_dictionaries()
            writer.write_table(rows, row_group_size=max(1, rows.num_rows))
        self._pending = []

    def close(self) -> None:
        """Write the footers."""
        self.flush()
        self._images.close()
        self._layers.close()


def parse(body: bytes) -> tuple[tuple[pa.Table, pa.Table], str]:
    """Return a page's images and layers, and the next page's token."""
    table = pj.read_json(
        pa.BufferReader(body),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1),
        parse_options=pj.ParseOptions(explicit_schema=PAGE, unexpected_field_behavior="ignore"),
    )
    rows = table.column("images").chunk(0).flatten()
    ids, names, digests, sizes, configs, lists, tags, times = rows.flatten()
    blob_ids, layer_digests, layer_sizes = pc.list_flatten(lists).flatten()
    parents = pc.list_parent_indices(lists).cast(pa.int32())
    images = [
        ids,
        pc.dictionary_encode(names),
        digests,
        whole(sizes),
        configs.field("digest"),
        tags,
        times.cast(pa.timestamp("us"), safe=False),
    ]
    layers = [
        pa.DictionaryArray.from_arrays(parents, ids),
        blob_ids,
        layer_digests,
        whole(layer_sizes),
    ]
    token = table.column("nextPageToken")[0].as_py() or ""
    return (
        pa.Table.from_arrays(images, schema=IMAGES),
        pa.Table.from_arrays(layers, schema=LAYERS),
    ), token


def whole(sizes: pa.Array) -> pa.Array:
    """Return sizes as numbers; an absent one is zero."""
    return pc.fill_null(sizes.cast(pa.int64()), 0)


class Walk:
    """The whole run; at most `slots` calls are under way at once."""

    def __init__(self, task: Task, session: aiohttp.ClientSession) -> None:
        self._task = task
        self._session = session
        self._slots = asyncio.Semaphore(task.slots)
        self._parsers = ThreadPoolExecutor(2)
        self._writing = ThreadPoolExecutor(1)

    async def run(self) -> None:
        """List everything, each registry page after page, and write it."""
        loop = asyncio.get_running_loop()
        writer = Writer(self._task)

        async def images(registry: str) -> None:
            token = ""
            while True:
                body = await self._get("container-registry/v1/images", token, registryId=registry)
                if b'"images"' not in body:
                    return
                rows, token = await loop.run_in_executor(self._parsers, parse, body)
                await loop.run_in_executor(self._writing, writer.add, rows)
                if not token:
                    return

        async def registries(folder: str) -> None:
            found = await self._ids("container-registry/v1/registries", folderId=folder)
            await asyncio.gather(*map(images, found))

        async def folders(cloud: str) -> None:
            found = await self._ids("resource-manager/v1/folders", cloudId=cloud)
            await asyncio.gather(*map(registries, found))

        await asyncio.gather(*map(folders, await self._ids("resource-manager/v1/clouds")))
        await loop.run_in_executor(self._writing, writer.close)

    async def _ids(self, path: str, **scope: str) -> list[str]:
        page = orjson.loads(await self._get(path, "", **scope))
        return [item["id"] for item in page.get(path.rpartition("/")[2], [])]

    async def _get(self, path: str, token: str, **scope: str) -> bytes:
        params = {"pageSize": str(self._task.page_size), **scope}
        if token:
            params["pageToken"] = token
        async with self._slots, self._session.get(f"/{path}", params=params) as response:
            return await response.read()


async def list_everything(task: Task) -> None:
    """Do the task."""
    async with aiohttp.ClientSession(
        task.url,
        headers={"Authorization": f"Bearer {task.token}"},
        connector=aiohttp.TCPConnector(limit=task.slots),
        raise_for_status=True,
    ) as session:
        await Walk(task, session).run()


if __name__ == "__main__":
    asyncio.run(list_everything(read_task()))

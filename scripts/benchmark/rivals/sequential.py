"""The simplest script: one call after the other, with requests and PyArrow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import requests

from benchmark.rivals.task import Task, read_task

IMAGES = pa.schema(
    [
        ("registry_id", pa.string()),
        ("image_id", pa.string()),
        ("name", pa.string()),
        ("digest", pa.string()),
        ("compressed_size", pa.int64()),
        ("tags", pa.list_(pa.string())),
        ("created_at", pa.string()),
    ]
)
LAYERS = pa.schema(
    [
        ("image_id", pa.string()),
        ("position", pa.int32()),
        ("digest", pa.string()),
        ("size", pa.int64()),
    ]
)

Items = list[dict[str, Any]]


def main() -> None:
    """List clouds, folders, registries and images, and write pages as they come."""
    task = read_task()
    task.output.mkdir(parents=True, exist_ok=True)
    with (
        requests.Session() as session,
        pq.ParquetWriter(task.output / "images.parquet", IMAGES, compression="zstd") as images,
        pq.ParquetWriter(task.output / "layers.parquet", LAYERS, compression="zstd") as layers,
    ):
        session.headers["Authorization"] = f"Bearer {task.token}"
        for registry in registries(session, task):
            path = "container-registry/v1/images"
            for page in pages(session, task, path, registryId=registry):
                images.write_table(pa.Table.from_pylist(image_rows(registry, page), IMAGES))
                layers.write_table(pa.Table.from_pylist(layer_rows(page), LAYERS))


def registries(session: requests.Session, task: Task) -> Iterator[str]:
    """Yield the id of every registry of every folder of every cloud."""
    for clouds in pages(session, task, "resource-manager/v1/clouds"):
        for cloud in clouds:
            path = "resource-manager/v1/folders"
            for folders in pages(session, task, path, cloudId=cloud["id"]):
                for folder in folders:
                    path = "container-registry/v1/registries"
                    for page in pages(session, task, path, folderId=folder["id"]):
                        yield from (registry["id"] for registry in page)


def pages(session: requests.Session, task: Task, path: str, **scope: str) -> Iterator[Items]:
    """Yield the items of each page of a listing."""
    params = {"pageSize": str(task.page_size), **scope}
    while True:
        response = session.get(f"{task.url}/{path}", params=params, timeout=60)
        response.raise_for_status()
        page = json.loads(response.content)
        yield page.get(path.rpartition("/")[2], [])
        if not page.get("nextPageToken"):
            return
        params["pageToken"] = page["nextPageToken"]


def image_rows(registry: str, page: Items) -> Items:
    """Return the rows of `images`."""
    return [
        {
            "registry_id": registry,
            "image_id": image["id"],
            "name": image.get("name"),
            "digest": image.get("digest"),
            "compressed_size": int(image.get("compressedSize", 0)),
            "tags": image.get("tags", []),
            "created_at": image.get("createdAt"),
        }
        for image in page
    ]


def layer_rows(page: Items) -> Items:
    """Return the rows of `layers`."""
    return [
        {
            "image_id": image["id"],
            "position": position,
            "digest": layer.get("digest"),
            "size": int(layer.get("size", 0)),
        }
        for image in page
        for position, layer in enumerate(image.get("layers", []))
    ]


if __name__ == "__main__":
    main()

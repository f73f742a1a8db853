"""The rows of a page as plain Python works them out from the page's JSON, an image at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from exporter.sources.cloud.decode.images import ImagesPage
from exporter.tables.schemas import TABLES
from tests.oracle.schema import OF_OCI

Json = dict[str, Any]
Row = dict[str, Any]
Rows = dict[str, list[Row]]

CLOUD, FOLDER = "b1gcloud", "b1gfolder"


def moment(text: str | None) -> datetime | None:
    """Return the time of an RFC 3339 text in UTC, cut to the microsecond."""
    if text is None:
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    return datetime.fromisoformat(whole).replace(microsecond=micros, tzinfo=UTC)


def rows_of(images: list[Json]) -> Rows:
    """Return the rows of `images`, `layers` and `config_blobs` for the images of a page."""
    rows: Rows = {"images": [], "layers": [], "config_blobs": []}
    for image in images:
        name = image.get("name")
        place = {
            "registry_id": (name.split("/")[0] or None) if name and "/" in name else None,
            "repository_name": name,
        }
        layers, tags, config = image.get("layers", []), image.get("tags", []), image.get("config")
        rows["images"].append(
            {
                "image_id": image.get("id"),
                "cloud_id": CLOUD,
                "folder_id": FOLDER,
                **place,
                "digest": image.get("digest"),
                "compressed_size": int(image.get("compressedSize", "0")),
                "config_digest": None if config is None else config.get("digest"),
                "layer_count": len(layers),
                "tag_count": len(tags),
                "tags": tags,
                "created_at": moment(image.get("createdAt")),
            }
        )
        rows["layers"] += [
            {"image_id": image.get("id"), "position": position, **place, **_blob(layer)}
            for position, layer in enumerate(layers)
        ]
        if config is not None:
            rows["config_blobs"].append({"image_id": image.get("id"), **place, **_blob(config)})
    return rows


def _blob(blob: Json) -> Row:
    return {
        "blob_id": blob.get("id"),
        "digest": blob.get("digest"),
        "size": int(blob.get("size", "0")),
        "urls": blob.get("urls", []),
    }


def tables_of(page: ImagesPage) -> dict[str, pa.Table]:
    """Return a decoded page's tables by name."""
    return {"images": page.images, "layers": page.layers, "config_blobs": page.config_blobs}


def _of_cloud(table: pa.Table, name: str) -> pa.Table:
    """Return the columns that the cloud has values for, the first ones, with their types."""
    schema = pa.schema([field for field in TABLES[name].schema if field.name not in OF_OCI[name]])
    assert not any(len(column) - column.null_count for column in table.columns[len(schema) :])
    return table.select(schema.names).cast(schema)


def plain_rows(tables: Mapping[str, pa.Table]) -> Rows:
    """Return Arrow tables as lists of dicts, times in UTC."""
    return {
        name: [
            {
                key: value.astimezone(UTC) if isinstance(value, datetime) else value
                for key, value in row.items()
            }
            for row in _of_cloud(table, name).to_pylist()
        ]
        for name, table in tables.items()
    }

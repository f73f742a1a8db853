"""Reading a page of images one by one, for a page that PyArrow cannot parse.

The result is the same as PyArrow's, without the values that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from exporter.sources.cloud.decode.pages import read_object
from exporter.sources.cloud.decode.values import Item

_BLOB = pa.struct(
    [
        ("id", pa.string()),
        ("digest", pa.string()),
        ("size", pa.string()),
        ("urls", pa.list_(pa.string())),
    ]
)
IMAGE = pa.struct(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("digest", pa.string()),
        ("compressedSize", pa.string()),
        ("config", _BLOB),
        ("layers", pa.list_(_BLOB)),
        ("tags", pa.list_(pa.string())),
        ("createdAt", pa.string()),
        # The names of the protobuf message, which a parser must accept as well. These columns cost
        # nothing measurable; a search for the names in the body would.
        ("compressed_size", pa.string()),
        ("created_at", pa.string()),
    ]
)
"""The fields that are read of an image, as they are sent."""


@dataclass(frozen=True)
class ReadImages:
    """The images of a page as `IMAGE`, and the next page's token or an empty text.

    `problems` describes, by an image's number on the page, its values that could not be read.
    `misread` has an entry for an image whose id, name or digest is one of these, as the end of a
    sentence. `doubt` is the reason to ask for the page again, empty for a sound page.
    """

    rows: pa.StructArray
    next_token: str
    problems: Mapping[int, str] = field(default_factory=dict)
    misread: Mapping[int, str] = field(default_factory=dict)
    doubt: str = ""


def read_one_by_one(body: bytes) -> ReadImages:
    """Read a page whatever its values are; those that cannot be read are null.

    Raises `PageError` for a body that is not a page.
    """
    page = read_object(body, "images", strict=True)
    images, problems, misread = [], {}, {}
    for number, fields in enumerate(page.items):
        item = Item(fields)
        images.append(_plain_image(item))
        if item.problem is not None:
            problems[number] = item.problem
            if wrong := item.misread("id", "name", "digest"):
                misread[number] = wrong
    doubt = page.doubt or next((f"an image {wrong}" for wrong in misread.values()), "")
    return ReadImages(pa.array(images, IMAGE), page.next_token, problems, misread, doubt)


def _plain_image(item: Item) -> dict[str, object]:
    created, config = item.time("createdAt"), item.child("config")
    return {
        "id": item.text("id"),
        "name": item.text("name"),
        "digest": item.text("digest"),
        "compressedSize": _plain_size(item, "compressedSize"),
        "config": None if config is None else _plain_blob(config),
        "layers": [_plain_blob(layer) for layer in item.children("layers")],
        "tags": item.texts("tags"),
        "createdAt": None if created is None else _plain_time(created),
    }


def _plain_blob(item: Item) -> dict[str, object]:
    return {
        "id": item.text("id"),
        "digest": item.text("digest"),
        "size": _plain_size(item, "size"),
        "urls": item.texts("urls"),
    }


def _plain_size(item: Item, name: str) -> str:
    return str(item.whole(name) or 0)


def _plain_time(at: datetime) -> str:
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"

"""Any images that the vendor's message can express come through page, decoder and files unchanged.

The pages are printed by the vendor's own protobuf messages; the expected rows are the oracle's.
"""

from __future__ import annotations

import json
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from yandex.cloud.containerregistry.v1.blob_pb2 import Blob
from yandex.cloud.containerregistry.v1.image_pb2 import Image
from yandex.cloud.containerregistry.v1.image_service_pb2 import ListImagesResponse

from exporter.sources.cloud.decode.images import decode_images
from exporter.staging.ndjson import write_ndjson
from exporter.staging.parquet import PartWriter
from exporter.tables.schemas import TABLES
from tests.oracle.listed import config_rows, image_row, layer_rows
from tests.oracle.readers import read_ndjson, read_parquet
from tests.oracle.values import Tables

# Protobuf ships no types of its own.
MessageToJson = import_module("google.protobuf.json_format").MessageToJson
Timestamp = import_module("google.protobuf.timestamp_pb2").Timestamp

_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970."""
_PARENTS = {"crp1": ("b1gfolder", "b1gcloud")}

_TEXTS = st.text(max_size=12) | st.sampled_from(["crp1/app", "crp1", "/", "a/b/c", "v1", "null"])
_SIZES = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([0, 1, (1 << 53) + 1])
_BLOBS = st.builds(
    Blob, id=_TEXTS, digest=_TEXTS, size=_SIZES, urls=st.lists(_TEXTS, max_size=2)
)  # fmt: skip
_TIMES = st.builds(
    Timestamp,
    seconds=st.integers(_FIRST_SECOND, _LAST_SECOND)
    | st.sampled_from([_FIRST_SECOND, 0, _LAST_SECOND]),
    nanos=st.integers(0, 999_999_999) | st.sampled_from([0, 999_999_999, 120_000_000, 1000]),
)
_IMAGES = st.builds(
    Image,
    id=_TEXTS.filter(bool),
    name=_TEXTS,
    digest=_TEXTS,
    compressed_size=_SIZES,
    config=st.none() | _BLOBS,
    layers=st.lists(_BLOBS, max_size=3),
    tags=st.lists(_TEXTS, max_size=3),
    created_at=st.none() | _TIMES,
)
_PAGES = st.builds(
    ListImagesResponse, images=st.lists(_IMAGES, max_size=10), next_page_token=_TEXTS
)  # fmt: skip


def page_of(*images: Image) -> ListImagesResponse:
    return ListImagesResponse(images=images)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(page=_PAGES, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
@example(page=ListImagesResponse(), indent=None, ascii_only=True)
@example(page=page_of(Image(id="1")), indent=None, ascii_only=True)
@example(page=page_of(Image(id="1", config=Blob(), layers=[Blob()])), indent=2, ascii_only=True)
@example(page=page_of(Image(id="1"), Image(id="1")), indent=None, ascii_only=True)
@example(page=page_of(Image(id="1", tags=["", "\x00", "\u2028"])), indent=None, ascii_only=False)
@example(page=page_of(Image(id="1", tags=["{" * 100])), indent=None, ascii_only=False)
@example(page=page_of(*[Image(id="1", tags=["["])] * 100), indent=None, ascii_only=False)
def test_any_image_survives_the_page_the_decoder_and_the_files(
    page: ListImagesResponse, indent: int | None, ascii_only: bool
) -> None:
    text = MessageToJson(page, indent=indent, ensure_ascii=ascii_only)
    sent = json.loads(text)
    decoded = decode_images(text.encode(), cloud_id="b1gcloud", folder_id="b1gfolder")
    assert decoded.next_token == sent.get("nextPageToken", "")
    expected = expected_tables(sent.get("images", []))
    tables = {
        "images": decoded.images,
        "layers": decoded.layers,
        "config_blobs": decoded.config_blobs,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in tables.items():
            part = PartWriter(Path(folder), TABLES[name], 0)
            part.append(rows)
            parquet = part.close().path
            assert read_parquet(parquet, name) == expected[name]
            (ndjson,) = write_ndjson([parquet], TABLES[name], Path(folder))
            assert read_ndjson(ndjson.path, name) == expected[name]


def expected_tables(images: list[dict[str, Any]]) -> Tables:
    """Return the oracle's rows, each image's parents being those the page was asked with."""
    parents = {"cloud_id": "b1gcloud", "folder_id": "b1gfolder"}
    return {
        "images": [image_row(image, {}) | parents for image in images],
        "layers": [row for image in images for row in layer_rows(image)],
        "config_blobs": [row for image in images for row in config_rows(image)],
    }

"""Pages of images that the vendor's protobuf message can express, printed as its JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module

from hypothesis import strategies as st
from yandex.cloud.containerregistry.v1.blob_pb2 import Blob
from yandex.cloud.containerregistry.v1.image_pb2 import Image

from tests.tables.plain import Json

# Protobuf ships no types of its own.
MessageToDict = import_module("google.protobuf.json_format").MessageToDict
Timestamp = import_module("google.protobuf.timestamp_pb2").Timestamp

LARGEST = 2**63 - 1
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970."""

NAMES = st.sampled_from(["crp1/a", "crp1/a/b", "crp1/a-b", "crp1/b", "crp1/ü", "crp2/a", "crp1"])
_TEXTS = st.text(max_size=8) | st.sampled_from(["", "v1", '"', "\\", "]}]}", "[{" * 40, "null"])
_SIZES = st.integers(0, LARGEST) | st.sampled_from([0, 2**53 + 1, LARGEST])
_BLOBS = st.builds(
    Blob, id=_TEXTS, digest=_TEXTS, size=_SIZES, urls=st.lists(_TEXTS, max_size=2)
)  # fmt: skip
TIMES = st.builds(
    Timestamp,
    seconds=st.integers(FIRST_SECOND, LAST_SECOND) | st.sampled_from([FIRST_SECOND, LAST_SECOND]),
    nanos=st.integers(0, 999_999_999) | st.sampled_from([0, 1, 1000, 10**6, 999_999_999]),
)
IMAGES = st.builds(
    Image,
    id=_TEXTS.filter(bool),
    name=NAMES | _TEXTS,
    digest=_TEXTS,
    compressed_size=_SIZES,
    config=st.none() | _BLOBS,
    layers=st.lists(_BLOBS, max_size=3),
    tags=st.lists(_TEXTS, max_size=3),
    created_at=st.none() | TIMES,
)


def as_dicts(images: Sequence[Image]) -> list[Json]:
    """Return what the vendor's own printer makes of the messages."""
    return [MessageToDict(image) for image in images]


def page_body(images: Sequence[Json], *, pretty: bool = False, token: str = "") -> bytes:
    """Return a page as the API would send it; what is empty is left out."""
    page: Json = {}
    if images:
        page["images"] = list(images)
    if token:
        page["nextPageToken"] = token
    if pretty:
        return json.dumps(page, indent=4, ensure_ascii=False).encode()
    return json.dumps(page, separators=(",", ":")).encode()

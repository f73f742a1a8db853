"""Any page of images, each with an id, becomes exactly the rows that its JSON says."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from yandex.cloud.containerregistry.v1.blob_pb2 import Blob
from yandex.cloud.containerregistry.v1.image_pb2 import Image

from exporter.sources.cloud.decode.images import decode_images
from exporter.sources.cloud.decode.values import snake_case
from exporter.staging.parquet import Parts
from exporter.tables.schemas import TABLES
from tests.tables.pages import (
    FIRST_SECOND,
    IMAGES,
    LARGEST,
    LAST_SECOND,
    Timestamp,
    as_dicts,
    page_body,
)
from tests.tables.plain import CLOUD, FOLDER, plain_rows, rows_of, tables_of

# Shrinking a page of protobuf messages takes minutes; the first failure says enough.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
EXTREMES = [
    Image(id="1", name="crp1/a", compressed_size=LARGEST, config=Blob(size=LARGEST)),
    Image(id="2", layers=[Blob(), Blob(size=2**53 + 1, urls=["", "x"])], tags=["[" * 100]),
    Image(id="3", created_at=Timestamp(seconds=FIRST_SECOND), config=Blob()),
    Image(id="4", created_at=Timestamp(seconds=LAST_SECOND, nanos=999_999_999)),
    Image(id="5"),
]


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(images=st.lists(IMAGES, max_size=6), pretty=st.booleans())
@example(images=EXTREMES, pretty=False)
@example(images=EXTREMES, pretty=True)
@example(images=[], pretty=False)
def test_a_page_decodes_to_the_rows_that_its_json_says(images: list[Image], pretty: bool) -> None:
    sent = as_dicts(images)
    page = decode_images(
        page_body(sent, pretty=pretty, token="next"), cloud_id=CLOUD, folder_id=FOLDER
    )
    assert plain_rows(tables_of(page)) == rows_of(sent)
    assert page.listed == len(images)
    assert page.next_token == "next"
    assert set(page.names) == {image["name"] for image in sent if "name" in image}
    assert (page.order is None) == (not images)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(images=st.lists(IMAGES, max_size=6), spelled=st.lists(st.booleans(), min_size=6, max_size=6))
@example(images=EXTREMES, spelled=[True, False, True, False, True, False])
def test_a_page_with_a_bad_value_decodes_to_the_same_rows_for_all_the_others(
    images: list[Image], spelled: list[bool]
) -> None:
    sent = as_dicts(images)
    on_the_wire = [
        {snake_case(name): value for name, value in image.items()} if snake else image
        for image, snake in zip(sent, spelled, strict=False)
    ]
    bad = {"id": "bad", "name": "crp1/bad", "createdAt": "yesterday"}
    body = page_body([*on_the_wire, bad], token="next")
    page = decode_images(body, cloud_id=CLOUD, folder_id=FOLDER)
    assert page.bad_values["subject"].to_pylist() == ["bad"]
    assert plain_rows(tables_of(page)) == rows_of([*sent, bad | {"createdAt": None}])
    good = decode_images(page_body(on_the_wire), cloud_id=CLOUD, folder_id=FOLDER)
    assert plain_rows(tables_of(good)) == rows_of(sent)
    # By name, the page is the same as well.
    timeless = [*sent, {key: bad[key] for key in ("id", "name")}]
    same = decode_images(page_body(timeless), cloud_id=CLOUD, folder_id=FOLDER)
    assert page.order is not None
    assert same.order is not None
    assert page.order.names_rise == same.order.names_rise
    assert page.order.names_fall == same.order.names_fall
    assert (page.ids, page.names, page.nameless) == (same.ids, same.names, same.nameless)


@settings(max_examples=25, deadline=None, phases=PHASES)
@given(pages=st.lists(st.lists(IMAGES, max_size=4), min_size=1, max_size=3))
def test_written_parts_have_the_tables_schema_and_read_back_equal(
    pages: list[list[Image]],
) -> None:
    sent = [as_dicts(images) for images in pages]
    with TemporaryDirectory() as folder, Parts(Path(folder), {}) as parts:
        for images in sent:
            page = decode_images(page_body(images), cloud_id=CLOUD, folder_id=FOLDER)
            parts.append(tables_of(page))
        read = {}
        for part in parts.close():
            table = pq.read_table(part.path)
            schema = TABLES[part.table].schema
            assert table.schema.equals(schema)
            assert table.schema.metadata == schema.metadata
            assert [field.metadata for field in table.schema] == [
                field.metadata for field in schema
            ]
            assert table.num_rows == part.rows
            read[part.table] = table
        written = plain_rows(read)
    expected = rows_of([image for images in sent for image in images])
    # A table without rows has no part yet.
    assert written == {name: rows for name, rows in expected.items() if rows}


def test_parents_that_are_not_known_are_null() -> None:
    page = decode_images(page_body([{"id": "1"}]), cloud_id=None, folder_id=None)
    (row,) = page.images.to_pylist()
    assert (row["cloud_id"], row["folder_id"]) == (None, None)


def test_unknown_fields_do_not_change_the_rows() -> None:
    image = {"id": "1", "name": "crp1/a", "layers": [{"id": "2", "size": "3"}], "tags": ["v"]}
    strange = {
        **image,
        "layers": [{**image["layers"][0], "mediaType": {"a": [None]}}],  # type: ignore[dict-item]
        "architecture": {"os": "linux", "variants": ["v8", None, 7]},
        "scanned": False,
    }
    plain, new = (
        decode_images(page_body([one]), cloud_id=CLOUD, folder_id=FOLDER)
        for one in (image, strange)
    )
    assert plain_rows(tables_of(new)) == plain_rows(tables_of(plain))

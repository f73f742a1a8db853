"""Pages of images, from bytes to the rows of `images`, `layers` and `config_blobs`.

No Python object is made per row: PyArrow parses a page and flattens it with its kernels. A page
that PyArrow cannot parse is read image by image, without the values that cannot be read, and then
flattened in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from exporter.errors import PageError
from exporter.sources.cloud.decode.doubts import doubtful_sizes
from exporter.sources.cloud.decode.lost import LostItem, lost_item
from exporter.sources.cloud.decode.one_by_one import IMAGE, ReadImages, read_one_by_one
from exporter.sources.cloud.decode.order import Order, RowFilter, kept, order_of_page
from exporter.sources.cloud.decode.pages import read_columns
from exporter.sources.cloud.decode.resources import registry_of
from exporter.sources.cloud.decode.sizes import parse_sizes
from exporter.sources.cloud.decode.sketch import sketch_of
from exporter.sources.cloud.decode.times import parse_times
from exporter.tables.bad_values import bad_value, bad_values
from exporter.tables.constants import TRUE, ZERO

NO_ID = "has no id"


@dataclass(frozen=True)
class ImagesPage:
    """The rows of one page of images.

    `images`, `layers` and `config_blobs` have the columns of their tables, in order; texts that
    repeat are dictionary-encoded. `bad_values` has a row for each row of them with a value that
    could not be read, `doubtful_sizes` one for each image of which the findings check the sizes.
    `listed` counts the images on the page before filters and cuts. `names` are
    the repositories on it, in the page's order, with the number of images kept of each. `nameless`
    is true if an image does not name its repository, or names one without a registry. `order` is
    None for a page without images. `ids` are those of all images on it, and `next_token` is empty
    on the last page. `sketch` identifies the page's images (`sketch_of`).

    An image without an id has no row: `listed` counts it, and `lost` describes it, unless a filter
    leaves it out. `doubt` is the reason to ask for the page again, empty for a sound page.
    """

    images: pa.Table
    layers: pa.Table
    config_blobs: pa.Table
    bad_values: pa.Table
    doubtful_sizes: pa.Table
    listed: int
    names: Mapping[str, int]
    nameless: bool
    order: Order | None
    ids: tuple[str, ...]
    next_token: str
    sketch: tuple[str, ...]
    lost: tuple[str, ...]
    doubt: str

    def without_rows(self) -> ImagesPage:
        """Return what the page shows, with no row of any table."""
        tables = ("images", "layers", "config_blobs", "bad_values")
        none = {table: getattr(self, table).slice(0, 0) for table in tables}
        return replace(self, names=dict.fromkeys(self.names, 0), **none)


def decode_images(
    body: bytes,
    *,
    cloud_id: str | None,
    folder_id: str | None,
    wanted: Callable[[str], bool] | None = None,
    cut: RowFilter | None = None,
    scope: str = "images",
) -> ImagesPage:
    """Decode one page of `images`; `wanted` decides by repository name which images are in scope.

    `scope` names the listing, for messages. Raises `PageError` for a body that is not such a page.
    """
    try:
        read = ReadImages(*read_columns(body, "images", IMAGE))
        return _page(read, cloud_id, folder_id, wanted, cut, scope)
    except PageError:
        read = read_one_by_one(body)
    return _page(read, cloud_id, folder_id, wanted, cut, scope)


def _page(
    read: ReadImages,
    cloud_id: str | None,
    folder_id: str | None,
    wanted: Callable[[str], bool] | None,
    cut: RowFilter | None,
    scope: str,
) -> ImagesPage:
    listed = len(read.rows)
    lost: list[LostItem] = []
    if _any_empty(read.rows.field("id")):
        lost, read = _lost(read, wanted, scope), _with_ids(read)
    rows = read.rows
    ids = rows.field("id")
    names = rows.field("name").dictionary_encode()
    registries = [registry_of(name) or None for name in names.dictionary.to_pylist()]
    nameless = names.null_count > 0 or None in registries
    times = _either(rows, "createdAt", "created_at")
    created = parse_times(times)
    listed_ids = tuple(dict.fromkeys(ids.to_pylist()))
    digests = rows.field("digest")
    order = order_of_page(names, created, times, digests, ids, listed_ids) if listed_ids else None
    keep = kept(ids, names, wanted, cut)
    bad = [
        _bad_value(detail, ids[number].as_py(), names[number].as_py())
        for number, detail in read.problems.items()
        if keep is None or keep[number].as_py()
    ]
    if keep is not None:
        rows, names, created = rows.filter(keep), names.filter(keep), created.filter(keep)
    images, layers, configs = _flatten(rows, names, registries, created, cloud_id, folder_id)
    return ImagesPage(
        images,
        layers,
        configs,
        bad_values([*bad, *(one.problem for one in lost)]),
        doubtful_sizes(
            images,
            layers["size"].combine_chunks(),
            parse_sizes(_child(rows.field("config"), "size")),
        ),
        listed,
        _counted(names),
        nameless,
        order,
        listed_ids,
        read.next_token,
        sketch_of(listed_ids),
        tuple(one.said for one in lost),
        read.doubt,
    )


def _lost(read: ReadImages, wanted: Callable[[str], bool] | None, scope: str) -> list[LostItem]:
    """Return the images without an id, except those that a filter leaves out."""
    lost = []
    for number in pc.indices_nonzero(_empty(read.rows.field("id"))).to_pylist():
        image = read.rows[number].as_py()
        name = image["name"] or ""
        if name and wanted is not None and not wanted(name):
            continue
        known = "@".join(filter(None, (name, image["digest"])))
        row = {"registry_id": registry_of(name) or None, "repository_name": name or None}
        wrong, problem = read.misread.get(number, NO_ID), read.problems.get(number)
        lost.append(lost_item("image", known, wrong, problem, scope, row, placed=bool(name)))
    return lost


def _with_ids(read: ReadImages) -> ReadImages:
    """Return the page without the images that have no id."""
    having = pc.invert(_empty(read.rows.field("id")))
    old = enumerate(pc.indices_nonzero(having).to_pylist())
    problems = {new: read.problems[number] for new, number in old if number in read.problems}
    doubt = read.doubt or f"an image {NO_ID}"
    return replace(read, rows=read.rows.filter(having), problems=problems, doubt=doubt)


def _bad_value(detail: str, image_id: str, name: str | None) -> dict[str, str | None]:
    registry_id = registry_of(name or "") or None
    place = {"registry_id": registry_id, "repository_name": name, "image_id": image_id}
    return bad_value("images", image_id, detail, place)


def _either(rows: pa.StructArray, name: str, other: str) -> pa.StringArray:
    """Return a field that the API may send under either of two names."""
    values, others = rows.field(name), rows.field(other)
    return values if others.null_count == len(others) else pc.coalesce(values, others)


def _empty(texts: pa.StringArray) -> pa.BooleanArray:
    return pc.fill_null(pc.equal(pc.binary_length(texts), ZERO), TRUE)


def _any_empty(texts: pa.StringArray) -> bool:
    return texts.null_count > 0 or pc.any(pc.equal(pc.binary_length(texts), ZERO)).as_py() is True


def _counted(names: pa.DictionaryArray) -> dict[str, int]:
    """Return every name of the dictionary, in its order, with its number of occurrences."""
    counts = dict.fromkeys(names.dictionary.to_pylist(), 0)
    for found in pc.value_counts(names.drop_null()).to_pylist():
        counts[found["values"]] = found["counts"]
    return counts


def _flatten(
    rows: pa.StructArray,
    names: pa.DictionaryArray,
    registries: list[str | None],
    created: pa.TimestampArray,
    cloud_id: str | None,
    folder_id: str | None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return the three tables; `registries` are those of the dictionary's names."""
    image_ids = rows.field("id")
    registry_ids = pa.array(registries, pa.string()).dictionary_encode().take(names.indices)
    config = rows.field("config")
    layer_lists = rows.field("layers")
    tags = _lists(rows.field("tags"), "a tag")

    images = pa.table(
        {
            "image_id": image_ids,
            "cloud_id": _repeat(cloud_id, len(rows)),
            "folder_id": _repeat(folder_id, len(rows)),
            "registry_id": registry_ids,
            "repository_name": names,
            "digest": rows.field("digest"),
            "compressed_size": parse_sizes(_either(rows, "compressedSize", "compressed_size")),
            "config_digest": _child(config, "digest"),
            "layer_count": _lengths(layer_lists),
            "tag_count": _lengths(tags),
            "tags": tags,
            "created_at": created,
        }
    )

    parents = pc.list_parent_indices(layer_lists).cast(pa.int32())
    blobs = layer_lists.flatten()
    if blobs.null_count:
        raise PageError("an image holds a null layer")
    layers = pa.table(
        {
            "image_id": _repeat_each(image_ids, parents),
            "position": _positions(layer_lists, parents),
            "registry_id": registry_ids.take(parents),
            "repository_name": names.take(parents),
            **_blob_columns(blobs),
        }
    )

    having = config.is_valid()
    configs = pa.table(
        {
            "image_id": image_ids.filter(having),
            "registry_id": registry_ids.filter(having),
            "repository_name": names.filter(having),
            **_blob_columns(config.filter(having)),
        }
    )
    return images, layers, configs


def _blob_columns(blobs: pa.StructArray) -> dict[str, pa.Array]:
    return {
        "blob_id": blobs.field("id"),
        "digest": blobs.field("digest"),
        "size": parse_sizes(blobs.field("size")),
        "urls": _lists(blobs.field("urls"), "a blob's URL"),
    }


def _child(parent: pa.StructArray, name: str) -> pa.Array:
    """Return a field that is null where its parent is null."""
    return pc.struct_field(parent, name)


def _lists(lists: pa.ListArray, what: str) -> pa.ListArray:
    """Return the lists, with an empty one for each that was not sent."""
    values = lists.flatten()
    if values.null_count:
        raise PageError(f"{what} is null")
    if not lists.null_count:
        return lists
    ends = pc.cumulative_sum(_lengths(lists))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.ListArray.from_arrays(offsets, values)


def _lengths(lists: pa.ListArray) -> pa.Int32Array:
    return pc.fill_null(pc.list_value_length(lists), ZERO)


def _positions(lists: pa.ListArray, parents: pa.Int32Array) -> pa.Int32Array:
    """Return each value's place in its own list, from 0."""
    lengths = _lengths(lists)
    starts = pc.subtract(pc.cumulative_sum(lengths), lengths)
    places = pa.arange(0, len(parents)).cast(pa.int32())
    return pc.subtract(places, starts.take(parents))


def _repeat_each(texts: pa.StringArray, indices: pa.Int32Array) -> pa.DictionaryArray:
    """Return the texts at some indices; each text is stored once."""
    return pa.DictionaryArray.from_arrays(indices, texts)


def _repeat(text: str | None, length: int) -> pa.DictionaryArray:
    """Return one text for every row; it is stored once."""
    dictionary = pa.array([text] if text is not None else [], pa.string())
    index = pa.scalar(0 if text is not None else None, pa.int32())
    indices = pa.repeat(index, length) if text is not None else pa.nulls(length, pa.int32())
    return pa.DictionaryArray.from_arrays(indices, dictionary)

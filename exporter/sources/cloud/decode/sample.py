"""A page of images for a sample: only its repositories and its order are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from exporter.errors import PageError
from exporter.sources.cloud.decode.pages import read_columns, read_object
from exporter.sources.cloud.decode.values import Item
from exporter.tables.constants import NO_TEXT

_IMAGE = pa.struct([("name", pa.string()), ("digest", pa.string())])


@dataclass(frozen=True)
class SamplePage:
    """The content of a page by digest: the number of images of each repository, and their order.

    `first` and `last` are its first and last digest, empty for an empty page. `doubt` is the reason
    to ask for the page again, empty for a sound page.
    """

    listed: int
    counts: Mapping[str, int]
    digests_rise: bool
    first: str
    last: str
    next_token: str
    doubt: str = ""


def decode_sample(body: bytes) -> SamplePage:
    """Decode a page of `images` that was asked for by digest; raises `PageError`.

    A value that cannot be read counts as absent.
    """
    doubt = ""
    try:
        rows, next_token = read_columns(body, "images", _IMAGE)
    except PageError:
        page = read_object(body, "images", strict=True)
        next_token, doubt = page.next_token, page.doubt
        images = [Item(fields) for fields in page.items]
        plain = [{name: item.text(name) for name in ("name", "digest")} for item in images]
        rows = pa.array(plain, _IMAGE)
    digests = pc.fill_null(rows.field("digest"), NO_TEXT)
    rising = pc.all(pc.less_equal(digests[:-1], digests[1:]), min_count=0).as_py()
    counts = pc.value_counts(rows.field("name").drop_null()).to_pylist()
    return SamplePage(
        listed=len(rows),
        counts={one["values"]: one["counts"] for one in counts},
        digests_rise=bool(rising),
        first=digests[0].as_py() if len(rows) else "",
        last=digests[-1].as_py() if len(rows) else "",
        next_token=next_token,
        doubt=doubt,
    )

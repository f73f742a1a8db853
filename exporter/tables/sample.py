"""A page of images that is only looked at: which repositories they are of, and in what order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from exporter.tables.pages import read_columns

_IMAGE = pa.struct([("name", pa.string()), ("digest", pa.string())])


@dataclass(frozen=True)
class Sample:
    """Images of a registry in the order of their digests, and so as good as drawn by lot.

    `shares` are their repositories, by which part of the sample each has; `digests_rise` says
    whether the order was kept.
    """

    shares: Mapping[str, float]
    digests_rise: bool


def decode_sample(body: bytes) -> Sample:
    """Decode a page of `images` that was asked for by digest; raises `PageError`."""
    rows, _ = read_columns(body, "images", _IMAGE)
    digests = pc.fill_null(rows.field("digest"), "")
    rising = pc.all(pc.less_equal(digests[:-1], digests[1:]), min_count=0).as_py()
    counts = pc.value_counts(rows.field("name").drop_null()).to_pylist()
    return Sample({one["values"]: one["counts"] / len(rows) for one in counts}, bool(rising))

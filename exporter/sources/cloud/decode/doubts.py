"""Which images of a page have sizes that may not add up, told while the page is at hand.

The findings check only these: reading all layers again, to add up their sizes by image, took as
long as most other steps of the derivation.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from exporter.tables.constants import ZERO_BYTES
from exporter.tables.doubtful_sizes import DOUBTFUL_SIZES

_LARGEST = 1 << 40
"""The largest size, a terabyte, whose sum over the layers of a page is sure to fit into 64 bits."""
_MOST_LAYERS = 1 << 22
_NOTHING = pa.array([0], pa.int64())


def doubtful_sizes(
    images: pa.Table, layer_sizes: pa.Int64Array, config_sizes: pa.Int64Array
) -> pa.Table:
    """Return rows of `DOUBTFUL_SIZES` for a page's images.

    `images` are the page's rows, `layer_sizes` those of all their layers in order, `config_sizes`
    one for each image, 0 where it has no config. An image is left out if its `compressed_size`
    is the sum of its layers, with or without the config. If sums may be past 64 bits, every image
    is in doubt.
    """
    ids, said = (images[name].combine_chunks() for name in ("image_id", "compressed_size"))
    if len(layer_sizes) > _MOST_LAYERS or any(map(_is_past, (layer_sizes, config_sizes, said))):
        return pa.table([ids], schema=DOUBTFUL_SIZES.schema)
    counts = images["layer_count"].combine_chunks()
    ends = pc.cumulative_sum(counts)
    up_to = pa.concat_arrays([_NOTHING, pc.cumulative_sum(layer_sizes)])
    sums = pc.subtract(up_to.take(ends), up_to.take(pc.subtract(ends, counts)))
    missing = pc.subtract(said, sums)
    explained = pc.or_(pc.equal(missing, ZERO_BYTES), pc.equal(missing, config_sizes))
    return pa.table([ids.filter(pc.invert(explained))], schema=DOUBTFUL_SIZES.schema)


def _is_past(sizes: pa.Int64Array) -> bool:
    least, greatest = pc.min_max(sizes).values()
    return (least.as_py() or 0) < -_LARGEST or (greatest.as_py() or 0) > _LARGEST

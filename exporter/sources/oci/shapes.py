"""What a manifest leads to: how many children and configs, and how many of them are not cached."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.errors import PageError
from exporter.sources.oci.cache_view import CacheView
from exporter.sources.oci.decode.manifest import Reference, decode_manifest
from exporter.sources.oci.decode.media_types import INDEXES

ASSUMED_CHILDREN = 2
"""The manifests below an index that could not be read."""


@dataclass(frozen=True)
class Shape:
    """What one manifest leads to: `children` of an index, and `configs`, its own or theirs.

    `new_children` and `new_configs` are those of them that are not cached. `asks` is false below a
    tag that never moves, where no child is asked for, and `is_whole` says that an earlier run has
    found all children, so that only a few are (`proofs.py`).
    """

    children: int = 0
    configs: int = 0
    new_children: int = 0
    new_configs: int = 0
    asks: bool = True
    is_whole: bool = False


def assumed(media_type: str) -> Shape:
    """Return the shape of a manifest of which only the media type is known."""
    children = ASSUMED_CHILDREN if media_type in INDEXES else 0
    return Shape(children, children or 1, children, children or 1)


def shape_of(
    view: CacheView, digest: str, body: bytes, media_type: str = "", *, asks: bool = True
) -> Shape | None:
    """Return the shape of a manifest; None for what is none. `view` is the cache as it is."""
    try:
        manifest = decode_manifest(digest, body, media_type)
    except PageError:
        return None
    if not manifest.children:
        config = manifest.config_to_read
        new = config is not None and not view.has(config)
        return Shape(0, int(config is not None), 0, int(new), asks)
    distinct = {one.digest: one for one in manifest.children}
    below = [_below(view, one) for one in distinct.values()]
    return Shape(
        len(distinct),
        sum(one.configs for one in below),
        sum(one.new_children for one in below),
        sum(one.new_configs for one in below),
        asks,
    )


def _below(view: CacheView, child: Reference) -> Shape:
    """Return the shape of a child of an index; `new_children` says whether it is itself cached."""
    body = view.body(child.digest)
    shape = None if body is None else shape_of(view, child.digest, body)
    if shape is None:
        config = int(child.relation != "nested")
        return Shape(0, config, int(body is None), config)
    return Shape(0, shape.configs, 0, shape.new_configs)

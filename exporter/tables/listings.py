"""The listings that `coverage` tells of, by name."""

from __future__ import annotations

from typing import Literal, get_args

Listing = Literal[
    "clouds",
    "folders",
    "registries",
    "repositories",
    "images",
    "tags",
    "manifests",
    "configs",
    "untagged",
]

LISTINGS: tuple[Listing, ...] = get_args(Listing)
"""All of them, in the order in which `coverage` is sorted."""
ALL = "*"
"""Stands in `parent_id` for the parent of what is in nothing else."""

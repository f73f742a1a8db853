"""The config of an image: its platform, its labels, and when it was created."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exporter.sources.oci.decode.fields import Pairs, read_object
from exporter.sources.oci.decode.platforms import Platform, platform_of


@dataclass(frozen=True)
class Config:
    """What a config tells; all of it may be missing. `problem` says what cannot be read."""

    platform: Platform
    created_at: datetime | None
    labels: Pairs
    problem: str | None


def decode_config(body: bytes) -> Config:
    """Read a config blob of an image; raises `PageError` for what is no JSON object."""
    fields = read_object(body)
    platform, created_at = platform_of(fields), fields.time("created")
    labels = fields.child("config").pairs("Labels")
    return Config(platform, created_at, labels, fields.problems.sentence)

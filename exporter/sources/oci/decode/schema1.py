"""Manifests of schema 1, signed or not: the old form, with neither a config nor sizes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from exporter.sources.oci.decode.fields import Fields, Pairs
from exporter.sources.oci.decode.platforms import Platform


@dataclass(frozen=True)
class V1Image:
    """What a schema 1 manifest tells of its image."""

    platform: Platform
    labels: Pairs
    created_at: datetime | None


def layers_of(fields: Fields) -> list[str | None]:
    """Return the digests of the layers, in the manifest's order."""
    return [layer.digest("blobSum") for layer in fields.children("fsLayers")]


def v1_image(fields: Fields) -> V1Image:
    """Return what the newest entry of the history tells, which is JSON in a text."""
    history = fields.children("history")
    newest = _content(history[0]) if history else Fields(None, fields.problems)
    platform = Platform(
        os=newest.text("os"),
        architecture=newest.text("architecture") or fields.text("architecture"),
        variant=newest.text("variant"),
    )
    return V1Image(platform, newest.child("config").pairs("Labels"), newest.time("created"))


def _content(entry: Fields) -> Fields:
    text = entry.text("v1Compatibility")
    place = "history[0].v1Compatibility."
    try:
        return Fields(orjson.loads(text) if text else None, entry.problems, place)
    except orjson.JSONDecodeError:
        return Fields(text, entry.problems, place)

"""The rows of one repository's manifests, made from their content.

What only the crawl sees, junk among the tags and wrong digests, waits here for the next rows that
are added, and goes with them, to become findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exporter.errors import PageError
from exporter.sources.oci.decode.config import Config, decode_config
from exporter.sources.oci.decode.manifest import Blob, Manifest, Reference, decode_manifest
from exporter.sources.oci.decode.media_types import MANIFESTS, is_distributable
from exporter.sources.oci.decode.platforms import Platform
from exporter.sources.oci.decode.tags import is_attached
from exporter.tables.bad_values import BAD_VALUES, bad_value
from exporter.tables.doubtful_sizes import DOUBTFUL_SIZES

Row = dict[str, Any]
Rows = dict[str, list[Row]]
"""New rows, by table."""

_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Place:
    """Where images are: `repository_name` is the full name, with the registry."""

    registry_id: str
    repository_name: str

    def image_id(self, digest: str) -> str:
        """Return the id of the image with a digest."""
        return f"{self.repository_name}@{digest}"

    @property
    def columns(self) -> Row:
        """The columns that say where a row is."""
        return {"registry_id": self.registry_id, "repository_name": self.repository_name}


class ImageRows:
    """Makes the rows of one repository."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._notes: list[Row] = []

    def read(self, digest: str, body: bytes, media_type: str) -> Manifest:
        """Read a manifest; raises `PageError` for what is none."""
        return decode_manifest(digest, body, media_type)

    def add(
        self,
        rows: Rows,
        image: Manifest,
        *,
        tags: Sequence[str],
        config: bytes | None,
        sizes: Mapping[str, int | None],
        seen_at: datetime | None = None,
    ) -> None:
        """Add the rows of a manifest to `images`, `layers` and `config_blobs`, and its findings.

        `tags` are its own. `config` is the content of its config, where it was read; one that is no
        config is a finding. `sizes` are those of layers whose size it does not state. `seen_at`
        is when the registry says that it came, for a manifest that does not tell itself.
        """
        image_id = self._place.image_id(image.digest)
        found = self._config(image_id, config)
        layers = [_sized(layer, sizes) for layer in image.layers]
        row = _image_row(image, layers, found, tags, seen_at)
        _extend(rows, "images", [{"image_id": image_id, **self._place.columns, **row}])
        if row["compressed_size"] == _LARGEST:
            _extend(rows, DOUBTFUL_SIZES.name, [{"image_id": image_id}])
        _extend(
            rows,
            "layers",
            [
                {"image_id": image_id, "position": position, **self._place.columns, **_blob(layer)}
                | {"distributable": is_distributable(layer.media_type or "")}
                for position, layer in enumerate(layers)
            ],
        )
        if image.config is not None and image.config.digest is not None:
            config_row = {"image_id": image_id, **self._place.columns, **_blob(image.config)}
            _extend(rows, "config_blobs", [config_row])
        if image.problem is not None:
            self._note(image_id, image.problem, image_id=image_id)
        if image.media_type not in MANIFESTS:
            self._note_type(
                image_id, f"The manifest has the media type {image.media_type}", image_id
            )
        self.add_notes(rows)

    def add_references(
        self, rows: Rows, image: Manifest, present: Mapping[str, bool | None]
    ) -> None:
        """Add the rows of an index to `image_references`.

        `present` says of digests whether the registry has them; None where it was not asked.
        """
        image_id = self._place.image_id(image.digest)
        for each in image.children:
            if each.media_type is not None and each.media_type not in MANIFESTS:
                subject = self._place.image_id(each.digest)
                self._note_type(
                    subject, f"An index states the media type {each.media_type}", image_id
                )
        _extend(
            rows,
            "image_references",
            [
                {"image_id": image_id, **self._place.columns}
                | _reference_row(each, self._place, present.get(each.digest))
                for each in image.children
            ],
        )
        self.add_notes(rows)

    def add_notes(self, rows: Rows) -> None:
        """Add the findings that were noted since the last rows."""
        _extend(rows, BAD_VALUES.name, self._notes)
        self._notes = []

    def note_junk(self, junk: Sequence[str]) -> None:
        """Note names in the list of tags that no tag can have, as they can be shown."""
        for name in junk:
            self._note(
                f"{self._place.repository_name}:{name}",
                "The list of tags names it, and no tag can have this name.",
                kind="invalid_tag",
            )

    def note_mismatch(self, digest: str, claimed: str) -> None:
        """Note that the registry stated a digest for content that has another one."""
        image_id = self._place.image_id(digest)
        detail = (
            f"The registry states the digest {claimed} for this manifest, whose digest it is not."
        )
        self._note(image_id, detail, image_id=image_id, kind="digest_mismatch")

    def note_other_content(self, digest: str, other: str) -> None:
        """Note that the registry sent content of another digest for the one that was asked for."""
        image_id = self._place.image_id(digest)
        detail = f"The registry has content with the digest {other} in its place."
        self._note(image_id, detail, image_id=image_id, kind="digest_mismatch")

    def _config(self, image_id: str, body: bytes | None) -> Config | None:
        if body is None:
            return None
        try:
            config = decode_config(body)
        except PageError as error:
            self._note(image_id, f"The config cannot be read: {error}.", image_id=image_id)
            return None
        if config.problem is not None:
            self._note(image_id, f"In the config: {config.problem}", image_id=image_id)
        return config

    def _note_type(self, subject: str, said: str, image_id: str) -> None:
        detail = f"{said}, which is none of a manifest that is known."
        self._note(subject, detail, image_id=image_id, kind="unknown_media_type")

    def _note(
        self, subject: str, detail: str, *, image_id: str | None = None, kind: str | None = None
    ) -> None:
        where = {**self._place.columns, "image_id": image_id}
        self._notes.append(bad_value("images", subject, detail, where) | {"kind": kind})


def _image_row(
    manifest: Manifest,
    layers: Sequence[Blob],
    config: Config | None,
    tags: Sequence[str],
    seen_at: datetime | None,
) -> Row:
    """Return the columns of `images` that do not say where it is, but for `reachable`.

    The kind of an attestation is that of any image here: only an index tells it.
    """
    told = config or manifest.v1
    times = {
        "config": told.created_at if told else None,
        "annotation": manifest.created_at,
        "registry": seen_at,
    }
    source = next((name for name, time in times.items() if time is not None), None)
    kind = manifest.kind
    if kind == "image" and tags and all(map(is_attached, tags)):
        kind = "artifact"
    is_index = kind == "index"
    size = min(sum(layer.size or 0 for layer in layers), _LARGEST)
    return {
        "digest": manifest.digest,
        "compressed_size": None if is_index else size,
        "config_digest": manifest.config.digest if manifest.config else None,
        "layer_count": len(layers),
        "tag_count": len(tags),
        "tags": sorted(tags),
        "created_at": times[source] if source else None,
        "kind": kind,
        "media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type,
        "manifest_size": manifest.size,
        **_platform(told.platform if told else Platform()),
        "subject_digest": manifest.subject,
        "annotations": list(manifest.annotations),
        "labels": list(told.labels) if told else None,
        "created_source": source,
    }


def _reference_row(each: Reference, place: Place, present: bool | None) -> Row:
    return {
        "position": each.position,
        "child_digest": each.digest,
        "child_image_id": place.image_id(each.digest),
        "media_type": each.media_type,
        "size": each.size,
        **_platform(each.platform),
        "relation": each.relation,
        "annotations": list(each.annotations),
        "present": present,
    }


def _platform(platform: Platform) -> Row:
    return {
        "os": platform.os,
        "os_version": platform.os_version,
        "architecture": platform.architecture,
        "variant": platform.variant,
    }


def _sized(layer: Blob, sizes: Mapping[str, int | None]) -> Blob:
    size = layer.size if layer.size is not None else sizes.get(layer.digest or "")
    return Blob(layer.digest, size, layer.media_type, layer.urls)


def _blob(blob: Blob) -> Row:
    return {
        "blob_id": blob.digest,
        "digest": blob.digest,
        "size": blob.size or 0,
        "urls": list(blob.urls),
        "media_type": blob.media_type,
    }


def _extend(rows: Rows, table: str, more: Sequence[Row]) -> None:
    if more:
        rows.setdefault(table, []).extend(more)

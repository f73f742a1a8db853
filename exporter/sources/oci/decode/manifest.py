"""Manifests of every form, from bytes to a typed value.

The type is what the registry says (Content-Type), if that is the type of a manifest; else what the
body says (`mediaType`); else what the body looks like. A manifest of another type is read by its
looks and keeps its type: it is no error. Sources: the OCI image specification 1.1, Docker's image
manifest v2 schemas 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from exporter.errors import PageError
from exporter.sources.oci.decode import media_types as types
from exporter.sources.oci.decode.fields import Fields, Pairs, read_object
from exporter.sources.oci.decode.platforms import Platform, platform_of
from exporter.sources.oci.decode.schema1 import V1Image, layers_of, v1_image
from exporter.tables.times import time_of

Kind = Literal["image", "index", "artifact", "attestation", "schema1"]
Relation = Literal["platform", "attestation", "nested", "other"]

CREATED = "org.opencontainers.image.created"
"""The annotation that tells when an image was created."""
_GENERAL = ("", "application/json", "application/octet-stream", "text/plain", "text/html")
"""Types that say nothing of a manifest."""
_REFERENCE_TYPE = "vnd.docker.reference.type"
_ATTESTS = "attestation-manifest"


@dataclass(frozen=True)
class Blob:
    """A layer or a config that a manifest names; None for what is not stated, or not readable."""

    digest: str | None
    size: int | None
    media_type: str | None
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A manifest that an index refers to; `position` is its place there, from 0."""

    position: int
    digest: str
    size: int | None
    media_type: str | None
    platform: Platform
    relation: Relation
    annotations: Pairs


@dataclass(frozen=True)
class Manifest:
    """A manifest; `size` is its own. `children` is what an index refers to, `layers` of all others.

    `created_at` is what its annotations tell. `v1` is what a schema 1 manifest tells of its image,
    for it has no config. `problem` says in a sentence which values cannot be read.
    """

    digest: str
    size: int
    kind: Kind
    media_type: str
    artifact_type: str | None
    config: Blob | None
    layers: tuple[Blob, ...]
    children: tuple[Reference, ...]
    subject: str | None
    annotations: Pairs
    created_at: datetime | None
    v1: V1Image | None
    problem: str | None

    @property
    def config_to_read(self) -> str | None:
        """The digest of the config, if it tells of a platform, labels and a time."""
        config = self.config
        is_image = config is not None and config.media_type in types.IMAGE_CONFIGS
        return config.digest if config is not None and is_image else None

    @property
    def layers_without_size(self) -> tuple[str, ...]:
        """The distinct layers of a schema 1 manifest, which states no sizes."""
        if self.kind != "schema1":
            return ()
        return tuple(dict.fromkeys(layer.digest for layer in self.layers if layer.digest))


def decode_manifest(digest: str, body: bytes, content_type: str = "") -> Manifest:
    """Read a manifest of a known digest; raises `PageError` for what is none.

    `content_type` is the registry's, or what an index states; it may be empty.
    """
    fields = read_object(body)
    media_type = _media_type(fields, content_type)
    if media_type in types.SCHEMA1S:
        return _schema1(digest, len(body), media_type, fields)
    if _is_index(fields, media_type):
        return _index(digest, len(body), media_type, fields)
    return _image(digest, len(body), media_type, fields)


def _media_type(fields: Fields, content_type: str) -> str:
    """Return the type of a manifest; raises `PageError` for a body of no known form and type."""
    stated, own = types.essence(content_type), types.essence(fields.text("mediaType") or "")
    looks = _looks_like(fields)
    known = [each for each in (stated, own) if each in types.MANIFESTS]
    for each in known:
        # Content that has another form is not what it is said to be.
        if looks is None or _family(each) == _family(looks):
            if looks is None and each in types.IMAGES | types.SCHEMA1S:
                raise PageError(f"it is said to be {each}, and has not the form of one")
            return each
    named = [] if known else [each for each in (own, stated) if each not in _GENERAL]
    if named:
        return named[0]
    if looks is None:
        raise PageError("it has neither a media type nor the form of a manifest")
    return looks


def _family(media_type: str) -> int:
    families = (types.INDEXES, types.SCHEMA1S)
    return next((place for place, each in enumerate(families) if media_type in each), -1)


def _looks_like(fields: Fields) -> str | None:
    """Return a type that a body has the form of; raises `PageError` for one with two forms.

    What is read as one thing here and as another elsewhere is a known attack (CVE-2021-41190).
    """
    is_index = fields.is_list("manifests")
    is_image = fields.is_list("layers") or fields.has("config")
    is_schema1 = fields.is_list("fsLayers")
    if is_index + is_image + is_schema1 > 1:
        raise PageError("it has the forms of several kinds of manifests at once")
    if is_index:
        return types.OCI_INDEX
    if is_image:
        return types.OCI_MANIFEST
    if is_schema1:
        return types.SCHEMA1_SIGNED if fields.has("signatures") else types.SCHEMA1
    return types.OCI_ARTIFACT if fields.is_list("blobs") else None


def _is_index(fields: Fields, media_type: str) -> bool:
    known = media_type in types.MANIFESTS
    return media_type in types.INDEXES if known else fields.is_list("manifests")


def _index(digest: str, size: int, media_type: str, fields: Fields) -> Manifest:
    children = []
    for position, entry in enumerate(fields.children("manifests")):
        child = entry.needed_digest()
        if child is not None:
            children.append(_reference(position, child, entry))
    return _manifest(digest, size, "index", media_type, fields, children=tuple(children))


def _reference(position: int, digest: str, entry: Fields) -> Reference:
    media_type, platform = entry.text("mediaType"), platform_of(entry.child("platform"))
    annotations = entry.pairs("annotations")
    relation: Relation = "other"
    if dict(annotations).get(_REFERENCE_TYPE) == _ATTESTS:
        relation = "attestation"
    elif media_type in types.INDEXES:
        relation = "nested"
    elif platform.is_known:
        relation = "platform"
    return Reference(position, digest, entry.size(), media_type, platform, relation, annotations)


def _image(digest: str, size: int, media_type: str, fields: Fields) -> Manifest:
    config = _blob(fields.child("config")) if fields.has("config") else None
    layers = tuple(_blob(each) for name in ("layers", "blobs") for each in fields.children(name))
    kind = _kind(media_type, fields, config, layers)
    return _manifest(digest, size, kind, media_type, fields, config=config, layers=layers)


def _kind(media_type: str, fields: Fields, config: Blob | None, layers: tuple[Blob, ...]) -> Kind:
    """Return what an image manifest is of: of an image only if its config is an image's."""
    config_type = config.media_type if config else None
    if media_type not in types.IMAGES or config_type not in types.IMAGE_CONFIGS:
        return "artifact"
    if layers and all(layer.media_type == types.IN_TOTO for layer in layers):
        return "attestation"
    # Signatures and the like borrow the config of an image; no layer of a file system is JSON.
    if layers and all((layer.media_type or "").endswith("+json") for layer in layers):
        return "artifact"
    return "artifact" if fields.has("artifactType") else "image"


def _schema1(digest: str, size: int, media_type: str, fields: Fields) -> Manifest:
    layers = tuple(Blob(each, None, None) for each in layers_of(fields))
    return _manifest(
        digest, size, "schema1", media_type, fields, layers=layers, v1=v1_image(fields)
    )


def _blob(fields: Fields) -> Blob:
    return Blob(fields.digest(), fields.size(), fields.text("mediaType"), fields.texts("urls"))


def _manifest(
    digest: str,
    size: int,
    kind: Kind,
    media_type: str,
    fields: Fields,
    *,
    config: Blob | None = None,
    layers: tuple[Blob, ...] = (),
    children: tuple[Reference, ...] = (),
    v1: V1Image | None = None,
) -> Manifest:
    artifact_type = fields.text("artifactType")
    if kind == "artifact" and artifact_type is None and config is not None:
        artifact_type = config.media_type  # OCI distribution 1.1, listing referrers.
    created = fields.child("annotations").text(CREATED)
    return Manifest(
        digest=digest,
        size=size,
        kind=kind,
        media_type=media_type,
        artifact_type=artifact_type,
        config=config,
        layers=layers,
        children=children,
        subject=fields.child("subject").digest(),
        annotations=fields.pairs("annotations"),
        created_at=None if created is None else time_of(created),
        v1=v1,
        problem=fields.problems.sentence,
    )

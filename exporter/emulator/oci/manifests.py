"""Manifests as a registry has them: their bytes, digests, and what a reader must find in them.

What is found is stated here, from the specification's words, beside the bytes: a row of `images`
and rows of what a manifest consists of, without the columns that say where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

Row = dict[str, Any]
"""A row of a table, or some columns of it."""

OCI, DOCKER = "application/vnd.oci", "application/vnd.docker"
INDEXES = {
    "oci": f"{OCI}.image.index.v1+json",
    "docker": f"{DOCKER}.distribution.manifest.list.v2+json",
}
MANIFESTS = {
    "oci": f"{OCI}.image.manifest.v1+json",
    "docker": f"{DOCKER}.distribution.manifest.v2+json",
}
CONFIGS = {
    "oci": f"{OCI}.image.config.v1+json",
    "docker": f"{DOCKER}.container.image.v1+json",
}
LAYERS = {
    "oci": (
        f"{OCI}.image.layer.v1.tar+gzip",
        f"{OCI}.image.layer.v1.tar+zstd",
        f"{OCI}.image.layer.v1.tar",
    ),
    "docker": (f"{DOCKER}.image.rootfs.diff.tar.gzip",),
}
FOREIGN = {
    "oci": f"{OCI}.image.layer.nondistributable.v1.tar+gzip",
    "docker": f"{DOCKER}.image.rootfs.foreign.diff.tar.gzip",
}
SCHEMA1 = f"{DOCKER}.distribution.manifest.v1+prettyjws"
EMPTY = f"{OCI}.empty.v1+json"
EMPTY_DIGEST = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
EVERY_TYPE = (
    *INDEXES.values(),
    *MANIFESTS.values(),
    SCHEMA1,
    f"{DOCKER}.distribution.manifest.v1+json",
    f"{OCI}.artifact.manifest.v1+json",
)
"""What a client must accept to be given each manifest as it is."""

_PLATFORM = ("os", "os_version", "architecture", "variant")
NOTHING: Row = {
    **dict.fromkeys(_PLATFORM),
    "config_digest": None,
    "artifact_type": None,
    "subject_digest": None,
    "labels": None,
    "annotations": {},
    "created_at": None,
    "created_source": None,
}


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer or a config, as a manifest names it; `content` where it is ever read."""

    digest: str
    size: int
    media_type: str
    urls: tuple[str, ...] = ()
    content: bytes | None = None

    @property
    def row(self) -> Row:
        """Its columns in `layers` and `config_blobs`."""
        return {
            "blob_id": self.digest,
            "digest": self.digest,
            "size": self.size,
            "urls": list(self.urls),
            "media_type": self.media_type,
        }

    @property
    def descriptor(self) -> Row:
        """It as a manifest states it."""
        stated: Row = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return stated | {"urls": list(self.urls)} if self.urls else stated


@dataclass(frozen=True, slots=True)
class Reference:
    """What an index states of one of its manifests.

    Attributes:
        child: The manifest.
        platform: The platform that is stated, as JSON; None for none.
        relation: What it is to the index.
        annotations: The annotations that are stated.
        present: Whether the registry has it.

    """

    child: Manifest
    platform: Row | None
    relation: str
    annotations: Row = field(default_factory=dict)
    present: bool = True

    @property
    def row(self) -> Row:
        """Its columns in `image_references`."""
        stated = self.platform or {}
        return {
            "child_digest": self.child.digest,
            "media_type": self.child.media_type,
            "size": len(self.child.body),
            "os": stated.get("os"),
            "os_version": stated.get("os.version"),
            "architecture": stated.get("architecture"),
            "variant": stated.get("variant"),
            "relation": self.relation,
            "annotations": self.annotations,
            "present": self.present,
        }

    @property
    def descriptor(self) -> Row:
        """It as the index states it."""
        stated: Row = {
            "mediaType": self.child.media_type,
            "digest": self.child.digest,
            "size": len(self.child.body),
        }
        if self.platform is not None:
            stated["platform"] = self.platform
        return stated | {"annotations": self.annotations} if self.annotations else stated


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest in a repository.

    Attributes:
        media_type: The type that it is served with.
        body: Its bytes.
        digest: Its digest.
        facts: Columns of `images` that its content decides.
        tags: Its tags.
        layers: Its layers, in its order.
        config: Its config.
        references: What it refers to, for an index.
        findings: What an auditor must be told of it: kinds of findings with what each is about,
            a digest, or empty for the manifest itself.

    """

    media_type: str
    body: bytes
    digest: str
    facts: Row
    tags: tuple[str, ...] = ()
    layers: tuple[Blob, ...] = ()
    config: Blob | None = None
    references: tuple[Reference, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()

    @property
    def row(self) -> Row:
        """Its columns of `images`, but for those that say where it is, and `reachable`."""
        is_index = self.facts["kind"] == "index"
        return {
            **self.facts,
            "digest": self.digest,
            "media_type": self.media_type,
            "manifest_size": len(self.body),
            "compressed_size": None if is_index else sum(layer.size for layer in self.layers),
            "layer_count": len(self.layers),
            "tag_count": len(self.tags),
            "tags": sorted(self.tags),
        }


def digest_of(content: bytes) -> str:
    """The digest of content."""
    return "sha256:" + sha256(content).hexdigest()


def manifest(
    body: Row,
    media_type: str,
    facts: Row,
    *,
    layers: tuple[Blob, ...] = (),
    config: Blob | None = None,
    references: tuple[Reference, ...] = (),
) -> Manifest:
    """The manifest with this JSON; its digest is that of its bytes."""
    content = orjson.dumps(body)
    stated = {"config_digest": config.digest} if config else {}
    return Manifest(
        media_type,
        content,
        digest_of(content),
        {**NOTHING, **stated, **facts},
        layers=layers,
        config=config,
        references=references,
    )


def image(
    family: str,
    config: Blob,
    layers: tuple[Blob, ...],
    facts: Row,
    annotations: Row | None = None,
    more: Row | None = None,
) -> Manifest:
    """An image manifest; `more` is JSON that it has besides."""
    body: Row = {
        "schemaVersion": 2,
        "mediaType": MANIFESTS[family],
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
        **(more or {}),
    }
    if annotations:
        body["annotations"] = annotations
    stated = {"kind": "image", "annotations": annotations or {}, **facts}
    return manifest(body, MANIFESTS[family], stated, layers=layers, config=config)


def index(
    family: str,
    references: tuple[Reference, ...],
    *,
    with_type: bool = True,
    annotations: Row | None = None,
) -> Manifest:
    """An index; without its type, only its form tells what it is."""
    body: Row = {
        "schemaVersion": 2,
        **({"mediaType": INDEXES[family]} if with_type else {}),
        "manifests": [each.descriptor for each in references],
    }
    if annotations:
        body["annotations"] = annotations
    facts = {"kind": "index", "annotations": annotations or {}}
    return manifest(body, INDEXES[family], facts, references=references)

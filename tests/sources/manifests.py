"""Manifests, indexes and configs as clients push them, as JSON."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from exporter.sources.oci.decode import media_types as types

Json = dict[str, Any]
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def descriptor(number: int, size: int = 10, media_type: str = OCI_LAYER, **more: Any) -> Json:
    return {"mediaType": media_type, "digest": digest(number), "size": size, **more}


def image(*layers: Json, config_type: str = OCI_CONFIG, **more: Any) -> Json:
    config = descriptor(99, 7, config_type)
    own = {"schemaVersion": 2, "mediaType": types.OCI_MANIFEST, "config": config}
    return own | {"layers": list(layers)} | more


def index(*manifests: Json, **more: Any) -> Json:
    own = {"schemaVersion": 2, "mediaType": types.OCI_INDEX}
    return own | {"manifests": list(manifests)} | more


def child(
    number: int, platform: str = "", media_type: str = types.OCI_MANIFEST, **more: Any
) -> Json:
    """An entry of an index; `platform` is `os/architecture`."""
    os, _, architecture = platform.partition("/")
    stated = {"platform": {"os": os, "architecture": architecture}} if platform else {}
    return descriptor(number, 500, media_type, **stated, **more)


ATTESTATION = {
    "vnd.docker.reference.type": "attestation-manifest",
    "vnd.docker.reference.digest": digest(1),
}


def schema1(*layers: int, signed: bool = True, v1: Json | None = None) -> Json:
    history = [{"v1Compatibility": orjson.dumps(v1 or {}).decode()} for _ in layers]
    own: Json = {"schemaVersion": 1, "name": "a", "tag": "v1", "architecture": "amd64"}
    own |= {"fsLayers": [{"blobSum": digest(each)} for each in layers], "history": history}
    return own | ({"signatures": [{"protected": "x"}]} if signed else {})

"""The media types of manifests, configs and layers, and what each stands for."""

from __future__ import annotations

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
SCHEMA1S = frozenset({SCHEMA1, SCHEMA1_SIGNED})
MANIFESTS = INDEXES | IMAGES | SCHEMA1S | {OCI_ARTIFACT}
"""Every type of a manifest that is known: those that a registry is asked for."""

IMAGE_CONFIGS = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
"""The types of the configs that tell of a platform, labels and a time."""

IN_TOTO = "application/vnd.in-toto+json"
"""The type of the layers of an attestation that BuildKit makes."""

_NOT_DISTRIBUTABLE = ("nondistributable", ".foreign.")


def essence(content_type: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_distributable(media_type: str) -> bool:
    """Return whether a registry stores layers of a type; others are fetched from elsewhere."""
    return not any(part in media_type for part in _NOT_DISTRIBUTABLE)

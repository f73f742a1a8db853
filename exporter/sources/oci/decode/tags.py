"""Tags: which names can be one, and which stand for something that is attached to an image."""

from __future__ import annotations

import re

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ATTACHED = re.compile(r"sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?")


def is_tag(name: object) -> bool:
    """Return whether a value of a list of tags can be a tag (OCI distribution 1.1).

    Registries are known to list null, digests, and names with a leading `-` as well.
    """
    return isinstance(name, str) and _TAG.fullmatch(name) is not None


def is_attached(tag: str) -> bool:
    """Return whether a tag is that of what is attached to an image: referrers, or a signature.

    `sha256-<hex>` lists the referrers of a digest where a registry cannot; with `.sig`, `.att` or
    `.sbom`, it is what cosign attaches.
    """
    return _ATTACHED.fullmatch(tag) is not None

"""Writes a made-up registry where docker-registry keeps its content.

That takes seconds; to push it would take minutes. Layers are named and not there: no client that is
measured reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark.oci.estate import Repository


def fill(root: Path, repositories: Iterable[Repository]) -> None:
    """Write repositories below the root folder of docker-registry's storage."""
    place = root / "docker/registry/v2"
    for each in repositories:
        own = place / "repositories" / each.name
        for digest, (_, body) in each.manifests.items():
            _blob(place, digest, body)
            _link(own / "_manifests/revisions" / _path(digest), digest)
        for digest, body in each.configs.items():
            _blob(place, digest, body)
            _link(own / "_layers" / _path(digest), digest)
        for tag, digest in each.tags.items():
            tagged = own / "_manifests/tags" / tag
            _link(tagged / "current", digest)
            _link(tagged / "index" / _path(digest), digest)


def _path(digest: str) -> str:
    return digest.replace(":", "/")


def _blob(place: Path, digest: str, body: bytes) -> None:
    algorithm, _, value = digest.partition(":")
    folder = place / "blobs" / algorithm / value[:2] / value
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").write_bytes(body)


def _link(folder: Path, digest: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "link").write_text(digest)

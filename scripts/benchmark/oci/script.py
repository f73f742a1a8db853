"""A script as one writes it over a client such as crane: one call after the other.

`python -m benchmark.oci.script HOST` reads the manifest and the config of each tag, and of what an
index refers to, and prints one line for each image. It does not read a config twice.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import requests

_ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)


class Registry:
    """A registry that lets everybody read."""

    def __init__(self, host: str) -> None:
        self._url = f"http://{host}"
        self._session = requests.Session()
        self._session.headers["Accept"] = _ACCEPT
        self._configs: dict[str, Any] = {}

    def names(self, path: str, key: str) -> Iterator[str]:
        """Yield the names of a list in pages."""
        following: str | None = f"{self._url}/v2/{path}?n=1000"
        while following:
            answer = self._get(following)
            yield from answer.json()[key] or []
            link = answer.links.get("next")
            following = urljoin(following, link["url"]) if link else None

    def images(self, repository: str, reference: str) -> Iterator[tuple[str, int]]:
        """Yield the platform and the size of each image that a tag or a digest leads to."""
        manifest = self._get(f"{self._url}/v2/{repository}/manifests/{reference}").json()
        for child in manifest.get("manifests", []):
            yield from self.images(repository, child["digest"])
        if "config" in manifest:
            digest = manifest["config"]["digest"]
            if digest not in self._configs:
                blob = self._get(f"{self._url}/v2/{repository}/blobs/{digest}")
                self._configs[digest] = blob.json()
            size = sum(layer["size"] for layer in manifest["layers"])
            yield self._configs[digest].get("architecture", ""), size

    def _get(self, url: str) -> requests.Response:
        answer = self._session.get(url, timeout=60)
        answer.raise_for_status()
        return answer


def main() -> None:
    """List everything."""
    registry = Registry(sys.argv[1])
    for repository in registry.names("_catalog", "repositories"):
        for tag in registry.names(f"{repository}/tags/list", "tags"):
            for architecture, size in registry.images(repository, tag):
                print(repository, tag, architecture, size)


if __name__ == "__main__":
    main()

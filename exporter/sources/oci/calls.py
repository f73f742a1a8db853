"""The calls of the distribution API, and of Harbor's: paths, headers and limits."""

from __future__ import annotations

from urllib.parse import quote

from exporter.http.types import Call
from exporter.sources.oci.credentials.authenticator import BASIC_SCOPE, token_scope

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.oci.artifact.manifest.v1+json",
)
"""Every type of manifest: with one missing, servers answer 404, or with another manifest."""
MOST_MANIFEST_BYTES = 8 << 20
MOST_CONFIG_BYTES = 8 << 20
MOST_LIST_BYTES = 64 << 20
"""A server may send all tags of a repository in one page."""
MOST_REDIRECTS = 5
CATALOG_SECONDS = 300.0
"""The least time that a page of the catalog may take: on object storage it can be over a minute."""
_ACCEPT = (("Accept", ", ".join(MANIFEST_TYPES)),)

Query = tuple[tuple[str, str], ...]


class Calls:
    """Makes the calls to one registry."""

    def __init__(self, registry_id: str) -> None:
        self.registry_id = registry_id

    def version(self) -> Call:
        """Return the call that says whether a registry speaks this API, and to this caller."""
        return Call(
            self.registry_id,
            "/v2/",
            (),
            self.registry_id,
            token_scope=token_scope(self.registry_id, "registry:catalog:*"),
            any_body=True,
            kind="lists",
        )

    def catalog(self, query: Query) -> Call:
        """Return the call for a page of the list of repositories."""
        return Call(
            self.registry_id,
            "/v2/_catalog",
            query,
            f"repositories of {self.registry_id}",
            token_scope=token_scope(self.registry_id, "registry:catalog:*"),
            most_bytes=MOST_LIST_BYTES,
            patience=CATALOG_SECONDS,
            kind="lists",
        )

    def tags(self, path: str, query: Query) -> Call:
        """Return the call for a page of a repository's tags."""
        return Call(
            self.registry_id,
            f"/v2/{quote(path)}/tags/list",
            query,
            f"tags of {self.registry_id}/{path}",
            token_scope=self._pull(path),
            most_bytes=MOST_LIST_BYTES,
            kind="lists",
        )

    def manifest(self, path: str, reference: str, *, head: bool = False) -> Call:
        """Return the call for a manifest by its tag or digest, or with `head`, for its headers."""
        return Call(
            self.registry_id,
            f"/v2/{quote(path)}/manifests/{quote(reference, safe=':@')}",
            (),
            f"manifest {reference} of {self.registry_id}/{path}",
            token_scope=self._pull(path),
            method="HEAD" if head else "GET",
            headers=_ACCEPT,
            most_bytes=MOST_MANIFEST_BYTES,
            any_body=True,
            kind="manifests",
        )

    def blob(self, path: str, digest: str, *, head: bool = False) -> Call:
        """Return the call for a blob; storage may be on another host."""
        return Call(
            self.registry_id,
            f"/v2/{quote(path)}/blobs/{quote(digest, safe=':')}",
            (),
            f"blob {digest} of {self.registry_id}/{path}",
            token_scope=self._pull(path),
            method="HEAD" if head else "GET",
            most_bytes=MOST_CONFIG_BYTES,
            any_body=True,
            redirects=MOST_REDIRECTS,
            kind="blobs",
        )

    def harbor(self, path: str, query: Query, scope: str) -> Call:
        """Return a call of Harbor's own API, which takes Basic alone."""
        return Call(
            self.registry_id,
            f"/api/v2.0{path}",
            query,
            scope,
            token_scope=token_scope(self.registry_id, BASIC_SCOPE),
            any_body=True,
            kind="lists",
        )

    def _pull(self, path: str) -> str:
        return token_scope(self.registry_id, f"repository:{path}:pull")

"""Small random estates for the real registry, and the tables that they must become.

The truth is computed here from what was pushed, with nothing of the program.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.oci.server import Registry

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
MANIFESTS = {
    "oci": f"{OCI}.manifest.v1+json",
    "docker": f"{DOCKER}.distribution.manifest.v2+json",
}
INDEXES = {
    "oci": f"{OCI}.index.v1+json",
    "docker": f"{DOCKER}.distribution.manifest.list.v2+json",
}
CONFIGS = {"oci": f"{OCI}.config.v1+json", "docker": f"{DOCKER}.container.image.v1+json"}
LAYERS = {
    "oci": [f"{OCI}.layer.v1.tar+gzip", f"{OCI}.layer.v1.tar+zstd", f"{OCI}.layer.v1.tar"],
    "docker": [f"{DOCKER}.image.rootfs.diff.tar.gzip"],
}
FOREIGN = {
    "oci": f"{OCI}.layer.nondistributable.v1.tar+gzip",
    "docker": f"{DOCKER}.image.rootfs.foreign.diff.tar.gzip",
}
EMPTY = "application/vnd.oci.empty.v1+json"
Row = dict[str, Any]


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass
class Pushed:
    """A manifest as it was pushed, with the row that it must become (without tags)."""

    type: str
    body: bytes
    row: Row
    layers: list[Row] = field(default_factory=list)
    config: Row | None = None
    references: list[Row] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return digest_of(self.body)


@dataclass
class Repository:
    """A repository: what its tags name, and what is in it whether a tag names it or not."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, Pushed] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)


class Estate:
    """Repositories in a registry, and the rows that list them."""

    def __init__(self, registry: Registry, seed: int, repositories: int = 4) -> None:
        self._registry = registry
        self._random = Random(seed)
        names = [f"team{place}/app" for place in range(repositories - 1)] + ["solo"]
        self.repositories = {name: Repository(name) for name in names}
        self._layers = [self._random.randbytes(self._random.randint(1, 400)) for _ in range(12)]

    def fill(self, images: int = 6) -> None:
        """Push images, indexes and artifacts of every kind into every repository."""
        for repository in self.repositories.values():
            pushed = [self._image(repository, place) for place in range(images)]
            for place, one in enumerate(pushed):
                for tag in self._random.sample(["v", "latest-", "rc."], self._random.randint(0, 2)):
                    self.tag(repository, f"{tag}{place}", one)
            self._index(repository, "multi", pushed[:2], attested=True)
            self._index(repository, "nested", [], nested=True)
            self._index(repository, "none", [])
            self.tag(repository, "sha256-" + "0" * 64 + ".sig", self._artifact(repository))

    def break_an_index(self, name: str) -> None:
        """Delete a manifest that an index of a repository refers to, as a collector may."""
        repository = self.repositories[name]
        child = self._image(repository, 900)
        self._index(repository, "broken", [child, self._image(repository, 901)])
        self._registry.delete_manifest(name, child.digest)
        repository.deleted.add(child.digest)

    def tag(self, repository: Repository, tag: str, pushed: Pushed) -> None:
        """Have a tag name a manifest; another tag that named it stays."""
        self._registry.push_manifest(repository.name, tag, pushed.type, pushed.body)
        repository.tags[tag] = pushed.digest

    def another(self, name: str, tag: str, place: int) -> None:
        """Push a new image under a tag, which may name something else so far."""
        repository = self.repositories[name]
        self.tag(repository, tag, self._image(repository, place))

    # The truth.

    def table(self, name: str) -> list[Row]:
        """Return the rows of a table, those of its columns that the content decides."""
        makers = {
            "images": self._images,
            "layers": lambda: self._parts("layers"),
            "config_blobs": lambda: self._parts("config"),
            "image_references": lambda: self._parts("references"),
            "tags": self._tags,
            "repositories": self._repositories,
        }
        return list(makers[name]())

    def reachable(self, repository: Repository) -> Iterator[Pushed]:
        """Yield what tags lead to, once each."""
        waiting, seen = list(repository.tags.values()), set()
        while waiting:
            digest = waiting.pop()
            if digest in seen or digest in repository.deleted:
                continue
            seen.add(digest)
            pushed = repository.manifests[digest]
            yield pushed
            waiting += [row["child_digest"] for row in pushed.references]

    def _images(self) -> Iterator[Row]:
        for repository in self.repositories.values():
            attested = {
                row["child_digest"]
                for pushed in self.reachable(repository)
                for row in pushed.references
                if row["relation"] == "attestation"
            }
            for pushed in self.reachable(repository):
                tags = sorted(t for t, digest in repository.tags.items() if digest == pushed.digest)
                kind = "attestation" if pushed.digest in attested else pushed.row["kind"]
                yield {
                    **self._where(repository, pushed),
                    **pushed.row,
                    "kind": kind,
                    "tags": tags,
                    "tag_count": len(tags),
                    "digest": pushed.digest,
                    "manifest_size": len(pushed.body),
                    "reachable": True,
                    "cloud_id": None,
                    "folder_id": None,
                }

    def _parts(self, what: str) -> Iterator[Row]:
        for repository in self.repositories.values():
            for pushed in self.reachable(repository):
                where = self._where(repository, pushed)
                if what == "config":
                    parts = [pushed.config] if pushed.config else []
                else:
                    parts = [
                        {"position": place, **row}
                        for place, row in enumerate(getattr(pushed, what))
                    ]
                for row in parts:
                    yield {**where, **row, **self._child(repository, row)}

    def _child(self, repository: Repository, row: Row) -> Row:
        """Return what a reference says of what it leads to; nothing for other rows."""
        if "child_digest" not in row:
            return {}
        digest = row["child_digest"]
        child = f"{self._registry.host}/{repository.name}@{digest}"
        return {"child_image_id": child, "present": digest not in repository.deleted}

    def _tags(self) -> Iterator[Row]:
        for repository in self.repositories.values():
            for tag, digest in repository.tags.items():
                pushed = repository.manifests[digest]
                yield {
                    **self._where(repository, pushed),
                    "tag": tag,
                    "digest": digest,
                    "created_at": pushed.row["created_at"],
                }

    def _repositories(self) -> Iterator[Row]:
        host = self._registry.host
        for name in self.repositories:
            ids = {"repository_id": f"{host}/{name}", "repository_name": f"{host}/{name}"}
            yield {**ids, "registry_id": host, "folder_id": None, "cloud_id": None}

    def _where(self, repository: Repository, pushed: Pushed) -> Row:
        name = f"{self._registry.host}/{repository.name}"
        return {
            "image_id": f"{name}@{pushed.digest}",
            "registry_id": self._registry.host,
            "repository_name": name,
        }

    # What is pushed.

    def _image(self, repository: Repository, place: int) -> Pushed:
        """Push an image without a tag; some of its layers are in other images as well."""
        random = self._random
        family = random.choice(["oci", "docker"])
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(10**7))
        platform = random.choice([("linux", "amd64", None), ("linux", "arm", "v7")])
        labels = {"n": str(place), "team": repository.name} if random.random() < 0.6 else None
        has_time = random.random() < 0.7
        content = {
            "os": platform[0],
            "architecture": platform[1],
            "variant": platform[2],
            "config": {"Labels": labels},
            "created": moment.isoformat() if has_time else None,
            "salt": f"{repository.name}{place}{random.random()}",
        }
        annotations = {"org.opencontainers.image.created": "2023-05-06T07:08:09Z"}
        if random.random() < 0.5:
            annotations = {}
        layers = [
            self._layer(random.choice(LAYERS[family]), content)
            for content in random.choices(self._layers, k=random.randint(1, 4))
        ]
        if random.random() < 0.3:
            foreign = self._layer(FOREIGN[family], b"foreign" + bytes([place % 256]))
            foreign["urls"] = ["https://example.com/layer"]
            layers.append(foreign)
        pushed = self._manifest(
            repository, family, json.dumps(content).encode(), CONFIGS[family], layers, annotations
        )
        noted = datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC) if annotations else None
        pushed.row |= {
            "kind": "image",
            "os": platform[0],
            "architecture": platform[1],
            "variant": platform[2],
            "labels": labels or {},
            "created_at": moment if has_time else noted,
            "created_source": "config" if has_time else "annotation" if noted else None,
        }
        return pushed

    def _artifact(self, repository: Repository) -> Pushed:
        content = self._layer("application/vnd.dev.cosign.simplesigning.v1+json", b"signature")
        pushed = self._manifest(repository, "oci", b"{}", EMPTY, [content], {})
        pushed.row["kind"] = "artifact"
        pushed.row["artifact_type"] = EMPTY
        return pushed

    def _manifest(
        self,
        repository: Repository,
        family: str,
        config: bytes,
        config_type: str,
        layers: list[Row],
        annotations: dict[str, str],
    ) -> Pushed:
        for one in layers:
            if not one["urls"]:
                self._registry.push_blob(repository.name, one["digest"], one["content"])
        self._registry.push_blob(repository.name, digest_of(config), config)
        stated = {"mediaType": config_type, "digest": digest_of(config), "size": len(config)}
        body: Row = {
            "schemaVersion": 2,
            "mediaType": MANIFESTS[family],
            "config": stated,
            "layers": [
                {
                    "mediaType": one["media_type"],
                    "digest": one["digest"],
                    "size": one["size"],
                    **({"urls": one["urls"]} if one["urls"] else {}),
                }
                for one in layers
            ],
        }
        if annotations:
            body["annotations"] = annotations
        rows = [
            {
                "blob_id": one["digest"],
                "distributable": not one["urls"],
                **{name: one[name] for name in ("digest", "size", "urls", "media_type")},
            }
            for one in layers
        ]
        pushed = Pushed(
            MANIFESTS[family],
            json.dumps(body, indent=3).encode(),
            {
                **_NOTHING,
                "media_type": MANIFESTS[family],
                "config_digest": digest_of(config),
                "layer_count": len(layers),
                "compressed_size": sum(one["size"] for one in layers),
                "annotations": annotations,
            },
            rows,
            {
                "blob_id": digest_of(config),
                "digest": digest_of(config),
                "size": len(config),
                "urls": [],
                "media_type": config_type,
            },
        )
        return self._put(repository, pushed)

    def _index(
        self,
        repository: Repository,
        tag: str,
        images: list[Pushed],
        *,
        attested: bool = False,
        nested: bool = False,
    ) -> None:
        family = self._random.choice(["oci", "docker"]) if not (attested or nested) else "oci"
        entries: list[tuple[Pushed, Row | None, Row, str]] = [
            (one, {"os": "linux", "architecture": "amd64", "variant": f"v{place}"}, {}, "platform")
            for place, one in enumerate(images)
        ]
        if attested:
            in_toto = self._layer("application/vnd.in-toto+json", b'{"of": "build"}')
            attestation = self._manifest(
                repository, "oci", b'{"os":"unknown"}', CONFIGS["oci"], [in_toto], {}
            )
            attestation.row |= {"os": "unknown", "labels": {}, "kind": "attestation"}
            notes = {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": images[0].digest,
            }
            platform = {"os": "unknown", "architecture": "unknown"}
            entries.append((attestation, platform, notes, "attestation"))
        if nested:
            inner = self._put(repository, _index_of("oci", []))
            entries.append((inner, None, {}, "nested"))
        self.tag(repository, tag, self._put(repository, _index_of(family, entries)))

    def _put(self, repository: Repository, pushed: Pushed) -> Pushed:
        self._registry.push_manifest(repository.name, pushed.digest, pushed.type, pushed.body)
        repository.manifests[pushed.digest] = pushed
        return pushed

    def _layer(self, media_type: str, content: bytes) -> Row:
        size = {"digest": digest_of(content), "size": len(content)}
        return {**size, "media_type": media_type, "content": content, "urls": []}


_PLATFORM = ("os", "os_version", "architecture", "variant")
_NOTHING: Row = {
    **dict.fromkeys(_PLATFORM),
    "artifact_type": None,
    "subject_digest": None,
    "labels": None,
    "created_at": None,
    "created_source": None,
}


def _index_of(family: str, entries: list[tuple[Pushed, Row | None, Row, str]]) -> Pushed:
    body = {
        "schemaVersion": 2,
        "mediaType": INDEXES[family],
        "manifests": [
            {
                "mediaType": one.type,
                "digest": one.digest,
                "size": len(one.body),
                **({"platform": platform} if platform else {}),
                **({"annotations": notes} if notes else {}),
            }
            for one, platform, notes, _ in entries
        ],
    }
    row = {
        **_NOTHING,
        "kind": "index",
        "media_type": INDEXES[family],
        "config_digest": None,
        "layer_count": 0,
        "compressed_size": None,
        "annotations": {},
    }
    references = [
        {
            "child_digest": one.digest,
            "media_type": one.type,
            "size": len(one.body),
            **dict.fromkeys(_PLATFORM),
            **(platform or {}),
            "relation": relation,
            "annotations": notes,
        }
        for one, platform, notes, relation in entries
    ]
    return Pushed(INDEXES[family], json.dumps(body).encode(), row, references=references)
